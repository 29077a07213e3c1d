/* SPDX-License-Identifier: MIT */
/*
 * For each key of the configuration, a pair of files that differ only in that key: the difference
 * is noticed, told, and means what docs/configuration.md says. The keys come from the program's
 * tables, so a new key without a pair here fails.
 */
#include "suite.h"

#include "../../src/cli/changes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define A	"packs: [{name: a, link: 'sim:x', unit: 1}]\n"
#define PACK	"name: a, link: 'sim:x', unit: 1, "
#define CONTROL PACK "control: charge, "
#define BANK	"name: c, unit: 9, packs: [a], "
#define TCP	"tcp: '127.0.0.1:502', "
#define LINE	"rtu: /dev/ttyS1, "
#define RS485	LINE "rs485: true, "
#define ADAPTER "name: hci0, max_connections: "

enum {
	APPLIES = PB_CHANGE_APPLIES,
	RECONNECTS = PB_CHANGE_RECONNECTS,
	REOPENS = PB_CHANGE_REOPENS,
	REPLACES = PB_CHANGE_REPLACES,
};

/* Where the text of a pair stands in its file. */
static const struct {
	const char *section, *format;
} sections[] = {
	{"", "%s"},
	{"packs.", "packs:\n- {%s}\n- {name: b, link: 'sim:y', unit: 2}\n"},
	{"packs.limits.", "packs: [{" PACK "limits: {%s}}]\n"},
	{"banks.", "packs: [{" CONTROL "}, {name: b, link: 'sim:y', unit: "
		   "2}]\nbanks: [{%s}]\n"},
	{"listen.", A "listen: [{%s}]\n"},
	{"listen.units.",
	 "packs: [{name: a, link: 'sim:x', unit: 1}, {name: b, link: 'sim:y', "
	 "unit: 2}]\nbanks: [{name: c, packs: [a], unit: 9}, {name: d, packs: [b], "
	 "unit: 8}]\nlisten: [{" TCP "units: [{%s}]}]\n"},
	{"http.", A "http: {%s}\n"},
	{"history.", A "history: {%s}\n"},
	{"bluetooth.", A "bluetooth: {%s}\n"},
	{"bluetooth.adapters.", A "bluetooth: {adapters: [{%s}]}\n"},
};

