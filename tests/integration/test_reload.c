/* SPDX-License-Identifier: MIT */
/*
 * A running daemon gets another configuration: what has not changed goes on, packs connected and
 * clients on their sockets; what is wrong changes nothing at all.
 */
#include "daemon.h"
#include "suite.h"

#include "packbridge/base.h"

#include <arpa/inet.h>
#include <errno.h>
#include <modbus.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SEQUENCE = 2, SEVERITY = 15, SOC = 17, BANK_SOC = 22 };

static struct daemon packbridge;
static char folder[128], file[160], control[160];

static const char small_map[] =
	"map: small\n"
	"version: 1\n"
	"title: one value and a place to write\n"
	"scope: pack\n"
	"blocks:\n"
	"  - name: all\n"
	"    tables: [holding]\n"
	"    addr: 500\n"
	"    count: 2\n"
	"    rows:\n"
	"      - {addr: 500, type: u16, field: %s, na: 0xFFFF}\n"
	"      - {addr: 501, type: u16, value: 7, access: rw, min: 0, max: 99}\n";

#define HOUSE "  - {name: house, link: 'sim:lfp-4s,soc=64,seed=1', unit: 1, poll_ms: 200}\n"
#define STORE "  - {name: store, link: 'sim:lfp-16s,soc=40,seed=2', unit: 17, poll_ms: 200}\n"
#define TCP   "listen:\n  - tcp: 127.0.0.1:0\n"

/* Writes NAME in the test's folder, over what stands there. */
static void write_over(const char *name, const char *text)
{
	char path[192];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	out = fopen(path, "w");
	ck_assert_ptr_nonnull(out);
	ck_assert_int_ge(fputs(text, out), 0);
	ck_assert_int_eq(fclose(out), 0);
}

static void write_map(const char *field)
{
	char text[1024];

	snprintf(text, sizeof(text), small_map, field);
	write_over("small.yaml", text);
}

static void write_config(const char *packs, const char *rest)
{
	char text[2048];

	snprintf(text, sizeof(text), "control: %s\npacks:\n%s%s", control, packs, rest);
	write_over("reload.yaml", text);
}

static void setup(void)
{
	const char *args[] = {"run", "-c", file, NULL};

	daemon_write_file(file, sizeof(file), "reload.yaml", "");
	snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(file, '/') - file), file);
	snprintf(control, sizeof(control), "%s/control", folder);
	write_map("cell_count");
	setenv("PACKBRIDGE_MAPS", folder, 1); /* the others are found from the program */
	write_config(HOUSE STORE, TCP);
	daemon_start(&packbridge, args);
	daemon_wait_for(&packbridge, "house: first reading");
	daemon_wait_for(&packbridge, "store: first reading");
}

static void teardown(void)
{
	daemon_stop(&packbridge);
}

static void reload(void)
{
	packbridge.len = 0; /* what it said before is of no interest */
	packbridge.said[0] = '\0';
	ck_assert_int_eq(kill(packbridge.pid, SIGHUP), 0);
	daemon_wait_for(&packbridge, "is loaded");
}

/* `packbridge reload`: what it prints, and its exit status. */
static int ask_reload(char *messages, size_t cap)
{
	const char *args[] = {"reload", "-s", control, NULL};

	return daemon_messages(messages, cap, args);
}

/* `packbridge check`; the folder of this test has more than maps. @return its exit status */
static int check_file(char *out, char *messages, size_t cap)
{
	const char *args[] = {"check", file, NULL};
	int r;

	unsetenv("PACKBRIDGE_MAPS");
	r = out ? daemon_output(out, cap, args) : daemon_messages(messages, cap, args);
	setenv("PACKBRIDGE_MAPS", folder, 1);
	return r;
}

static modbus_t *connect_port(uint16_t port)
{
	modbus_t *ctx = modbus_new_tcp("127.0.0.1", port);

	ck_assert_ptr_nonnull(ctx);
	ck_assert_int_eq(modbus_connect(ctx), 0);
	return ctx;
}

