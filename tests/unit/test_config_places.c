/* SPDX-License-Identifier: MIT */
/*
 * Every error path of the configuration with its value from each place that it can come from: the
 * pack itself, `limits:` and `alarms:` of the file, a password's file, the presets. The error must
 * stand at a place of the file where something stands, whatever is missing elsewhere. (An error
 * told at a key that was not there once ended the program.)
 */
#include "packbridge/config.h"
#include "packbridge/yaml.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *text_line(const char *text, unsigned int line)
{
	while (text && --line > 0) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return text;
}

/* Each error stands in the file, at or before the end of a line. */
static void check_places(const char *text, const struct pb_report *report)
{
	for (size_t i = 0; i < report->told; i++) {
		unsigned int line = 0, col = 0;
		const char *at;

		ck_assert_msg(sscanf(report->lines[i], "f:%u:%u: ", &line, &col) == 2 && line &&
				      col,
			      "no place in '%s' of:\n%s", report->lines[i], text);
		at = text_line(text, line);
		ck_assert_msg(at && col <= strcspn(at, "\n") + 1, "'%s' is not in:\n%s",
			      report->lines[i], text);
		ck_assert_msg(strstr(report->lines[i], "expected"), "%s", report->lines[i]);
	}
}

/* @return number of errors */
static size_t parse(const char *text)
{
	struct pb_config *config = NULL;
	struct pb_report report = {0};
	int r = pb_config_parse(&config, "f", text, strlen(text), &report);
	size_t count = report.count;

	ck_assert_int_eq(r<0, count> 0);
	check_places(text, &report);
	pb_config_free(config);
	pb_report_clear(&report);
	return count;
}

/* ---- each key of each section, with each kind of wrong value ---- */

static const char *const wrong[] = {"",
				    "''",
				    "[]",
				    "[x]",
				    "{}",
				    "{x: 1}",
				    "*x",
				    "&x",
				    "!x",
				    "#1",
				    "x,y",
				    "1,5",
				    "5s",
				    "-99",
				    "99999999",
				    "1e99",
				    "\"\\0\"",
				    "'\xC2\xA0'",
				    "\xE2\x80\x9C" /* a quote */,
				    "[[1,2],[2]]",
				    "[[1, 2, 3]]",
				    "on"};

static const struct section {
	const struct pb_yaml_row *(*rows)(void);
	const char *format; /* %s: the keys */
} sections[] = {
	{pb_config_file_rows, "%s"},
	{pb_config_pack_rows, "packs:\n- %s"},
	{pb_config_limit_rows, "packs: [{name: a, link: 'sim:x', unit: 1}]\nlimits:\n  %s"},
	{pb_config_limit_rows, "packs:\n- name: a\n  unit: 1\n  link: sim:x\n  limits:\n    %s"},
	{pb_config_bank_rows, "packs: [{name: a, link: 'sim:x', unit: 1}]\nbanks:\n- %s"},
	{pb_config_listen_rows, "packs: [{name: a, link: 'sim:x', unit: 1}]\nlisten:\n- %s"},
	{pb_config_show_rows, "packs: [{name: a, link: 'sim:x', unit: 1}]\n"
			      "listen:\n- tcp: '*:502'\n  units:\n  - %s"},
	{pb_config_http_rows, "packs: [{name: a, link: 'sim:x', unit: 1}]\nhttp:\n  %s"},
	{pb_config_bluetooth_rows, "packs: [{name: a, link: 'sim:x', unit: 1}]\nbluetooth:\n  %s"},
};

/* The key alone in its section, and twice, so that whatever else an error may look at is missing.
 */
START_TEST(each_key_alone)
{
	const struct section *section = &sections[_i];

	for (const struct pb_yaml_row *row = section->rows(); row->key; row++) {
		for (size_t i = 0; i < PB_ARRAY_SIZE(wrong); i++) {
			char key[128], text[512];

			snprintf(key, sizeof(key), "%s: %s\n", row->key, wrong[i]);
			snprintf(text, sizeof(text), section->format, key);
			parse(text);
			snprintf(key, sizeof(key), "{%s: %s, %s: }\n", row->key, wrong[i],
				 row->key);
			snprintf(text, sizeof(text), section->format, key);
			parse(text);
		}
	}
}
END_TEST