static const struct pair {
	const char *key, *one, *other;
	unsigned int change;
} pairs[] = {
	/* {key, one file, another, what the change means} */
	{"packs", A, "packs: [{name: a, link: 'sim:x', unit: 2}]\n", 0},
	{"banks", A, A "banks: [{name: c, unit: 9, packs: [a]}]\n", 0},
	{"limits", A, A "limits: {hold_s: 1}\n", APPLIES},
	{"alarms", A, A "alarms: {latch: true}\n", APPLIES},
	{"bluetooth", A, A "bluetooth: {max_connections: 2}\n", 0},
	{"history", A, A "history: off\n", 0},
	{"control", A, A "control: /run/packbridge/c\n", REPLACES},
	{"status", A, A "status: /run/packbridge/c\n", REPLACES},
	{"http", A, A "http: 127.0.0.1:8502\n", 0},
	{"listen", A, A "listen: [{tcp: '127.0.0.1:502'}]\n", 0},

	{"packs.name", PACK, "name: c, link: 'sim:x', unit: 1", REPLACES},
	{"packs.link", PACK, "name: a, link: 'sim:z', unit: 1", RECONNECTS},
	{"packs.protocol", PACK, PACK "protocol: auto", RECONNECTS},
	{"packs.address", PACK, PACK "address: 2", RECONNECTS},
	{"packs.unit", PACK, "name: a, link: 'sim:x', unit: 3", APPLIES},
	{"packs.map", PACK, PACK "map: pace", APPLIES},
	{"packs.poll_ms", PACK, PACK "poll_ms: 5001", RECONNECTS},
	{"packs.gap_ms", PACK, PACK "gap_ms: 501", RECONNECTS},
	{"packs.settle_ms", PACK, PACK "settle_ms: 301", RECONNECTS},
	{"packs.reply_timeout_ms", PACK, PACK "reply_timeout_ms: 1001", RECONNECTS},
	{"packs.tries", PACK, PACK "tries: 4", RECONNECTS},
	{"packs.connect_timeout_ms", PACK, PACK "connect_timeout_ms: 20001", RECONNECTS},
	{"packs.password", "name: a, link: 'ble:name=x', unit: 1",
	 "name: a, link: 'ble:name=x', unit: 1, password: '1'", RECONNECTS},
	{"packs.password_file", "name: a, link: 'ble:name=x', unit: 1, password_file: %s",
	 "name: a, link: 'ble:name=x', unit: 1, password_file: /%s", APPLIES},
	{"packs.passkey", "name: a, link: 'ble:name=x', unit: 1",
	 "name: a, link: 'ble:name=x', unit: 1, passkey: 0", RECONNECTS},
	{"packs.chemistry", PACK, PACK "chemistry: nmc", APPLIES},
	{"packs.limits", PACK, PACK "limits: {hold_s: 1}", APPLIES},
	{"packs.alarms", PACK, PACK "alarms: {latch: true}", APPLIES},
	{"packs.control", PACK, PACK "control: charge", RECONNECTS},
	{"packs.lease_s", CONTROL, CONTROL "lease_s: 61", APPLIES},
	{"packs.lease_end", CONTROL, CONTROL "lease_end: keep", APPLIES},
	{"packs.control_min_s", CONTROL, CONTROL "control_min_s: 11", APPLIES},
	{"packs.control_per_hour", CONTROL, CONTROL "control_per_hour: 13", APPLIES},
	{"packs.pin", CONTROL "pin: '123456'", CONTROL "pin: '123457'", RECONNECTS},
	{"packs.pin_file", CONTROL "pin_file: %s", CONTROL "pin_file: /%s", APPLIES},
	/* the value of the preset, but given: it is not lengthened */
	{"packs.stale_after_s", PACK, PACK "stale_after_s: 15", RECONNECTS},

	{"packs.limits.charge_max_a", "", "charge_max_a: 10", 0},
	{"packs.limits.discharge_max_a", "", "discharge_max_a: 10", 0},
	{"packs.limits.charge_rate", "", "charge_rate: 1", 0},
	{"packs.limits.discharge_rate", "", "discharge_rate: 1", 0},
	{"packs.limits.absorption_v", "", "absorption_v: 3.451", 0},
	{"packs.limits.float_v", "", "float_v: 3.376", 0},
	{"packs.limits.empty_v", "", "empty_v: 2.901", 0},
	{"packs.limits.nominal_v", "", "nominal_v: 3.201", 0},
	{"packs.limits.float", "", "float: false", 0},
	{"packs.limits.absorption_s", "", "absorption_s: 901", 0},
	{"packs.limits.absorption_max_s", "", "absorption_max_s: 14401", 0},
	{"packs.limits.balanced_v", "", "balanced_v: 0.011", 0},
	{"packs.limits.bulk_below_percent", "", "bulk_below_percent: 80.1", 0},
	{"packs.limits.bulk_spread_v", "", "bulk_spread_v: 0.081", 0},
	{"packs.limits.cell_control", "", "cell_control: false", 0},
	{"packs.limits.by_switch", "", "by_switch: false", 0},
	{"packs.limits.by_protection", "", "by_protection: false", 0},
	{"packs.limits.charge_by_cell", "", "charge_by_cell: off", 0},
	{"packs.limits.discharge_by_cell", "discharge_by_cell: [[3, 0], [3.1, 100]]",
	 "discharge_by_cell: [[3, 0], [3.1, 99.9]]", 0},
	{"packs.limits.charge_by_temperature", "", "charge_by_temperature: off", 0},
	{"packs.limits.discharge_by_temperature", "", "discharge_by_temperature: [[0, 0]]", 0},
	{"packs.limits.charge_by_soc", "", "charge_by_soc: [[99, 50]]", 0},
	{"packs.limits.discharge_by_soc", "discharge_by_soc: [[9, 50]]",
	 "discharge_by_soc: [[9.1, 50]]", 0},
	{"packs.limits.hold_s", "", "hold_s: 31", 0},
	{"packs.limits.rise_percent_s", "", "rise_percent_s: 5.1", 0},
	{"packs.limits.charge_now_percent", "", "charge_now_percent: 9.1", 0},
	{"packs.limits.charge_soon_percent", "", "charge_soon_percent: 14.1", 0},

	{"banks.name", BANK, "name: e, unit: 9, packs: [a]", REPLACES},
	{"banks.packs", BANK, "name: c, unit: 9, packs: [b]", APPLIES},
	{"banks.unit", BANK, "name: c, unit: 10, packs: [a]", APPLIES},
	{"banks.map", BANK, BANK "map: packbridge-bank-float", APPLIES},
	{"banks.topology", BANK "missing: fault", BANK "missing: fault, topology: series", APPLIES},
	{"banks.missing", BANK, BANK "missing: fault", APPLIES},
	{"banks.charge_max_a", BANK, BANK "charge_max_a: 10", APPLIES},
	{"banks.discharge_max_a", BANK, BANK "discharge_max_a: 10", APPLIES},
	{"banks.keep_closed", BANK, BANK "keep_closed: 1", APPLIES},
	{"banks.alarms", BANK, BANK "alarms: {latch: true}", APPLIES},

	{"listen.tcp", TCP, "tcp: '127.0.0.1:503'", REPLACES},
	{"listen.rtu", LINE, "rtu: /dev/ttyS2", REPLACES},
	{"listen.rtu-over-tcp", TCP, "rtu-over-tcp: '127.0.0.1:502'", REPLACES},
	{"listen.units", TCP, TCP "units: [{unit: 1, pack: a}]", APPLIES},
	{"listen.max_clients", TCP, TCP "max_clients: 65", APPLIES},
	{"listen.allow", TCP "allow: [10.0.0.1]", TCP "allow: [10.0.0.2]", APPLIES},
	{"listen.write", TCP "write: [10.0.0.1]", TCP "write: [10.0.0.2]", APPLIES},
	{"listen.frame_timeout_ms", TCP, TCP "frame_timeout_ms: 5001", APPLIES},
	{"listen.idle_timeout_s", TCP, TCP "idle_timeout_s: 1", APPLIES},
	{"listen.baud", LINE, LINE "baud: 19200", REOPENS},
	{"listen.parity", LINE, LINE "parity: even", REOPENS},
	{"listen.data_bits", LINE, LINE "data_bits: 7", REOPENS},
	{"listen.stop_bits", LINE, LINE "stop_bits: 2", REOPENS},
	{"listen.gap_ms", LINE, LINE "gap_ms: 21", REOPENS},
	{"listen.reply_delay_ms", LINE, LINE "reply_delay_ms: 1", REOPENS},
	{"listen.rs485", LINE, RS485, REOPENS},
	{"listen.rts", RS485, RS485 "rts: low", REOPENS},
	{"listen.rts_before_ms", RS485, RS485 "rts_before_ms: 1", REOPENS},
	{"listen.rts_after_ms", RS485, RS485 "rts_after_ms: 1", REOPENS},
	{"listen.echo", LINE, LINE "echo: true", REOPENS},

	{"listen.units.unit", "unit: 1, pack: a", "unit: 2, pack: a", 0},
	{"listen.units.pack", "unit: 1, pack: a", "unit: 1, pack: b", 0},
	{"listen.units.bank", "unit: 1, bank: c", "unit: 1, bank: d", 0},
	{"listen.units.map", "unit: 1, pack: a", "unit: 1, pack: a, map: pace", 0},

	{"http.address", "address: '127.0.0.1:8502'", "address: '127.0.0.1:8503'", REPLACES},
	{"http.hosts", "address: '127.0.0.1:8502'", "address: '127.0.0.1:8502', hosts: [a.lan]",
	 APPLIES},
	{"http.allow", "address: '127.0.0.1:8502', allow: [10.0.0.1]",
	 "address: '127.0.0.1:8502', allow: [10.0.0.1, 10.0.0.2]", APPLIES},

	{"history.keep", "", "keep: false", APPLIES},
	{"history.path", "", "path: /tmp/h", APPLIES},
	{"history.interval_s", "", "interval_s: 60", APPLIES},
	{"bluetooth.max_connections", "", "max_connections: 6", APPLIES},
	{"bluetooth.power_cycle_after", "", "power_cycle_after: 1", APPLIES},
	{"bluetooth.acquire", "", "acquire: false", APPLIES},
	{"bluetooth.adapters", "", "adapters: [{" ADAPTER "3}]", APPLIES},
	{"bluetooth.adapters.name", ADAPTER "3", "name: hci1, max_connections: 3", 0},
	{"bluetooth.adapters.max_connections", ADAPTER "3", ADAPTER "4", 0},
};

