/* SPDX-License-Identifier: MIT */
#include "packbridge/config.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int parse(struct pb_config **ret, const char *text, struct pb_report *report)
{
	return pb_config_parse(ret, "test.yaml", text, strlen(text), report);
}

START_TEST(short_file)
{
	PB_CLEANUP(pb_config_freep) struct pb_config *config = NULL;
	struct pb_report report = {0};

	ck_assert_int_eq(parse(&config,
			       "packs:\n"
			       "  - name: house\n"
			       "    link: tcp:192.168.1.20:4001\n"
			       "    unit: 1\n",
			       &report),
			 0);
	ck_assert_uint_eq(config->pack_count, 1);
	ck_assert_str_eq(config->packs[0].name, "house");
	ck_assert_str_eq(config->packs[0].link, "tcp:192.168.1.20:4001");
	ck_assert_str_eq(config->packs[0].protocol, "jbd");
	ck_assert_str_eq(config->packs[0].map, "packbridge");
	ck_assert_int_eq(config->packs[0].unit, 1);
	ck_assert_uint_eq(config->packs[0].poll_ms, 5000);
	ck_assert_uint_eq(config->packs[0].gap_ms, 500);
	ck_assert_uint_eq(config->packs[0].tries, 3);
	ck_assert_uint_eq(config->packs[0].stale_after_s, 15);
	ck_assert_uint_eq(config->listen_count, 1);
	ck_assert_str_eq(config->listens[0].address, "0.0.0.0:502");
	ck_assert_uint_eq(config->listens[0].max_clients, 64);
}
END_TEST

START_TEST(short_polls_have_short_gaps)
{
	PB_CLEANUP(pb_config_freep) struct pb_config *config = NULL;
	struct pb_report report = {0};

	ck_assert_int_eq(
		parse(&config,
		      "packs:\n"
		      "  - {name: a, link: 'sim:lfp-4s', unit: 1, poll_ms: 1000}\n"
		      "  - {name: b, link: 'sim:lfp-4s', unit: 2, poll_ms: 1000, gap_ms: 500}\n",
		      &report),
		0);
	ck_assert_uint_eq(config->packs[0].gap_ms, 250);
	ck_assert_uint_eq(config->packs[1].gap_ms, 500);
}
END_TEST

START_TEST(bluetooth)
{
	PB_CLEANUP(pb_config_freep) struct pb_config *config = NULL;
	struct pb_report report = {0};

	ck_assert_int_eq(
		parse(&config,
		      "control: /tmp/control\n"
		      "bluetooth:\n"
		      "  max_connections: 4\n"
		      "  power_cycle_after: 10\n"
		      "  acquire: false\n"
		      "  adapters:\n"
		      "    - {name: hci1, max_connections: 2}\n"
		      "packs:\n"
		      "  - {name: a, link: 'ble:A4:C1:38:12:34:56', unit: 1, password: '123456'}\n"
		      "  - {name: b, link: 'ble:A4:C1:38:12:34:57', unit: 2, passkey: 7}\n"
		      "  - {name: c, link: 'ble:name=JBD-*@hci1', unit: 3, protocol: auto}\n",
		      &report),
		0);
	ck_assert_str_eq(config->sockets[PB_SOCKET_CONTROL].path, "/tmp/control");
	ck_assert_str_eq(config->sockets[PB_SOCKET_STATUS].path, "/run/packbridge/status.sock");
	ck_assert_uint_eq(config->bluetooth.max_connections, 4);
	ck_assert_uint_eq(config->bluetooth.power_cycle_after, 10);
	ck_assert(!config->bluetooth.acquire);
	ck_assert_uint_eq(config->bluetooth.adapter_count, 1);
	ck_assert_str_eq(config->bluetooth.adapters[0].name, "hci1");
	ck_assert_uint_eq(config->bluetooth.adapters[0].max_connections, 2);
	ck_assert_str_eq(config->packs[0].password, "123456");
	ck_assert_int_eq(config->packs[0].passkey, -1);
	ck_assert_int_eq(config->packs[1].passkey, 7);
	ck_assert_str_eq(config->packs[2].protocol, "auto");
}
END_TEST