static modbus_t *connect_daemon(void)
{
	return connect_port(daemon_port(&packbridge, "127.0.0.1:0"));
}

/* The port of the last listener of that address that was said. */
static uint16_t last_port(const char *address)
{
	char line[64];
	const char *found = NULL;
	unsigned int port = 0;

	snprintf(line, sizeof(line), " on %s, port ", address);
	for (const char *at = packbridge.said; (at = strstr(at, line)); at++)
		found = at;
	ck_assert_ptr_nonnull(found);
	sscanf(found + strlen(line), "%u", &port);
	return (uint16_t)port;
}

static int listen_at(const char *host, unsigned int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	ck_assert_int_eq(inet_pton(AF_INET, host, &address.sin_addr), 1);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 5), 0);
	return fd;
}

/* A port that nobody has, by the kernel's choice. */
static unsigned int free_port(void)
{
	struct sockaddr_in address;
	socklen_t len = sizeof(address);
	int fd = listen_at("127.0.0.1", 0);

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	close(fd);
	return ntohs(address.sin_port);
}

static int read_one(modbus_t *ctx, int unit, int addr)
{
	uint16_t value;

	modbus_set_slave(ctx, unit);
	return modbus_read_registers(ctx, addr, 1, &value) == 1 ? value : -errno;
}

START_TEST(what_has_not_changed_goes_on)
{
	modbus_t *ctx = connect_daemon();
	int sequence = read_one(ctx, 1, SEQUENCE);

	ck_assert_int_eq(read_one(ctx, 1, SOC), 640);
	write_config(HOUSE
		     "    \n"
		     "  - {name: store, link: 'sim:lfp-16s,soc=40,seed=2', unit: 18,"
		     " poll_ms: 200}\n"
		     "  - {name: new, link: 'sim:lfp-8s,soc=55,seed=3', unit: 3, poll_ms: 200}\n",
		     "banks:\n  - {name: all, packs: [house], unit: 100}\n" TCP);
	reload();
	/* the same connection, the same readings, at once */
	ck_assert_int_eq(read_one(ctx, 1, SOC), 640);
	ck_assert_int_ge(read_one(ctx, 1, SEQUENCE), sequence);
	ck_assert_int_eq(read_one(ctx, 18, SOC), 400);
	ck_assert_int_eq(read_one(ctx, 17, SOC), -EMBXGPATH);
	ck_assert_int_eq(read_one(ctx, 100, BANK_SOC), 640);
	daemon_wait_for(&packbridge, "new: first reading");
	ck_assert_int_eq(read_one(ctx, 3, SOC), 550);
	/* neither was connected anew */
	ck_assert_ptr_null(strstr(packbridge.said, "house: first"));
	ck_assert_ptr_null(strstr(packbridge.said, "store: first"));
	ck_assert_int_eq(read_one(ctx, 0, 4), 3);
	modbus_free(ctx);
}
END_TEST

START_TEST(a_pack_goes_on_polling)
{
	modbus_t *ctx = connect_daemon();
	uint64_t end_ms = daemon_clock_ms() + 5000;
	int sequence;

	write_config(HOUSE STORE "limits: {charge_max_a: 10}\n", TCP);
	reload();
	sequence = read_one(ctx, 1, SEQUENCE);
	while (read_one(ctx, 1, SEQUENCE) == sequence && daemon_clock_ms() < end_ms)
		;
	ck_assert_int_ne(read_one(ctx, 1, SEQUENCE), sequence);
	modbus_free(ctx);
}
END_TEST

/* Whatever its session goes by makes it another pack, which is connected anew. */
static const char *const settings[] = {
	"poll_ms: 201",
	"poll_ms: 200, gap_ms: 49",
	"poll_ms: 200, settle_ms: 1",
	"poll_ms: 200, tries: 2",
	"poll_ms: 200, reply_timeout_ms: 999",
	"poll_ms: 200, connect_timeout_ms: 19999",
	"poll_ms: 200, stale_after_s: 15",
	"poll_ms: 200, stale_after_s: 16",
	"poll_ms: 200, protocol: auto",
};