static bool seen[PB_ARRAY_SIZE(pairs)];

static struct pb_config *parse(const char *text)
{
	struct pb_config *config = NULL;
	struct pb_report report = {0};
	int r = pb_config_parse(&config, "f", text, strlen(text), &report);

	ck_assert_msg(r == 0, "%s in:\n%s", report.count ? report.lines[0] : "?", text);
	return config;
}

/* @body of the section that @key stands in, as a file. */
static void write_text(const char *key, const char *body, char *out, size_t cap)
{
	const char *dot = strrchr(key, '.');
	size_t len = dot ? (size_t)(dot + 1 - key) : 0, i = 0;
	char full[512];

	while (i < PB_ARRAY_SIZE(sections) &&
	       (strlen(sections[i].section) != len || strncmp(sections[i].section, key, len) != 0))
		i++;
	ck_assert_msg(i < PB_ARRAY_SIZE(sections), "no file for keys like %s", key);
	snprintf(full, sizeof(full), "%s", body);
	snprintf(out, cap, sections[i].format, full);
}

static const struct pb_yaml_row *find_row(const struct pb_yaml_row *rows, const char *key,
					  size_t len)
{
	while (rows->key && (strlen(rows->key) != len || strncmp(rows->key, key, len) != 0))
		rows++;
	ck_assert_msg(rows->key, "no row of %s", key);
	return rows;
}