START_TEST(long_file)
{
	PB_CLEANUP(pb_config_freep) struct pb_config *config = NULL;
	struct pb_report report = {0};

	ck_assert_int_eq(
		parse(&config,
		      "packs:\n"
		      "  - {name: a, link: 'sim:lfp-4s', unit: 1, poll_ms: 20000}\n"
		      "  - {name: b, link: 'sim:lfp-4s', unit: 247, stale_after_s: 60,\n"
		      "     map: other, protocol: jbd, gap_ms: 0, tries: 1}\n"
		      "listen:\n"
		      "  - tcp: 127.0.0.1:1502\n"
		      "  - {tcp: '[::]:502', max_clients: 8, allow: [10.0.0.0/8, fd00::1],\n"
		      "     idle_timeout_s: 600}\n"
		      "  - {rtu: /dev/ttyS0, baud: 19200, parity: even, stop_bits: 2, echo: "
		      "true,\n     rts: low, rts_after_ms: 3}\n",
		      &report),
		0);
	ck_assert_uint_eq(config->packs[0].stale_after_s, 60); /* three polls */
	ck_assert_str_eq(config->packs[1].map, "other");
	ck_assert_uint_eq(config->packs[1].gap_ms, 0);
	ck_assert(!config->packs[0].stale_fixed);
	ck_assert(config->packs[1].stale_fixed);
	ck_assert_uint_eq(config->packs[1].link_mark.line, 3);
	ck_assert_uint_eq(config->packs[1].map_mark.line, 4);
	ck_assert_uint_eq(config->listen_count, 3);
	ck_assert_uint_eq(config->listens[0].allow_count, 0);
	ck_assert_uint_eq(config->listens[0].frame_timeout_ms, 5000);
	ck_assert_uint_eq(config->listens[1].allow_count, 2);
	ck_assert_str_eq(config->listens[1].allow[0], "10.0.0.0/8");
	ck_assert_str_eq(config->listens[1].allow[1], "fd00::1");
	ck_assert_uint_eq(config->listens[1].idle_timeout_s, 600);
	ck_assert_str_eq(config->listens[2].address, "/dev/ttyS0");
	ck_assert_uint_eq(config->listens[2].baud, 19200);
	ck_assert_int_eq(config->listens[2].parity, PB_PARITY_EVEN);
	ck_assert_uint_eq(config->listens[2].stop_bits, 2);
	ck_assert(config->listens[2].echo && !config->listens[2].rs485);
	ck_assert_int_eq(config->listens[2].rts, PB_RTS_LOW);
	ck_assert_uint_eq(config->listens[2].rts_after_ms, 3);
	ck_assert_uint_eq(config->listens[2].rts_before_ms, 0);
	ck_assert_uint_eq(config->listens[1].max_clients, 8);
	ck_assert_uint_eq(config->listens[1].mark.line, 7);
}
END_TEST