/* ---- values that do not fit together, from each pair of places ---- */

struct value {
	const char *key, *text;
};

/* Each value may stand in the pack, in the file for all, or nowhere: all 3^n ways. */
static void each_way(const struct value *values, size_t count, const char *section,
		     const char *chemistry, bool bad[3])
{
	size_t ways = 1;

	for (size_t i = 0; i < count; i++)
		ways *= 3;
	for (size_t way = 0; way < ways; way++) {
		char own[256] = "", all[256] = "", text[1024];
		size_t rest = way, errors;
		bool given = false;

		for (size_t i = 0; i < count; i++, rest /= 3) {
			char *place = rest % 3 == 1 ? own : all;

			if (rest % 3 == 0)
				continue;
			given = true;
			snprintf(place + strlen(place), 128, "%s: %s, ", values[i].key,
				 values[i].text);
		}
		snprintf(text, sizeof(text),
			 "packs:\n- {name: a, link: 'sim:x', unit: 1, chemistry: %s, %s: {%s}}\n"
			 "- {name: b, link: 'sim:x', unit: 2, chemistry: %s}\n%s: {%s}\n",
			 chemistry, section, own, chemistry, section, all);
		errors = parse(text);
		if (!given)
			ck_assert_uint_eq(errors, 0);
		bad[errors > 2 ? 2 : errors] = true;
		ck_assert_msg(errors <= 2, "%zu errors of one kind in:\n%s", errors, text);
	}
}

START_TEST(limits_that_do_not_fit)
{
	static const struct value values[] = {
		{"absorption_v", "3.3"}, {"float_v", "3.4"}, {"empty_v", "3.45"}};

	for (const char *const *name = pb_chemistry_names; *name; name++) {
		bool bad[3] = {false};

		each_way(values, PB_ARRAY_SIZE(values), "limits", *name, bad);
		ck_assert(bad[0] && bad[1]);
	}
}
END_TEST

START_TEST(pairs_that_do_not_fit)
{
	static const struct value pairs[][2] = {
		{{"absorption_s", "9000"}, {"absorption_max_s", "60"}},
		{{"bulk_spread_v", "0.001"}, {"balanced_v", "1"}},
		{{"charge_now_percent", "100"}, {"charge_soon_percent", "0"}},
	};

	for (size_t i = 0; i < PB_ARRAY_SIZE(pairs); i++) {
		bool bad[3] = {false};

		each_way(pairs[i], 2, "limits", "lifepo4", bad);
		ck_assert_msg(bad[0] && bad[1], "%s", pairs[i][0].key);
	}
}
END_TEST

START_TEST(alarms_that_do_not_fit)
{
	static const char *const names[] = {"lifepo4", "nmc"};

	for (size_t i = 0; i < PB_ARRAY_SIZE(names); i++) {
		static const struct value values[] = {{"cell_high", "{warning: 4.5}"},
						      {"cell_low", "{alarm: 4.4}"},
						      {"soc_low", "{warning: 1, alarm: 2}"}};
		bool bad[3] = {false};

		each_way(values, 2, "alarms", names[i], bad);
		each_way(values + 2, 1, "alarms", names[i], bad);
		ck_assert(bad[0] && bad[1] && bad[2]);
	}
}
END_TEST

/* ---- times ---- */

