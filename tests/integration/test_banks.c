/* SPDX-License-Identifier: MIT */
/* Banks, alarms and limits of the real program, while a pack falls silent. */
#include "daemon.h"
#include "suite.h"

#include <errno.h>
#include <modbus.h>
#include <stdio.h>
#include <string.h>

static struct daemon daemon_;
static char socket_path[256];

static void begin(void)
{
	char path[256], text[2048];
	const char *args[] = {"run", "-c", path, NULL};

	daemon_write_file(socket_path, sizeof(socket_path), "control", "");
	snprintf(
		text, sizeof(text),
		"control: %s\n"
		"alarms: {silent: {warning: 1, alarm: 2}, cell_spread: off}\n"
		"packs:\n"
		"  - {name: house, link: 'sim:lfp-4s,ah=200,soc=64,seed=1', unit: 1, poll_ms: "
		"200,\n"
		"     stale_after_s: 2, alarms: {latch: true, soc_low: {warning: 90, alarm: 80}}}\n"
		"  - {name: solar, link: 'sim:lfp-4s,ah=100,soc=48,seed=2,silent=3+3600', unit: "
		"2,\n"
		"     poll_ms: 200, stale_after_s: 2, limits: {charge_max_a: 20}}\n"
		"banks:\n"
		"  - {name: camper, packs: [house, solar], unit: 100}\n"
		"  - {name: strict, packs: [house, solar], unit: 101, missing: fault}\n"
		"  - {name: string, packs: [house, solar], unit: 102, topology: series,\n"
		"     discharge_max_a: 7}\n"
		"listen: [{tcp: '127.0.0.1:0'}]\n",
		socket_path);
	remove(socket_path);
	daemon_write_file(path, sizeof(path), "banks.yaml", text);
	daemon_start(&daemon_, args);
	daemon_wait_for(&daemon_, "house: first reading");
	daemon_wait_for(&daemon_, "solar: first reading");
}

static modbus_t *client(void)
{
	modbus_t *modbus = modbus_new_tcp("127.0.0.1", daemon_port(&daemon_, "127.0.0.1:0"));

	ck_assert_ptr_nonnull(modbus);
	modbus_set_error_recovery(modbus, MODBUS_ERROR_RECOVERY_NONE);
	ck_assert_int_eq(modbus_connect(modbus), 0);
	return modbus;
}

static int32_t number(const uint16_t *words)
{
	return (int32_t)((uint32_t)words[0] << 16 | words[1]);
}

/* @return 0, or the exception */
static int read_unit(modbus_t *modbus, int unit, int addr, int count, uint16_t *ret)
{
	modbus_set_slave(modbus, unit);
	if (modbus_read_registers(modbus, addr, count, ret) == count)
		return 0;
	ck_assert_int_gt(errno, MODBUS_ENOBASE);
	return errno - MODBUS_ENOBASE;
}

/* Packs are polled while we read them and the bank, so currents may move on a little. */
static void check_sums(modbus_t *modbus)
{
	uint16_t a[20], b[20], bank[32], limits[40], string[32];
	int32_t sum;

	ck_assert_int_eq(read_unit(modbus, 1, 16, 16, a), 0);
	ck_assert_int_eq(read_unit(modbus, 2, 16, 16, b), 0);
	ck_assert_int_eq(read_unit(modbus, 100, 16, 32, bank), 0);
	sum = number(a + 2) + number(b + 2);
	ck_assert_int_le(abs(number(bank + 2) - sum), 3000 + abs(sum) / 10);
	ck_assert_int_le(abs(number(bank + 12) - number(a + 10) - number(b + 10)), 1000);
	ck_assert_int_le(abs(number(bank) - 5 * (a[0] + b[0])), 60); /* mean, mV of 10 mV */
	/* by capacity: two parts of 64 % and one of 48 % */
	ck_assert_int_le(abs(bank[6] - (2 * a[1] + b[1]) / 3), 15);
	/* the smaller one may have 20 A: at a third of the current that is 60 A */
	ck_assert_int_eq(read_unit(modbus, 100, 80, 40, limits), 0);
	ck_assert_int_le(abs(number(limits + 4) - 60000), 3000);
	ck_assert_int_eq(limits[9], 1);	 /* the configured maximum, */
	ck_assert_int_eq(limits[12], 2); /* of the second pack */
	ck_assert_int_eq(number(limits), 4 * 3450);
	ck_assert_int_eq(limits[15] & 3, 3);
	/* as a string: voltages are added, and the bank's own limit counts */
	ck_assert_int_eq(read_unit(modbus, 102, 16, 32, string), 0);
	ck_assert_int_le(abs(number(string) - 10 * (a[0] + b[0])), 60);
	ck_assert_int_eq(read_unit(modbus, 102, 80, 40, limits), 0);
	ck_assert_int_eq(number(limits), 8 * 3450);
	ck_assert_int_eq(number(limits + 6), 7000);
	ck_assert_int_eq(limits[10], 10);
}