START_TEST(views)
{
	PB_CLEANUP(pb_config_freep) struct pb_config *config = NULL;
	struct pb_report report = {0};

	ck_assert_int_eq(parse(&config,
			       "listen:\n"
			       "  - tcp: '*:502'\n"
			       "  - rtu-over-tcp: '*:4001'\n"
			       "    units:\n"
			       "      - {unit: 1, pack: b, map: growatt}\n"
			       "      - {unit: 2, pack: b}\n"
			       "  - {rtu: /dev/ttyS0, gap_ms: 5, units: [{unit: 1, pack: a}]}\n"
			       "packs:\n"
			       "  - {name: a, link: 'sim:lfp-4s', unit: 1}\n"
			       "  - {name: b, link: 'sim:lfp-4s', unit: 2, map: other}\n",
			       &report),
			 0);
	ck_assert_uint_eq(config->listens[0].unit_count, 0);
	ck_assert_int_eq(config->listens[1].kind, PB_LISTEN_RTU_TCP);
	ck_assert_str_eq(config->listens[1].address, "*:4001");
	ck_assert_uint_eq(config->listens[1].gap_ms, 100);
	ck_assert_uint_eq(config->listens[1].unit_count, 2);
	ck_assert_int_eq(config->listens[1].units[0].unit, 1);
	ck_assert_uint_eq(config->listens[1].units[0].index, 1);
	ck_assert_str_eq(config->listens[1].units[0].map, "growatt");
	ck_assert_uint_eq(config->listens[1].units[0].map_mark.line, 5);
	ck_assert_str_eq(config->listens[1].units[1].map, "other"); /* the pack's own */
	ck_assert_int_eq(config->listens[2].kind, PB_LISTEN_RTU);
	ck_assert_uint_eq(config->listens[2].gap_ms, 5);
	ck_assert_uint_eq(config->listens[2].units[0].index, 0);
}
END_TEST

#define GOOD "packs:\n  - {name: a, link: 'tcp:[::1]:1', unit: 1}\n"