START_TEST(each_setting_of_a_pack_counts)
{
	char pack[256];

	snprintf(pack, sizeof(pack),
		 "  - {name: house, link: 'sim:lfp-4s,soc=64,seed=1', unit: 1, %s}\n" STORE,
		 settings[_i]);
	write_config(pack, TCP);
	reload();
	daemon_wait_for(&packbridge, "house: first reading");
	ck_assert_ptr_null(strstr(packbridge.said, "store: first reading"));
}
END_TEST

/* An alarm that was latched stays so, though by the new file it would not be one. */
START_TEST(latched_alarms_stay)
{
	static const char pack[] = "  - {name: house, link: 'sim:lfp-4s,soc=64,seed=1', unit: 1, "
				   "poll_ms: 200,\n     alarms: {latch: true, soc_low: {warning: "
				   "off, alarm: %d, delay_s: 0}}}\n";
	char text[256];
	modbus_t *ctx = connect_daemon();

	snprintf(text, sizeof(text), pack, 90);
	write_config(text, TCP);
	reload();
	daemon_wait_for(&packbridge, "house: ALARM: soc_low");
	ck_assert_int_eq(read_one(ctx, 1, SEVERITY), 2);
	snprintf(text, sizeof(text), pack, 10);
	write_config(text, TCP);
	reload();
	ck_assert_int_eq(read_one(ctx, 1, SEVERITY), 2);
	ck_assert_ptr_null(strstr(packbridge.said, "soc_low"));
	modbus_free(ctx);
}
END_TEST

/* Errors of every kind: in the file, in a map, and in what only the kernel knows. */
static const struct {
	const char *packs, *rest, *says;
} wrong[] = {
	{HOUSE "  - {name: two, link: 'sim:lfp-4s', unit: 1}\n", TCP, "unit 1"},
	{HOUSE "  - {name: two, link: 'sim:nothing', unit: 2}\n", TCP, "nothing"},
	{HOUSE "  - {name: two, link: 'sim:lfp-4s', unit: 2, map: samll}\n", TCP,
	 "'small' perhaps"},
	{HOUSE, "listen:\n  - tcp: 127.0.0.1:0\n  - tcp: 192.0.2.1:1502\n", "192.0.2.1:1502"},
};

START_TEST(what_is_wrong_changes_nothing)
{
	modbus_t *ctx = connect_daemon();
	char messages[2048];

	write_config(wrong[_i].packs, wrong[_i].rest);
	ck_assert_int_eq(ask_reload(messages, sizeof(messages)), 1);
	ck_assert_msg(strstr(messages, "the running configuration stays") &&
			      strstr(messages, wrong[_i].says),
		      "%s", messages);
	daemon_wait_for(&packbridge, "the running configuration stays");
	ck_assert_int_eq(read_one(ctx, 1, SOC), 640);
	ck_assert_int_eq(read_one(ctx, 17, SOC), 400);
	ck_assert_int_eq(read_one(ctx, 0, 4), 2);
	/* and a right one is taken after that */
	write_config(HOUSE, TCP);
	reload();
	ck_assert_int_eq(read_one(ctx, 1, SOC), 640);
	ck_assert_int_eq(read_one(ctx, 17, SOC), -EMBXGPATH);
	modbus_free(ctx);
}
END_TEST

START_TEST(maps_are_loaded_anew_and_writes_stay)
{
	uint16_t port = daemon_port(&packbridge, "127.0.0.1:0");
	modbus_t *ctx;

	write_config("  - {name: house, link: 'sim:lfp-4s,soc=64,seed=1', unit: 1, map: small,"
		     " poll_ms: 200}\n",
		     TCP);
	reload();
	ctx = connect_port(port);
	ck_assert_int_eq(read_one(ctx, 1, 500), 4);
	ck_assert_int_eq(read_one(ctx, 1, 501), 7);
	ck_assert_int_eq(modbus_write_register(ctx, 501, 42), 1);
	write_map("temperature_count");
	reload();
	ck_assert_int_eq(read_one(ctx, 1, 500), 3);
	ck_assert_int_eq(read_one(ctx, 1, 501), 42);
	/* a broken map leaves the old one in place */
	write_map("tempreature_count");
	packbridge.len = 0;
	kill(packbridge.pid, SIGHUP);
	daemon_wait_for(&packbridge, "'temperature_count' perhaps");
	ck_assert_int_eq(read_one(ctx, 1, 500), 3);
	modbus_free(ctx);
}
END_TEST