static size_t count(const char *text, const char *what)
{
	size_t found = 0;

	for (; (text = strstr(text, what)); text++)
		found++;
	return found;
}

START_TEST(a_pack_falls_silent)
{
	modbus_t *modbus;
	uint16_t status[16], words[16], left[2];
	char answer[512];
	const char *reset[] = {"reset", "--socket", socket_path, "house", NULL};
	const char *nobody[] = {"reset", "--socket", socket_path, "hose", NULL};

	begin();
	modbus = client();
	check_sums(modbus);
	daemon_wait_for(&daemon_, "pack house: ALARM: soc_low, 6");
	ck_assert_int_eq(read_unit(modbus, 101, 0, 16, status), 0);
	ck_assert_int_eq(status[1], 1);
	ck_assert_int_eq(status[15], 2); /* the pack's alarm is the bank's */

	daemon_wait_for(&daemon_, "pack solar: warning: silent, no reading");
	ck_assert_int_eq(read_unit(modbus, 100, 0, 16, status), 0);
	ck_assert_int_eq(status[1], 1);	 /* what is left is the bank */
	ck_assert_int_eq(status[7], 1);	 /* online */
	ck_assert_int_eq(status[12], 1); /* stale */
	ck_assert_int_eq(read_unit(modbus, 100, 24, 2, words), 0);
	ck_assert_int_eq(read_unit(modbus, 1, 24, 2, left), 0);
	ck_assert_int_le(abs(number(words) - number(left)), 1000);
	ck_assert_int_eq(read_unit(modbus, 101, 0, 16, status), 0);
	ck_assert_int_eq(status[1], 2);
	ck_assert_int_ge(status[3], 2); /* the age is of the oldest reading */
	ck_assert_int_eq(read_unit(modbus, 101, 16, 2, words), 0x0B);
	ck_assert_int_eq(read_unit(modbus, 102, 80, 2, words), 0x0B);
	daemon_wait_for(&daemon_, "pack solar: ALARM: silent, no reading");
	daemon_wait_for(&daemon_, "bank strict: ALARM: silent, no reading");
	ck_assert_int_eq(read_unit(modbus, 2, 232, 2, words), 0);
	ck_assert_int_eq(words[1] >> 12 & 1, 1);

	/* latched, but still there: a reset hides nothing */
	ck_assert_int_eq(daemon_output(answer, sizeof(answer), reset), 0);
	ck_assert_str_eq(answer, "ok: alarms of house whose cause has gone are reset\n");
	ck_assert_int_eq(read_unit(modbus, 1, 232, 2, words), 0);
	ck_assert_int_eq(words[1] >> 9 & 1, 1);
	ck_assert_int_eq(daemon_messages(answer, sizeof(answer), nobody), 1);
	ck_assert_str_eq(answer, "error: there is no pack or bank 'hose'\n");

	ck_assert_uint_eq(count(daemon_.said, "pack house: ALARM: soc_low"), 1); /* once an edge */
	ck_assert_uint_eq(count(daemon_.said, "pack solar: ALARM: silent"), 1);
	/* it has a reading all along, of what is left */
	ck_assert_uint_eq(count(daemon_.said, "bank camper: "), 1);
	ck_assert_uint_eq(count(daemon_.said, "bank camper: 1 of 2 packs with a good reading"), 1);
	modbus_close(modbus);
	modbus_free(modbus);
	daemon_stop(&daemon_);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("banks");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_pack_falls_silent);
	return pb_run_suite("banks", tcase);
}