static const struct {
	const char *text;
	const char *where; /* line and column of the error */
	const char *says;  /* part of it */
	size_t count;
} errors[] = {
	{"", "", "mapping", 1},
	{"packs: 1\n", "1:8", "list", 1},
	{"packs: []\n", "1:8", "list", 1},
	{"listen:\n  - tcp: 127.0.0.1:1502\n", "1:1", "packs", 1},
	{GOOD "pack: 1\n", "3:1", "packs", 1},
	{GOOD "listen:\n  - {max_clients: 3}\n", "4:5", "neither tcp nor rtu", 1},
	{GOOD "listen:\n  - {tcp: '*:502', rtu: /dev/ttyS0}\n", "4:5", "several of", 1},
	{GOOD "listen:\n  - {rtu: /dev/ttyS0, parity: both}\n", "4:31", "even", 1},
	{GOOD "listen:\n  - {tcp: '*:502', baud: 9600}\n", "4:26", "rtu with it", 1},
	{GOOD "listen:\n  - {rtu: /dev/ttyS0, allow: [a]}\n", "4:30", "tcp with it", 1},
	{GOOD "listen:\n  - {tcp: '*:502', units: 3}\n", "4:27", "list", 1},
	{GOOD "listen:\n  - {tcp: '*:502', units: [{unit: 1}]}\n", "4:28", "pack", 1},
	{GOOD "listen:\n  - {tcp: '*:502', units: [{unit: 1, pack: aa}]}\n", "4:44", "'a' perhaps",
	 1},
	{GOOD "listen:\n  - {tcp: '*:502', units: [{unit: 1, pack: zzz}]}\n", "4:44", "`packs:`",
	 1},
	{GOOD "listen:\n  - {tcp: '*:502', units: [{unit: 1, pack: a}, {unit: 1, pack: a}]}\n",
	 "4:55", "already belongs to", 1},
	{"packs:\n  - {name: a, link: 'sim:x', unit: 1, pol_ms: 5}\n", "2:39", "poll_ms", 1},
	{"packs:\n  - {name: A b, link: 'sim:x', unit: 1}\n", "2:12", "a-z", 1},
	{"packs:\n  - {name: a, link: 'sim:x', unit: 248}\n", "2:36", "247", 1},
	{"packs:\n  - {name: a, link: 'sim:x', unit: 0}\n", "2:36", "1", 1},
	{"packs:\n  - {name: a, link: 'sim:x', unit: one}\n", "2:36", "number", 1},
	{"packs:\n  - {name: a, link: 'sim:x', unit: 1, poll_ms: 50}\n", "2:48", "100", 1},
	{"packs:\n  - {name: a, link: 'sim:x', unit: 1, stale_after_s: 5}\n", "2:54", "poll", 1},
	{"packs:\n  - {name: a, link: 'sim:x', unit: 1, gap_ms: 60000, poll_ms: 1000}\n", "2:47",
	 "half of stale_after_s (15 s)", 1},
	{"packs:\n  - {name: a, unit: 1}\n", "2:5", "link", 1},
	/* keys of another section, and what people do to numbers */
	{GOOD "poll_ms: 5000\n", "3:1", "expected it in `packs:`", 1},
	{"packs: [{name: a, unit: 1, link: 'sim:x', charge_max_a: 3}]\n", "1:43",
	 "it in `banks:` or in `limits:`", 1},
	{GOOD "listen: [{tcp: '*:502', max_connections: 3}]\n", "3:25", "it in `bluetooth:`", 1},
	{GOOD "alarms: {float_v: 3}\n", "3:10", "expected it in `limits:`", 1},
	{GOOD "limits: {soc_low: {alarm: 3}}\n", "3:10", "expected it in `alarms:`", 1},
	{GOOD "limits: {http: '*:80'}\n", "3:10", "expected it without an indent", 1},
	{GOOD "limits: {charge_max_a: 3,55}\n", "3:26", "a decimal point", 1},
	{GOOD "limits:\n  charge_max_a: 3,55\n", "4:17", "numbers have a point: 3.55", 1},
	{GOOD "limits:\n  charge_max_a: 100A\n", "4:17", "the number alone, without 'A'", 1},
	{GOOD "limits:\n  hold_s: 3,000\n", "4:11", "without a separator: 3000", 1},
	{GOOD "limits:\n  hold_s: 30s\n", "4:11", "the number alone, without 's'", 1},
	{GOOD "limits: {charge_by_cell: [[3,45, 100]]}\n", "3:27", "with decimal points", 1},
	{GOOD "alarms: {soc_low: {warning:20}}\n", "3:20", "a blank after the ':'", 1},
	{GOOD "alarms: {soc_low: {warning=20}}\n", "3:20", "': ' instead of '='", 1},
	{GOOD "alarms: {soc_low: 20}\n", "3:19", "{warning: ..., alarm: ...}", 1},
	{"packs:\n  - {name: a, link: sim:x,soc=50, unit: 1}\n", "2:27", "quotes around", 1},
	{"packs:\n  - {name: a, link: 'sim:x', slave: 1}\n", "2:5", "no 'unit'", 2},
	{"packs: [{name: a, link: 'sim:x', unit: 1, interval: 1}]\n", "1:43", "'poll_ms' perhaps",
	 1},
	{"packs: [{name: a, link: 'sim:x', unit: 1, baud: 9600}]\n", "1:43", "serial:DEVICE@BAUD",
	 1},
	{GOOD "listen: [{tcp: '*:502', allow: 10.0.0.0/8}]\n", "3:32", "[10.0.0.0/8]", 1},
	{GOOD "banks: [{name: b, unit: 2, packs: a}]\n", "3:35", "names of packs: [a]", 1},
	{"packs:\n- name: a\n  link: sim:x\n  unit: 1,\n", "4:9", "without the ','", 1},
	{"packs:\n  - name:a\n", "2:5", "a blank after the ':'", 1},
	{GOOD "  - {name: a, link: 'tcp:[::1]:2', unit: 2}\n", "3:12", "taken", 1},
	{GOOD "  - {name: b, link: 'tcp:[::1]:2', unit: 1}\n", "3:42", "'a'", 1},
	{GOOD "  - {name: b, link: 'tcp:[::1]:2', unit: 300}\n"
	      "  - {name: c, link: 'tcp:[::1]:3', unit: 400}\n"
	      "  - {name: C, link: 'tcp:[::1]:4', unit: 3}\n",
	 "3:42", "247", 3},
	{GOOD "bluetooth: {adapters: [{name: hci0, max_connections: 1}, {name: hci0, "
	      "max_connections: 2}]}\n",
	 "3:65", "appears twice, expected another adapter", 1},
	/* all of them, and none that follows from another */
	{"packs:\n"
	 "  - {name: A, unit: 300, poll_ms: 5s, stale_after_s: 3, link: sim:x, unit: 2}\n"
	 "  - {link: *x, unit: 1, password: abcdefghi, chemistry: lfp}\n"
	 "banks:\n"
	 "  - {name: A, packs: [B, b], unit: 300, alarms: {soc_low: 3}}\n"
	 "listen:\n"
	 "  - {tpc: '*:502', units: [{unit: 0, pack: A}]}\n"
	 "limits: {hold_s: x}\n",
	 "2:70", "appears twice", 14},
};

