/* SPDX-License-Identifier: MIT */
/*
 * Twenty packs on two adapters with five places each, and random faults all the time, read over
 * Modbus by an observer that knows the promise: what is shown as good is never older than the
 * register says that it may be. Afterwards no pack is stuck, turns are fair, nothing has leaked.
 *
 *	SOAK_SECONDS=600 SOAK_SEED=1 build/dev/tests/test_bluetooth_soak
 *
 * Without these, 20 seconds and seed 1.
 */
#include "bluetooth.h"
#include "daemon.h"
#include "suite.h"

#include "packbridge/base.h"

#include <dirent.h>
#include <errno.h>
#include <modbus/modbus.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	PACKS = 20,
	STEP_MS = 250,
	CALM_MS = 15000,
	RETURN_MS = 60000, /* until the last pack is back after the last fault */
	QUALITY = 1,
	SEQUENCE = 2,
	AGE = 3,
	STALE_S = 7,
	POLLS = 8,
};

static struct bluetooth bt;
static struct daemon packbridge;
static modbus_t *client;

struct look {
	unsigned int quality, sequence, age_s, stale_s, polls;
};

static struct look look(int pack)
{
	uint16_t regs[16];

	modbus_set_slave(client, pack);
	ck_assert_int_eq(modbus_read_registers(client, 0, 16, regs), 16);
	return (struct look){regs[QUALITY], regs[SEQUENCE], regs[AGE], regs[STALE_S],
			     (unsigned int)regs[POLLS] << 16 | regs[POLLS + 1]};
}

static const char *mac(int pack)
{
	static char text[32];

	snprintf(text, sizeof(text), "A5:C2:37:00:00:%02d", pack);
	return text;
}

static void furnish(void)
{
	bluetooth_say(&bt, "adapter hci0 00:AA:01:00:00:00");
	bluetooth_say(&bt, "adapter hci1 00:AA:01:01:00:01");
	for (int i = 1; i <= PACKS; i++)
		bluetooth_say(&bt, "pack %s pack-%d %s", mac(i), i,
			      i % 2 ? "lfp-4s chunk=20" : "lfp-16s chunk=48");
}

/* ---- what it uses ---- */