START_TEST(listeners_come_and_go)
{
	modbus_t *first = connect_daemon(), *second;

	write_config(HOUSE STORE,
		     TCP "  - tcp: 127.0.0.2:0\n    units: [{unit: 5, pack: store}]\n");
	reload();
	second = modbus_new_tcp("127.0.0.2", daemon_port(&packbridge, "127.0.0.2:0"));
	ck_assert_int_eq(modbus_connect(second), 0);
	ck_assert_int_eq(read_one(second, 5, SOC), 400);
	ck_assert_int_eq(read_one(second, 1, SOC), -EMBXGPATH);

	/* its units change under a client */
	write_config(HOUSE STORE,
		     TCP "  - tcp: 127.0.0.2:0\n    units: [{unit: 5, pack: house}]\n");
	reload();
	ck_assert_int_eq(read_one(second, 5, SOC), 640);

	/* it goes, and its clients with it; those of the other stay, even those not welcome any
	 * more elsewhere */
	write_config(HOUSE STORE, TCP);
	reload();
	ck_assert_int_lt(read_one(second, 5, SOC), 0);
	ck_assert_int_eq(read_one(first, 1, SOC), 640);
	modbus_free(second);

	/* whom `allow` no longer has, is closed */
	write_config(HOUSE STORE, TCP "    allow: [192.0.2.0/24]\n");
	reload();
	ck_assert_int_lt(read_one(first, 1, SOC), 0);
	modbus_free(first);
}
END_TEST

/* The answer to the command that moves the socket comes through the old one. */
START_TEST(the_control_socket_moves)
{
	const char *args[] = {"reload", "-s", control, NULL};
	char old[160], text[1024];

	strcpy(old, control);
	snprintf(text, sizeof(text), "control: %s/moved.control\npacks:\n%s%s", folder, HOUSE, TCP);
	write_over("reload.yaml", text);
	ck_assert_int_eq(daemon_output(text, sizeof(text), args), 0);
	ck_assert_ptr_nonnull(strstr(text, "ok: "));
	ck_assert_int_eq(daemon_messages(text, sizeof(text), args), 1);
	snprintf(control, sizeof(control), "%s/moved.control", folder);
	ck_assert_int_eq(daemon_output(text, sizeof(text), args), 0);
	ck_assert_ptr_nonnull(strstr(text, "1 pack,"));
}
END_TEST

START_TEST(a_control_socket_that_can_not_be)
{
	modbus_t *ctx = connect_daemon();
	char messages[1024];

	write_over("reload.yaml", "control: /nowhere/at/all.sock\npacks:\n" HOUSE TCP);
	ck_assert_int_eq(ask_reload(messages, sizeof(messages)), 1);
	ck_assert_ptr_nonnull(strstr(messages, "reload.yaml:1:"));
	ck_assert_int_eq(read_one(ctx, 17, SOC), 400);
	modbus_free(ctx);
}
END_TEST