START_TEST(each_error_has_its_place)
{
	struct pb_config *config = NULL;
	struct pb_report report = {0};
	char where[64];

	ck_assert_int_lt(parse(&config, errors[_i].text, &report), 0);
	ck_assert_ptr_null(config);
	ck_assert_uint_eq(report.count, errors[_i].count);
	snprintf(where, sizeof(where), "test.yaml:%s", errors[_i].where);
	ck_assert_msg(strncmp(report.lines[0], where, strlen(where)) == 0, "%s, expected at %s",
		      report.lines[0], where);
	ck_assert_msg(strstr(report.lines[0], errors[_i].says), "%s, expected '%s'",
		      report.lines[0], errors[_i].says);
	pb_report_clear(&report);
}
END_TEST

START_TEST(missing_file)
{
	struct pb_config *config = NULL;
	struct pb_report report = {0};

	ck_assert_int_lt(pb_config_load(&config, "/nonexistent/packbridge.yaml", &report), 0);
	ck_assert_uint_eq(report.count, 1);
	ck_assert_ptr_nonnull(strstr(report.lines[0], "No such file"));
	pb_report_clear(&report);
}
END_TEST

/* What may stand in a password's file; @says NULL: it is good. */
static const struct {
	const char *bytes;
	size_t len;
	const char *says;
} password_files[] = {
#define BYTES(text) text, sizeof(text) - 1
	{BYTES("123456"), NULL},
	{BYTES("123456\n"), NULL},
	{BYTES("1\r\nsecond line"), NULL},
	{BYTES(""), "a password of 0 characters"},
	{BYTES("\n123456\n"), "a password of 0 characters"},
	{BYTES("\r\n"), "a password of 0 characters"},
	{BYTES("1234567"), "a password of 7 characters"}, /* 7 to 15 once crashed */
	{BYTES("123456789012345"), "a password of 15 characters"},
	{BYTES("1234567890123456\n"), "a password of 16 characters"},
	{BYTES("12345 \n"), "a blank as character 6"},
	{BYTES(" 12345\n"), "a blank as character 1"},
	{BYTES("1234\t\n"), "a control character as character 5"},
	{BYTES("1234\0\n"), "a control character as character 5"},
	{BYTES("\0\0\0\0\0\0\0\0\0"), "a password of 9 characters"},
	{BYTES("123\xC3\xA4"), "a foreign character as character 4"},
	{BYTES("\xEF\xBB\xBF"
	       "123456\n"),
	 "byte order mark"},
	{BYTES("\xFF\xFE"
	       "1\0"),
	 "a foreign character as character 1"},
};

static int parse_pack(struct pb_report *report, struct pb_config **ret, const char *keys)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "packs: [{name: a, link: 'ble:A4:C1:38:12:34:56', unit: 1, %s}]\n", keys);
	return parse(ret, text, report);
}