/* What @row has in a struct, to look further into it: the first item of a list. */
static const void *inside(const struct pb_yaml_row *row, const void *base)
{
	const char *at = (const char *)base + row->kept->offset;
	const void *first;

	if (row->kept->shape == PB_YAML_ONE)
		return at;
	memcpy(&first, at, sizeof(first));
	return first;
}

/* The key differs, and each list and section that it is in. @return its row */
static const struct pb_yaml_row *check_differs(const char *key, const struct pb_yaml_row *rows,
					       const void *a, const void *b)
{
	const char *rest = strchr(key, '.');
	const struct pb_yaml_row *row =
		find_row(rows, key, rest ? (size_t)(rest - key) : strlen(key));
	const struct pb_yaml_row *found = pb_yaml_differs(rows, a, b);

	while (found && found != row)
		found = pb_yaml_differs(found + 1, a, b);
	ck_assert_msg(found == row, "%s: no difference is noticed", key);
	ck_assert_uint_eq(pb_yaml_changes(rows, a, b) & row->change, row->change);
	return rest ? check_differs(rest + 1, row->kept->rows, inside(row, a), inside(row, b))
		    : row;
}

/* It is told: by its key, or that of the list or section of one pack, bank or listener. */
static void check_told(const char *key, const struct pb_config *a, const struct pb_config *b)
{
	const char *dot = strchr(key, '.');
	char *text = NULL, word[64];
	size_t len;
	FILE *out = open_memstream(&text, &len);

	changes_print(a, b, out);
	fclose(out);
	snprintf(word, sizeof(word), "%.*s", dot ? (int)strcspn(dot + 1, ".") : 0,
		 dot ? dot + 1 : "");
	ck_assert_msg(strcmp(text, "nothing has changed") != 0, "%s", key);
	ck_assert_msg(strstr(text, word) || strstr(text, "added"), "%s: %s", key, text);
	free(text);
}