/* A socket's path where a file of the user's stands: at a reload, by check, and at the start. */
START_TEST(a_file_at_the_path_of_a_socket)
{
	const char *run[] = {"run", "-c", file, NULL};
	modbus_t *ctx = connect_daemon();
	char text[1024], messages[1024];

	/* the configuration itself */
	snprintf(text, sizeof(text), "control: %s\nstatus: %s\npacks:\n%s%s", control, file, HOUSE,
		 TCP);
	write_over("reload.yaml", text);
	ck_assert_int_eq(ask_reload(messages, sizeof(messages)), 1);
	ck_assert_msg(strstr(messages, "reload.yaml:2:9: ") && strstr(messages, "is no socket"),
		      "%s", messages);
	ck_assert_int_eq(read_one(ctx, 17, SOC), 400);
	ck_assert_int_eq(check_file(NULL, messages, sizeof(messages)), 1);
	ck_assert_ptr_nonnull(strstr(messages, "reload.yaml:2:9: "));
	ck_assert_int_eq(daemon_messages(messages, sizeof(messages), run), 1);
	ck_assert_ptr_nonnull(strstr(messages, "reload.yaml:2:9: "));
	/* it is all there still */
	write_over("other", text);
	snprintf(messages, sizeof(messages), "cmp -s %s/other %s", folder, file);
	ck_assert_int_eq(system(messages), 0); /* NOLINT(cert-env33-c) */
	modbus_free(ctx);
}
END_TEST

/* Two sockets of one address are two, also after a reload. */
START_TEST(several_listeners_of_port_0)
{
	const char *twice = "listen:\n  - tcp: 127.0.0.1:0\n"
			    "  - tcp: 127.0.0.1:0\n    units: [{unit: 5, pack: store}]\n"
			    "  - tcp: 127.0.0.3:0\n";
	modbus_t *first = connect_daemon(), *second;

	write_config(HOUSE STORE, twice);
	reload();
	daemon_port(&packbridge, "127.0.0.3:0"); /* it is said last */
	second = connect_port(last_port("127.0.0.1:0"));
	ck_assert_int_eq(read_one(first, 1, SOC), 640);
	ck_assert_int_eq(read_one(second, 5, SOC), 400);
	ck_assert_int_eq(read_one(second, 1, SOC), -EMBXGPATH);
	for (int i = 0; i < 3; i++) {
		reload();
		ck_assert_int_eq(read_one(first, 1, SOC), 640);
		ck_assert_int_eq(read_one(second, 5, SOC), 400);
	}
	write_config(HOUSE STORE, TCP);
	reload();
	ck_assert_int_eq(read_one(first, 1, SOC), 640);
	ck_assert_int_lt(read_one(second, 5, SOC), 0);
	modbus_free(first);
	modbus_free(second);
}
END_TEST

/* A listener moves on its own port, in steps that no two of them could stand beside each other. */
START_TEST(a_listener_moves_on_its_port)
{
	static const char *const steps[] = {
		"tcp: '127.0.0.1",	    "tcp: '0.0.0.0",   "tcp: '*",
		"tcp: '127.0.0.1",	    "tcp: '[::]",      "tcp: 'localhost",
		"rtu-over-tcp: '127.0.0.1", "tcp: '127.0.0.1",
	};
	unsigned int port = free_port();
	char listen[128], messages[2048];

	for (size_t i = 0; i < PB_ARRAY_SIZE(steps); i++) {
		modbus_t *ctx;

		snprintf(listen, sizeof(listen), "listen:\n  - %s:%u'\n", steps[i], port);
		write_config(HOUSE, listen);
		reload();
		if (strstr(steps[i], "rtu"))
			continue;
		ctx = connect_port((uint16_t)port);
		ck_assert_int_eq(read_one(ctx, 1, SOC), 640);
		/* with something else wrong, all is as before, and this client stays */
		snprintf(listen, sizeof(listen),
			 "listen:\n  - rtu-over-tcp: 127.0.0.1:%u\n  - tcp: 192.0.2.1:1502\n",
			 port);
		write_config(HOUSE, listen);
		ck_assert_int_eq(ask_reload(messages, sizeof(messages)), 1);
		ck_assert_msg(strstr(messages, "192.0.2.1") && !strstr(messages, "127.0.0.1"), "%s",
			      messages);
		ck_assert_int_eq(read_one(ctx, 1, SOC), 640);
		modbus_free(ctx);
		ctx = connect_port((uint16_t)port);
		ck_assert_int_eq(read_one(ctx, 1, SOC), 640);
		modbus_free(ctx);
	}
}
END_TEST