START_TEST(a_password_from_a_file)
{
	PB_CLEANUP(pb_config_freep) struct pb_config *config = NULL;
	struct pb_report report = {0};
	char path[] = "/tmp/packbridge-password-XXXXXX", keys[96];
	const char *says = password_files[_i].says;
	int fd = mkstemp(path), r;

	ck_assert_int_eq(write(fd, password_files[_i].bytes, password_files[_i].len),
			 (ssize_t)password_files[_i].len);
	close(fd);
	snprintf(keys, sizeof(keys), "password_file: %s", path);
	r = parse_pack(&report, &config, keys);
	unlink(path);
	ck_assert_int_eq(r, says ? -EINVAL : 0);
	ck_assert_uint_eq(report.count, says ? 1 : 0);
	if (says)
		ck_assert_msg(strncmp(report.lines[0], "test.yaml:1:74: ", 16) == 0 &&
				      strstr(report.lines[0], says),
			      "%s, expected '%s'", report.lines[0], says);
	pb_report_clear(&report);
}
END_TEST

/* Every way that a password can be wrong, at the key that it came from. */
static const struct {
	const char *keys, *where, *says;
} passwords[] = {
	{"password: '1234567'", "1:69: ", "7 characters"},
	{"password: \"12345\\n\"", "1:69: ", "control character"},
	{"password: '12 34'", "1:69: ", "a blank as character 3"},
	{"password: \"123\\x7f\"", "1:69: ", "a foreign character as character 4"},
	{"password: '123', password_file: /dev/null", "1:91: ", "one of them"},
	{"password_file: /dev/urandom", "1:74: ", "is a device"},
	{"password_file: /dev/null", "1:74: ", "is a device"},
	{"password_file: /", "1:74: ", "is a folder"},
	{"password_file: /nowhere/at/all", "1:74: ", "No such file"},
	{"password_file: /proc/self/environ", "1:74: ", " expected "},
	{"password_file: /proc/self/exe", "1:74: ", "has more than 4096 bytes"},
};

START_TEST(a_wrong_password)
{
	struct pb_config *config = NULL;
	struct pb_report report = {0};
	char where[32];

	snprintf(where, sizeof(where), "test.yaml:%s", passwords[_i].where);
	ck_assert_int_lt(parse_pack(&report, &config, passwords[_i].keys), 0);
	ck_assert_uint_eq(report.count, 1);
	ck_assert_msg(strncmp(report.lines[0], where, strlen(where)) == 0 &&
			      strstr(report.lines[0], passwords[_i].says),
		      "%s, expected at %s '%s'", report.lines[0], where, passwords[_i].says);
	pb_report_clear(&report);
}
END_TEST

/* Files as long as they may be, full of one mistake. @text: with the number of the line. */
static const struct {
	const char *head, *text, *tail;
	size_t count; /* of errors; 0: more than are told */
	const char *says;
} many[] = {
	{GOOD, "k%u: 1\n", "", 0, "unknown key"},
	{GOOD "x: {", "k%u: 1,", "}\n", 1, "unknown key"},
	{GOOD "listen: [{", "k%u: 1,", "}]\n", 0, "unknown key"},
	{GOOD "limits: {", "k%u: 1,", "}\n", 0, "unknown key"},
	{"packs:\n", "- {name: p, link: 'sim:x', unit: 1} # %u\n", "", 1, "247 in all"},
	{GOOD "banks:\n", "- {name: p%u, unit: 2, packs: [a]}\n", "", 1, "247 in all"},
	{GOOD "listen:\n", "- {tcp: '127.0.0.1:%u'}\n", "", 1, "at most 100"},
	{GOOD "listen: [{tcp: '127.0.0.1:5', allow: [", "'%u/99',", "]}]\n", 1, "at most 1000"},
	{GOOD "listen: [{tcp: '127.0.0.1:5', units: [", "{unit: 1, pack: b%u},", "]}]\n", 1,
	 "at most 247"},
	{GOOD "bluetooth: {adapters: [", "{name: hci%u, max_connections: 3},", "]}\n", 1,
	 "at most 64"},
	{GOOD "limits: {charge_by_cell: [", "[3, %u],", "]}\n", 1, "points"},
};