static long pss_kib(void)
{
	char path[64], line[256];
	long kib = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", packbridge.pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Pss: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

static int descriptors(void)
{
	char path[64];
	int count = 0;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/fd", packbridge.pid);
	folder = opendir(path);
	ck_assert_ptr_nonnull(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count - 2;
}

/* ---- faults ---- */

enum fault { DROP, HALF, ENDED, MOVED, FAIL, OUT, PHONE, MUTE, POWER, UNPLUG, KILL, HANG, FAULTS };

static const char *const fault_names[FAULTS] = {
	"drop",	 "half frame", "EOF first", "services moved", "connects fail", "out of range",
	"phone", "mute",       "power off", "unplugged",      "killed",	       "hangs"};

static unsigned int counts[FAULTS];
static uint64_t restore_ms[FAULTS][PACKS + 1]; /* 0: not broken */

/* While bluetoothd is away, nothing else can be asked of it. */
static bool away(void)
{
	return restore_ms[KILL][0] || restore_ms[HANG][0];
}

static void restore(enum fault fault, int which)
{
	restore_ms[fault][which] = 0;
	if (fault == OUT)
		bluetooth_say(&bt, "in %s", mac(which));
	else if (fault == PHONE || fault == MUTE)
		bluetooth_say(&bt, "%s %s off", fault == PHONE ? "phone" : "mute", mac(which));
	else if (fault == UNPLUG)
		bluetooth_say(&bt, "plug hci%d off", which);
	else if (fault == HANG)
		kill(bt.bluez, SIGCONT);
	else if (fault == KILL) {
		memset(restore_ms, 0, sizeof(restore_ms));
		bluetooth_serve(&bt);
		furnish();
	}
}

static void restore_due(uint64_t now)
{
	for (int pass = 0; pass < 2; pass++)
		for (int fault = FAULTS - 1; fault >= 0; fault--)
			for (int i = 0; i <= PACKS; i++)
				if (restore_ms[fault][i] && restore_ms[fault][i] <= now &&
				    (!away() || fault == KILL || fault == HANG))
					restore((enum fault)fault, i);
}

static void provoke(uint64_t now)
{
	/* of a hundred: 88 hit one pack, 8 one adapter, 4 all */
	long dice = random() % 100;
	int pack = 1 + (int)(random() % PACKS), adapter = (int)(random() % 2);
	enum fault fault = dice < 88   ? (enum fault)(dice % 8)
			   : dice < 92 ? POWER
			   : dice < 96 ? UNPLUG
			   : dice < 98 ? KILL
				       : HANG;
	uint64_t end = now + 1000 + (uint64_t)(random() % 6000);
	int which = fault < POWER ? pack : fault < KILL ? adapter : 0;

	if (away() || restore_ms[fault][which] || (fault == POWER && restore_ms[UNPLUG][which]))
		return;
	counts[fault]++;
	switch (fault) {
	case DROP:
		bluetooth_say(&bt, "drop %s", mac(pack));
		return;
	case HALF:
		bluetooth_say(&bt, "half %s", mac(pack));
		return;
	case ENDED:
		bluetooth_say(&bt, "eof %s", mac(pack));
		return;
	case MOVED:
		bluetooth_say(&bt, "moved %s", mac(pack));
		return;
	case FAIL:
		bluetooth_say(&bt, "fail %s 2", mac(pack));
		bluetooth_say(&bt, "drop %s", mac(pack));
		return;
	case OUT:
		bluetooth_say(&bt, "out %s", mac(pack));
		break;
	case PHONE:
		bluetooth_say(&bt, "phone %s on", mac(pack));
		break;
	case MUTE:
		bluetooth_say(&bt, "mute %s on", mac(pack));
		break;
	case POWER: /* packbridge switches it on itself */
		bluetooth_say(&bt, "power hci%d off", adapter);
		return;
	case UNPLUG:
		bluetooth_say(&bt, "unplug hci%d", adapter);
		break;
	case KILL:
		bluetooth_kill(&bt);
		break;
	case HANG:
	case FAULTS:
		kill(bt.bluez, SIGSTOP);
		break;
	}
	restore_ms[fault][which] = end;
}

/* ---- the observer ---- */

static unsigned int looks, lies, good;

static void observe(void)
{
	for (int i = 1; i <= PACKS; i++) {
		struct look now = look(i);

		looks++;
		good += now.quality == 1;
		if (now.quality == 1 && now.age_s > now.stale_s) {
			lies++;
			printf("unit %d shows values of %u s as good, it may those of %u\n", i,
			       now.age_s, now.stale_s);
		}
	}
}

/* What it says is read, so that the pipe never fills, and forgotten. */
static void rest(void)
{
	struct pollfd fd = {.fd = packbridge.err, .events = POLLIN};
	uint64_t end = daemon_clock_ms() + STEP_MS, now;

	while ((now = daemon_clock_ms()) < end)
		if (poll(&fd, 1, (int)(end - now)) > 0 &&
		    read(packbridge.err, packbridge.said, sizeof(packbridge.said)) <= 0)
			ck_abort_msg("packbridge has gone");
}

static unsigned int number(const char *variable, unsigned int otherwise)
{
	const char *text = getenv(variable);

	return text ? (unsigned int)strtoul(text, NULL, 10) : otherwise;
}

static void start(void)
{
	static char text[8192], path[128];
	const char *args[] = {"run", "-c", path, NULL};
	size_t at;

	bluetooth_start(&bt);
	furnish();
	at = (size_t)snprintf(text, sizeof(text),
			      "control: %s/control\nlisten: [tcp: 127.0.0.1:0]\npacks:\n",
			      bt.folder);
	for (int i = 1; i <= PACKS; i++)
		at += (size_t)snprintf(
			text + at, sizeof(text) - at,
			"  - {name: pack-%d, unit: %d, link: 'ble:%s', poll_ms: 1000, "
			"gap_ms: 10, settle_ms: 50}\n",
			i, i, mac(i));
	daemon_write_file(path, sizeof(path), "packbridge.yaml", text);
	daemon_start(&packbridge, args);
	client = modbus_new_tcp("127.0.0.1", daemon_port(&packbridge, "127.0.0.1:0"));
	ck_assert_int_eq(modbus_connect(client), 0);
}

static void await_all(void)
{
	uint64_t end = daemon_clock_ms() + RETURN_MS;
	unsigned int before[PACKS + 1];
	int i;

	for (i = 1; i <= PACKS; i++)
		before[i] = look(i).sequence;
	for (i = 1; i <= PACKS;) {
		struct look now = look(i);

		if (now.quality == 1 && now.sequence != before[i]) {
			i++;
			continue;
		}
		ck_assert_msg(daemon_clock_ms() < end, "pack %d is stuck", i);
		rest();
	}
}

START_TEST(twenty_packs)
{
	unsigned int seconds = number("SOAK_SECONDS", 20), seed = number("SOAK_SEED", 1);
	unsigned int least = UINT32_MAX, most = 0, before[PACKS + 1];
	uint64_t begin, now, next;
	long pss;
	int fds;

	srandom(seed);
	start();
	await_all();
	pss = pss_kib();
	fds = descriptors();
	begin = next = daemon_clock_ms();
	while ((now = daemon_clock_ms()) < begin + 1000ULL * seconds) {
		restore_due(now);
		if (now >= next) {
			provoke(now);
			next = now + 100 + (uint64_t)(random() % 800);
		}
		observe();
		rest();
	}
	restore_due(UINT64_MAX);
	begin = daemon_clock_ms();
	await_all();
	printf("  all packs have new readings %.1f s after the last fault\n",
	       (double)(daemon_clock_ms() - begin) / 1000);
	for (int i = 1; i <= PACKS; i++)
		before[i] = look(i).polls;
	for (begin = daemon_clock_ms(); daemon_clock_ms() < begin + CALM_MS; rest())
		observe();
	for (int i = 1; i <= PACKS; i++) {
		unsigned int polls = look(i).polls - before[i];

		least = polls < least ? polls : least;
		most = polls > most ? polls : most;
	}
	printf("  seed %u, %u s:", seed, seconds);
	for (int i = 0; i < FAULTS; i++)
		printf(" %s %u,", fault_names[i], counts[i]);
	printf("\n  %u looks, %.1f %% good, %u lies; then, in %d s of calm, %u to %u polls a pack\n"
	       "  PSS %ld -> %ld KiB, descriptors %d -> %d\n",
	       looks, 100.0 * good / looks, lies, CALM_MS / 1000, least, most, pss, pss_kib(), fds,
	       descriptors());
	fflush(stdout);
	ck_assert_uint_eq(lies, 0);
	ck_assert_uint_ge(least, 2);
	ck_assert_uint_le(most, 2 * least + 2);
	ck_assert_int_le(descriptors(), fds + 4);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what is freed */
	ck_assert_int_le(pss_kib(), pss + 512);
#endif
	ck_assert_uint_eq(bluetooth_count(&bt, "overlaps"), 0);
	ck_assert_uint_le(bluetooth_count(&bt, "max_hci0"), 5);
	ck_assert_uint_le(bluetooth_count(&bt, "max_hci1"), 5);
	modbus_close(client);
	modbus_free(client);
	daemon_stop(&packbridge);
	bluetooth_stop(&bt);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("soak");

	tcase_set_timeout(tcase, number("SOAK_SECONDS", 20) + 200);
	tcase_add_test(tcase, twenty_packs);
	return pb_run_suite("bluetooth soak", tcase);
}