/* What another program has is still refused, with the old one back in its place. */
START_TEST(a_port_that_another_program_has)
{
	unsigned int port = free_port();
	char listen[128], messages[2048];
	modbus_t *ctx;
	int other;

	snprintf(listen, sizeof(listen), "listen:\n  - tcp: 127.0.0.2:%u\n", port);
	write_config(HOUSE, listen);
	reload();
	other = listen_at("127.0.0.1", port);
	snprintf(listen, sizeof(listen), "listen:\n  - tcp: 0.0.0.0:%u\n", port);
	write_config(HOUSE, listen);
	ck_assert_int_eq(ask_reload(messages, sizeof(messages)), 1);
	ck_assert_msg(strstr(messages, "another program"), "%s", messages);
	ctx = modbus_new_tcp("127.0.0.2", (int)port);
	ck_assert_int_eq(modbus_connect(ctx), 0);
	ck_assert_int_eq(read_one(ctx, 1, SOC), 640);
	modbus_free(ctx);
	close(other);
}
END_TEST

/* A page and a listener exchange their ports; and back when that can't be. */
START_TEST(page_and_listener_exchange_ports)
{
	unsigned int a = free_port(), b = free_port();
	char text[256], messages[2048];
	modbus_t *ctx;

	snprintf(text, sizeof(text), "http: 127.0.0.1:%u\nlisten:\n  - tcp: 127.0.0.1:%u\n", a, b);
	write_config(HOUSE, text);
	reload();
	snprintf(text, sizeof(text), "http: 127.0.0.1:%u\nlisten:\n  - tcp: 127.0.0.1:%u\n", b, a);
	write_config(HOUSE, text);
	reload();
	ctx = connect_port((uint16_t)a);
	ck_assert_int_eq(read_one(ctx, 1, SOC), 640);
	snprintf(text, sizeof(text),
		 "http: 127.0.0.1:%u\nlisten:\n  - tcp: 127.0.0.1:%u\n  - tcp: 192.0.2.1:%u\n", a,
		 b, a);
	write_config(HOUSE, text);
	ck_assert_int_eq(ask_reload(messages, sizeof(messages)), 1);
	ck_assert_int_eq(read_one(ctx, 1, SOC), 640);
	modbus_free(ctx);
	ctx = connect_port((uint16_t)b); /* the page is there again */
	modbus_free(ctx);
}
END_TEST

/* The page moves on its own port, and is where it was when something else is wrong. */
START_TEST(a_page_moves_on_its_port)
{
	static const char *const hosts[] = {"127.0.0.1", "0.0.0.0", "[::]", "127.0.0.1"};
	unsigned int port = free_port();
	char text[256], messages[2048];

	for (size_t i = 0; i < PB_ARRAY_SIZE(hosts); i++) {
		snprintf(text, sizeof(text), "http: '%s:%u'\n" TCP, hosts[i], port);
		write_config(HOUSE, text);
		reload();
		modbus_free(connect_port((uint16_t)port));
		snprintf(text, sizeof(text),
			 "http: '127.0.0.2:%u'\nlisten:\n  - tcp: 192.0.2.1:1502\n", port);
		write_config(HOUSE, text);
		ck_assert_int_eq(ask_reload(messages, sizeof(messages)), 1);
		ck_assert_msg(strstr(messages, "192.0.2.1") && !strstr(messages, "127.0.0.2"), "%s",
			      messages);
		modbus_free(connect_port((uint16_t)port));
	}
}
END_TEST

/*
 * Some library that is not libmicrohttpd, under its name: all but the page is there, start and each
 * reload say so, none crashes.
 */