/* What is not told takes no time either: with all pairs looked at, each took from 10 s on. */
START_TEST(a_file_full_of_mistakes)
{
	enum { SIZE = 1 << 20 };
	struct pb_config *config = NULL;
	struct pb_report report = {0};
	char *text = malloc(SIZE + 1);
	size_t len = (size_t)sprintf(text, "%s", many[_i].head), room = SIZE - 100;
	clock_t start = clock();

	for (unsigned int i = 0; len < room; i++)
		len += (size_t)sprintf(text + len, many[_i].text, i);
	strcpy(text + len, many[_i].tail);
	ck_assert_int_lt(pb_config_parse(&config, "test.yaml", text, strlen(text), &report), 0);
	ck_assert_double_lt((double)(clock() - start) / CLOCKS_PER_SEC, 8);
	ck_assert_msg(strstr(report.lines[0], many[_i].says), "%s", report.lines[0]);
	if (many[_i].count) {
		ck_assert_uint_eq(report.count, many[_i].count);
	} else {
		ck_assert_uint_gt(report.count, 1000);
		ck_assert_uint_eq(report.told, PB_REPORT_MAX + 1);
		ck_assert_ptr_nonnull(strstr(report.lines[PB_REPORT_MAX], "there are more"));
	}
	pb_report_clear(&report);
	free(text);
}
END_TEST

/* As many as there may be, each with the same unit: one error each. */
START_TEST(each_collision_is_told_once)
{
	struct pb_config *config = NULL;
	struct pb_report report = {0};
	char text[16384] = "packs:\n";
	size_t len = strlen(text);

	for (int i = 0; i < 247; i++)
		len += (size_t)sprintf(text + len, "- {name: p%d, link: 'sim:x', unit: 7}\n", i);
	ck_assert_int_lt(parse(&config, text, &report), 0);
	ck_assert_uint_eq(report.count, 246);
	ck_assert_uint_eq(report.told, PB_REPORT_MAX + 1);
	pb_report_clear(&report);
}
END_TEST

/* The sample has each key, or says where the rest is. */
START_TEST(the_sample_has_each_key)
{
	const struct pb_yaml_row *(*const sections[])(void) = {
		pb_config_file_rows,	  pb_config_pack_rows, pb_config_bank_rows,
		pb_config_listen_rows,	  pb_config_show_rows, pb_config_http_rows,
		pb_config_bluetooth_rows,
	};
	char *text = NULL, why[160], key[64];
	size_t len;

	ck_assert_int_eq(pb_file_read(PB_SOURCE_DIR "/etc/packbridge.yaml", 100000, &text, &len,
				      why, sizeof(why)),
			 0);
	ck_assert_ptr_nonnull(strstr(text, "man packbridge.yaml"));
	for (size_t i = 0; i < PB_ARRAY_SIZE(sections); i++) {
		for (const struct pb_yaml_row *row = sections[i](); row->key; row++) {
			snprintf(key, sizeof(key), "%s: ", row->key);
			if (!strstr(text, key)) /* a section */
				snprintf(key, sizeof(key), "%s:\n", row->key);
			ck_assert_msg(strstr(text, key), "the sample has no '%s'", row->key);
		}
	}
	free(text);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("load");

	tcase_add_test(tcase, short_file);
	tcase_add_test(tcase, short_polls_have_short_gaps);
	tcase_add_test(tcase, bluetooth);
	tcase_add_test(tcase, long_file);
	tcase_add_test(tcase, views);
	tcase_add_loop_test(tcase, each_error_has_its_place, 0, PB_ARRAY_SIZE(errors));
	tcase_add_test(tcase, missing_file);
	tcase_add_loop_test(tcase, a_password_from_a_file, 0, PB_ARRAY_SIZE(password_files));
	tcase_add_loop_test(tcase, a_file_full_of_mistakes, 0, PB_ARRAY_SIZE(many));
	tcase_add_test(tcase, each_collision_is_told_once);
	tcase_add_loop_test(tcase, a_wrong_password, 0, PB_ARRAY_SIZE(passwords));
	tcase_add_test(tcase, the_sample_has_each_key);
	return pb_run_suite("config/load", tcase);
}