static void check_same(const char *text)
{
	PB_CLEANUP(pb_config_freep) struct pb_config *a = parse(text), *b = parse(text);
	char told[64] = "";
	FILE *out = fmemopen(told, sizeof(told), "w");

	ck_assert_ptr_null(pb_yaml_differs(pb_config_file_rows(), a, b));
	ck_assert_uint_eq(pb_yaml_changes(pb_config_file_rows(), a, b), 0);
	changes_print(a, b, out);
	fclose(out);
	ck_assert_str_eq(told, "nothing has changed");
}

static void check_texts(const char *key, const char *one, const char *other, unsigned int change)
{
	PB_CLEANUP(pb_config_freep) struct pb_config *a = parse(one), *b = parse(other);
	const struct pb_yaml_row *row = check_differs(key, pb_config_file_rows(), a, b);

	ck_assert_msg(row->change == change, "%s: a change means %#x, expected %#x", key,
		      row->change, change);
	check_told(key, a, b);
	check_same(one);
	check_same(other);
}

static void check_pair(const struct pair *pair)
{
	char file[] = "/tmp/packbridge-changes-XXXXXX", format[2][512], text[2][512];
	int fd = mkstemp(file);

	ck_assert_int_eq(write(fd, "123456\n", 7), 7);
	close(fd);
	write_text(pair->key, pair->one, format[0], sizeof(format[0]));
	write_text(pair->key, pair->other, format[1], sizeof(format[1]));
	for (int i = 0; i < 2; i++) {
		const char *hole = strstr(format[i], "%s"); /* the password's file */
		int before = hole ? (int)(hole - format[i]) : (int)strlen(format[i]);

		snprintf(text[i], sizeof(text[i]), "%.*s%s%s", before, format[i], hole ? file : "",
			 hole ? hole + 2 : "");
	}
	check_texts(pair->key, text[0], text[1], pair->change);
	unlink(file);
}

/* Of the file, `limits` and `alarms` are kept in the packs, whose rows come by `packs`. */
static bool has_own_rows(const char *key)
{
	return strcmp(key, "limits") != 0 && strcmp(key, "alarms") != 0;
}

static void check_rows(const char *path, const struct pb_yaml_row *rows)
{
	for (; rows->key; rows++) {
		char key[128];
		size_t i = 0;

		snprintf(key, sizeof(key), "%s%s", path, rows->key);
		while (i < PB_ARRAY_SIZE(pairs) && strcmp(pairs[i].key, key) != 0)
			i++;
		ck_assert_msg(i < PB_ARRAY_SIZE(pairs), "no pair of files for the key %s", key);
		check_pair(&pairs[i]);
		seen[i] = true;
		if (!rows->kept || !rows->kept->rows || !has_own_rows(key))
			continue;
		strcat(key, ".");
		check_rows(key, rows->kept->rows);
	}
}

START_TEST(each_key_is_noticed)
{
	check_rows("", pb_config_file_rows());
	for (size_t i = 0; i < PB_ARRAY_SIZE(pairs); i++)
		ck_assert_msg(seen[i], "there is no key %s", pairs[i].key);
}
END_TEST