START_TEST(a_library_without_its_functions)
{
	char libc[256], path[192], messages[4096];
	FILE *maps = fopen("/proc/self/maps", "r");

	teardown();
	ck_assert_ptr_nonnull(maps);
	while (fgets(messages, sizeof(messages), maps) && !strstr(messages, "/libc.so.6"))
		;
	fclose(maps);
	ck_assert_int_eq(sscanf(strchr(messages, '/'), "%255[^\n]", libc), 1);
	snprintf(path, sizeof(path), "%s/libmicrohttpd.so.12", folder);
	ck_assert_int_eq(symlink(libc, path), 0);
	setenv("LD_LIBRARY_PATH", folder, 1);
	setup();
	write_config(HOUSE, "http: 127.0.0.1:0\n" TCP);
	ck_assert_int_eq(check_file(messages, NULL, sizeof(messages)), 0);
	ck_assert_ptr_nonnull(strstr(messages, "warning: a status page needs libmicrohttpd"));
	for (int i = 0; i < 3; i++) {
		reload();
		ck_assert_ptr_nonnull(strstr(packbridge.said, "no status page: "));
		ck_assert_ptr_nonnull(strstr(packbridge.said, "MHD_"));
	}
	teardown();
	daemon_start(&packbridge, (const char *const[]){"run", "-c", file, NULL});
	daemon_wait_for(&packbridge, "apt install libmicrohttpd12");
	daemon_wait_for(&packbridge, "house: first reading");
}
END_TEST

/* ---- what has changed is said ---- */

static const struct {
	const char *packs, *rest, *says;
} changes[] = {
	{HOUSE STORE, TCP, "2 packs, 0 banks, 1 listener; nothing has changed\n"},
	{"# a comment moves all\n" HOUSE STORE, "\n" TCP, "; nothing has changed\n"},
	{STORE HOUSE, TCP, "; nothing has changed\n"},
	{HOUSE, TCP, "1 pack, 0 banks, 1 listener; pack store removed\n"},
	{HOUSE STORE "  - {name: sun, link: 'sim:lfp-4s', unit: 3}\n", TCP, "; pack sun added\n"},
	{HOUSE "    # no more\n"
	       "  - {name: store, link: 'sim:lfp-16s,soc=40,seed=2', unit: 18, tries: 4, poll_ms: "
	       "200, limits: {hold_s: 3}}\n",
	 TCP, "; pack store changed: unit, tries, limits\n"},
	{HOUSE STORE, "alarms: {latch: true}\n" TCP,
	 "; pack house changed: alarms; pack store changed: alarms\n"},
	{HOUSE STORE,
	 "banks: [{name: all, unit: 9, packs: [house, store], topology: series}]\n" TCP,
	 "2 packs, 1 bank, 1 listener; bank all added\n"},
	{HOUSE STORE, TCP "    allow: [127.0.0.0/8]\n    max_clients: 9\n",
	 "; listener tcp 127.0.0.1:0 changed: max_clients, allow\n"},
	{HOUSE STORE, TCP "  - tcp: 127.0.0.1:0\n",
	 "2 listeners; listener tcp 127.0.0.1:0 added\n"},
	{HOUSE STORE, "listen: [{rtu-over-tcp: '127.0.0.1:0', units: [{unit: 1, pack: house}]}]\n",
	 "; listener rtu-over-tcp 127.0.0.1:0 added; listener tcp 127.0.0.1:0 removed\n"},
	{HOUSE STORE, "bluetooth: {adapters: [{name: hci0, max_connections: 2}]}\n" TCP,
	 "; bluetooth changed: adapters\n"},
	{HOUSE STORE, "http: 127.0.0.1:0\n" TCP, "; http changed: address\n"},
};

START_TEST(what_has_changed_is_said)
{
	const char *args[] = {"reload", "-s", control, NULL};
	char answer[1024];

	write_config(changes[_i].packs, changes[_i].rest);
	ck_assert_int_eq(daemon_output(answer, sizeof(answer), args), 0);
	ck_assert_msg(strstr(answer, changes[_i].says), "%s", answer);
}
END_TEST

static size_t said_count(const char *what)
{
	size_t count = 0;

	for (const char *at = packbridge.said; (at = strstr(at, what)); at++)
		count++;
	return count;
}

/* Listeners that a reload leaves as they were are said once, at the start. */
START_TEST(listeners_are_said_once)
{
	write_config(HOUSE STORE, TCP);
	reload();
	write_config(HOUSE STORE, TCP "  - tcp: 127.0.0.2:0\n");
	reload();
	daemon_wait_for(&packbridge, "Modbus TCP on 127.0.0.2:0, port ");
	ck_assert_uint_eq(said_count("Modbus TCP on "), 1);
}
END_TEST