START_TEST(times_from_each_place)
{
	static const char *const polls[] = {"", "poll_ms: 100, ", "poll_ms: 3600000, ",
					    "poll_ms: x, "},
				 *const gaps[] = {"", "gap_ms: 0, ", "gap_ms: 60000, ",
						  "gap_ms: x, "},
				 *const ages[] = {"", "stale_after_s: 1, ",
						  "stale_after_s: 65534, ", "stale_after_s: x, "};
	char text[256];

	for (size_t i = 0; i < 64; i++) {
		size_t wrong_ones = (size_t)((i % 4 == 3) + (i / 4 % 4 == 3) + (i / 16 == 3)),
		       errors;

		snprintf(text, sizeof(text), "packs: [{%s%s%sname: a, link: 'sim:x', unit: 1}]\n",
			 polls[i % 4], gaps[i / 4 % 4], ages[i / 16]);
		errors = parse(text);
		/* nothing follows from what is wrong itself */
		ck_assert_msg(errors >= wrong_ones && (wrong_ones == 0 || errors <= wrong_ones + 1),
			      "%zu errors in %s", errors, text);
	}
}
END_TEST

/* ---- passwords ---- */

START_TEST(passwords_from_each_place)
{
	static const char *const lines[] = {"",
					    "\n",
					    "1",
					    "123456",
					    "1234567",
					    "1234567890123456789",
					    "\xEF\xBB\xBF" /* a byte order mark */,
					    "1 2",
					    "1\x01",
					    "\xC3\xA4",
					    "1\r\n"};
	static const char *const others[] = {"",
					     "password: 1, ",
					     "password: '', ",
					     "passkey: 1, ",
					     "passkey: x, ",
					     "password: *x, "};
	static const char *const links[] = {"link: 'ble:A4:C1:38:12:34:56', ", "link: 'sim:x', ",
					    "", "link: *x, "};
	char path[] = "/tmp/packbridge-places-XXXXXX", text[512];
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	for (size_t i = 0; i < PB_ARRAY_SIZE(lines); i++) {
		ck_assert_int_eq(ftruncate(fd, 0), 0);
		ck_assert_int_ge(pwrite(fd, lines[i], strlen(lines[i]), 0), 0);
		for (size_t n = 0; n < PB_ARRAY_SIZE(others) * PB_ARRAY_SIZE(links); n++) {
			snprintf(text, sizeof(text),
				 "packs: [{%s%spassword_file: %s, name: a, unit: 1}]\n",
				 others[n / PB_ARRAY_SIZE(links)], links[n % PB_ARRAY_SIZE(links)],
				 path);
			parse(text);
		}
	}
	close(fd);
	unlink(path);
}
END_TEST

/* ---- names and units, which others refer to ---- */

/* Whoever refers to what has an error is not told of it once more. */
START_TEST(what_others_refer_to)
{
	static const char *const names[] = {"name: a, ", "name: A, ", "name: *a, ", "name: '', ",
					    ""},
				 *const units[] = {"unit: 1, ", "unit: 0, ", "unit: *a, ", ""};
	char text[512];

	for (size_t i = 0; i < PB_ARRAY_SIZE(names) * PB_ARRAY_SIZE(units); i++) {
		const char *name = names[i / PB_ARRAY_SIZE(units)];
		const char *unit = units[i % PB_ARRAY_SIZE(units)];
		size_t expected = (size_t)((name != names[0]) + (unit != units[0]));
		bool known = name == names[0] || name == names[1];

		snprintf(
			text, sizeof(text),
			"packs: [{%s%slink: 'sim:x'}]\nbanks: [{name: all, unit: 2, packs: [%s]}]\n"
			"listen: [{tcp: '*:502', units: [{unit: 1, pack: %s}]}]\n",
			name, unit, name == names[1] ? "A" : "a", name == names[1] ? "A" : "a");
		ck_assert_msg(parse(text) == expected, "expected %zu errors, known %d, in:\n%s",
			      expected, known, text);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("places");

	tcase_add_loop_test(tcase, each_key_alone, 0, PB_ARRAY_SIZE(sections));
	tcase_add_test(tcase, limits_that_do_not_fit);
	tcase_add_test(tcase, pairs_that_do_not_fit);
	tcase_add_test(tcase, alarms_that_do_not_fit);
	tcase_add_test(tcase, times_from_each_place);
	tcase_add_test(tcase, passwords_from_each_place);
	tcase_add_test(tcase, what_others_refer_to);
	return pb_run_suite("config/places", tcase);
}