/* The keys of `alarms:` are made from the catalogue. */
START_TEST(each_alarm_is_noticed)
{
	for (int i = 0; i < PB_ALARM_COUNT; i++) {
		const char *name = pb_alarm_name((enum pb_alarm)i);
		char one[256], other[256];

		snprintf(one, sizeof(one), A "alarms: {%s: off}\n", name);
		snprintf(other, sizeof(other), A "alarms: {%s: {warning: %d, alarm: off}}\n", name,
			 i == PB_ALARM_FROZEN ? 20 : 4);
		check_texts("packs.alarms", one, other, APPLIES);
	}
	check_texts("packs.alarms", A "alarms: {soc_low: {hysteresis: 1}}\n",
		    A "alarms: {soc_low: {hysteresis: 1.1}}\n", APPLIES);
	check_texts("packs.alarms", A "alarms: {soc_low: {delay_s: 1}}\n",
		    A "alarms: {soc_low: {delay_s: 2}}\n", APPLIES);
	check_texts("packs.alarms", A "alarms: {soc_low: {alarm: 5}}\n",
		    A "alarms: {soc_low: {alarm: 6}}\n", APPLIES);
}
END_TEST

/* ---- the text ---- */

static const struct {
	const char *one, *other, *text;
} texts[] = {
	{"packs: [{name: a, link: 'sim:x', unit: 1}, {name: b, link: 'sim:y', unit: 2}]\n",
	 "packs: [{name: b, link: 'sim:y', unit: 2}, {name: a, link: 'sim:x', unit: 1}]\n",
	 "nothing has changed"},
	{"packs: [{name: a, link: 'sim:x', unit: 1}, {name: b, link: 'sim:y', unit: 2}]\n"
	 "banks: [{name: c, packs: [a, b], unit: 9}]\n",
	 "packs: [{name: b, link: 'sim:y', unit: 2}, {name: a, link: 'sim:x', unit: 1}]\n"
	 "banks: [{name: c, packs: [a, b], unit: 9}]\n",
	 "nothing has changed"},
	{A "banks: [{name: c, packs: [a], unit: 9}]\nhttp: 127.0.0.1:8502\n",
	 "packs: [{name: b, link: 'sim:x', unit: 1}]\n",
	 "pack b added; pack a removed; bank c removed; http changed: address"},
	{A "bluetooth: {acquire: false}\n", A "control: /tmp/c\nlisten: [{tcp: '*:502'}]\n",
	 "listener tcp *:502 added; listener tcp 0.0.0.0:502 removed; bluetooth changed: acquire; "
	 "control changed"},
	{A "listen: [{rtu: /dev/ttyS1, write: false}]\n",
	 A "listen: [{rtu: /dev/ttyS1, write: true}]\n", "listener rtu /dev/ttyS1 changed: write"},
	/* two of one address, as port 0 allows */
	{A "listen: [{tcp: '*:0'}, {tcp: '*:0', max_clients: 1}]\n",
	 A "listen: [{tcp: '*:0'}, {tcp: '*:0', max_clients: 2}]\n",
	 "listener tcp *:0 changed: max_clients"},
};

START_TEST(what_is_told)
{
	PB_CLEANUP(pb_config_freep) struct pb_config *one = parse(texts[_i].one);
	PB_CLEANUP(pb_config_freep) struct pb_config *other = parse(texts[_i].other);
	char text[512] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	changes_print(one, other, out);
	fclose(out);
	ck_assert_str_eq(text, texts[_i].text);
}
END_TEST

/* Many changes: the first ones, and how many there are besides. */
START_TEST(many_changes)
{
	static char text[8192], told[8192];
	PB_CLEANUP(pb_config_freep) struct pb_config *one = parse(A), *other = NULL;
	size_t len = (size_t)snprintf(text, sizeof(text), A "banks:\n");
	FILE *out = fmemopen(told, sizeof(told), "w");

	for (int i = 0; i < 35; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"- {name: b%d, packs: [a], unit: %d}\n", i, i + 2);
	other = parse(text);
	changes_print(one, other, out);
	fclose(out);
	ck_assert_msg(strstr(told, "; bank b29 added; and 5 more"), "%s", told);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("changes");

	tcase_add_test(tcase, each_key_is_noticed);
	tcase_add_test(tcase, each_alarm_is_noticed);
	tcase_add_loop_test(tcase, what_is_told, 0, PB_ARRAY_SIZE(texts));
	tcase_add_test(tcase, many_changes);
	return pb_run_suite("cli/changes", tcase);
}