START_TEST(banks_that_changed_are_said)
{
	const char *args[] = {"reload", "-s", control, NULL};
	char answer[1024];

	write_config(
		HOUSE STORE,
		"banks: [{name: all, unit: 9, packs: [house, store], topology: series}]\n" TCP);
	reload();
	write_config(
		STORE HOUSE,
		"banks: [{name: all, unit: 9, packs: [house, store], topology: series}]\n" TCP);
	ck_assert_int_eq(daemon_output(answer, sizeof(answer), args), 0);
	ck_assert_msg(strstr(answer, "nothing has changed"), "%s", answer);
	write_config(HOUSE STORE, "banks: [{name: all, unit: 8, packs: [house], "
				  "charge_max_a: 9}]\n" TCP);
	ck_assert_int_eq(daemon_output(answer, sizeof(answer), args), 0);
	ck_assert_msg(strstr(answer, "; bank all changed: packs, unit, topology, missing, "
				     "charge_max_a\n"),
		      "%s", answer);
}
END_TEST

/* In the foreground, without systemd's folder: said, with what to do, and the rest is there. */
START_TEST(no_folder_for_the_sockets)
{
	char text[1024];

	teardown();
	snprintf(text, sizeof(text), "control: %s\npacks:\n%s%s", control, HOUSE, TCP);
	write_over("reload.yaml", text);
	daemon_start(&packbridge, (const char *const[]){"run", "-c", file, NULL});
	daemon_wait_for(&packbridge, "no status socket, so `packbridge status` does not work: "
				     "/run/packbridge/status.sock: its folder does not exist");
	daemon_wait_for(&packbridge, "`status: PATH` in the configuration, `--socket PATH`");
	daemon_wait_for(&packbridge, "house: first reading");
}
END_TEST

START_TEST(again_and_again)
{
	modbus_t *ctx = connect_daemon();

	for (int i = 0; i < 50; i++) {
		write_config(i % 2 ? HOUSE : HOUSE STORE, TCP);
		reload();
		ck_assert_int_eq(read_one(ctx, 1, SOC), 640);
	}
	modbus_free(ctx);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("reload");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, what_has_not_changed_goes_on);
	tcase_add_test(tcase, a_pack_goes_on_polling);
	tcase_add_loop_test(tcase, each_setting_of_a_pack_counts, 0, PB_ARRAY_SIZE(settings));
	tcase_add_test(tcase, latched_alarms_stay);
	tcase_add_loop_test(tcase, what_is_wrong_changes_nothing, 0, PB_ARRAY_SIZE(wrong));
	tcase_add_test(tcase, maps_are_loaded_anew_and_writes_stay);
	tcase_add_test(tcase, listeners_come_and_go);
	tcase_add_test(tcase, the_control_socket_moves);
	tcase_add_test(tcase, a_control_socket_that_can_not_be);
	tcase_add_test(tcase, a_file_at_the_path_of_a_socket);
	tcase_add_test(tcase, several_listeners_of_port_0);
	tcase_add_test(tcase, a_listener_moves_on_its_port);
	tcase_add_test(tcase, a_port_that_another_program_has);
	tcase_add_test(tcase, page_and_listener_exchange_ports);
	tcase_add_test(tcase, a_page_moves_on_its_port);
	tcase_add_test(tcase, a_library_without_its_functions);
	tcase_add_loop_test(tcase, what_has_changed_is_said, 0, PB_ARRAY_SIZE(changes));
	tcase_add_test(tcase, banks_that_changed_are_said);
	tcase_add_test(tcase, listeners_are_said_once);
	if (access("/run/packbridge", F_OK) != 0)
		tcase_add_test(tcase, no_folder_for_the_sockets);
	tcase_add_test(tcase, again_and_again);
	return pb_run_suite("reload", tcase);
}
