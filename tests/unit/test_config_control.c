/* SPDX-License-Identifier: MIT */
/* Who may switch a pack, and how: keys of packs, banks and listeners, and their errors. */
#include "packbridge/config.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PACK   "packs: [{name: a, link: 'sim:lfp-4s', unit: 1, "
#define CHARGE PACK "control: charge, "
#define PLAIN  "packs: [{name: a, link: 'sim:lfp-4s', unit: 1}]\n"

static struct pb_config *load(const char *text)
{
	struct pb_config *config = NULL;
	struct pb_report report = {0};
	int r = pb_config_parse(&config, "t", text, strlen(text), &report);

	ck_assert_msg(r == 0, "%s", report.count ? report.lines[0] : "no error");
	return config;
}

START_TEST(nobody_may_by_default)
{
	PB_CLEANUP(pb_config_freep)
	struct pb_config *config = load(PLAIN "listen: [{tcp: '*:502'}, {rtu: /dev/ttyS0}]\n"
					      "banks: [{name: all, packs: [a], unit: 9}]\n");
	const struct pb_control_setup *control = &config->packs[0].control;

	ck_assert_int_eq(control->mode, PB_CONTROL_OFF);
	ck_assert_uint_eq(control->lease_s, 60);
	ck_assert_int_eq(control->lease_end, PB_LEASE_RELEASE);
	ck_assert_uint_eq(control->min_s, 10);
	ck_assert_uint_eq(control->per_hour, 12);
	ck_assert_str_eq(config->packs[0].pin, "");
	ck_assert_uint_eq(config->banks[0].keep_closed, 0);
	ck_assert_uint_eq(config->listens[0].write_count, 0);
	ck_assert(!config->listens[1].write_line);
}
END_TEST

START_TEST(all_keys)
{
	PB_CLEANUP(pb_config_freep)
	struct pb_config *config = load(
		"packs:\n"
		"  - {name: a, link: 'sim:lfp-4s', unit: 1, control: charge+discharge, lease_s: "
		"0,\n"
		"     lease_end: keep, control_min_s: 0, control_per_hour: 60, pin: '098765'}\n"
		"  - {name: b, link: 'sim:lfp-4s', unit: 2, control: charge, lease_s: 65534}\n"
		"banks: [{name: all, packs: [a, b], unit: 9, keep_closed: 2}]\n"
		"listen:\n"
		"  - {tcp: '*:502', write: [192.168.1.20, 10.0.0.0/8]}\n"
		"  - {rtu-over-tcp: '*:503', write: ['::1']}\n"
		"  - {rtu: /dev/ttyS0, write: true}\n"
		"  - {rtu: /dev/ttyS1, write: no}\n");
	const struct pb_pack_config *pack = config->packs;
	const struct pb_listen_config *listen = config->listens;

	ck_assert_int_eq(pack[0].control.mode, PB_CONTROL_BOTH);
	ck_assert_uint_eq(pack[0].control.lease_s, 0);
	ck_assert_int_eq(pack[0].control.lease_end, PB_LEASE_KEEP);
	ck_assert_uint_eq(pack[0].control.min_s, 0);
	ck_assert_uint_eq(pack[0].control.per_hour, 60);
	ck_assert_str_eq(pack[0].pin, "098765");
	ck_assert_int_eq(pack[1].control.mode, PB_CONTROL_CHARGE);
	ck_assert_uint_eq(pack[1].control.lease_s, 65534);
	ck_assert_uint_eq(config->banks[0].keep_closed, 2);
	ck_assert_uint_eq(listen[0].write_count, 2);
	ck_assert_str_eq(listen[0].write[0], "192.168.1.20");
	ck_assert_str_eq(listen[0].write[1], "10.0.0.0/8");
	ck_assert_uint_eq(listen[0].write_marks[1].line, 7);
	ck_assert_str_eq(listen[1].write[0], "::1");
	ck_assert(listen[2].write_line);
	ck_assert(!listen[3].write_line);
}
END_TEST

/* Control is switched off for a while with one word: nothing else need change. */
START_TEST(off_for_a_while)
{
	PB_CLEANUP(pb_config_freep)
	struct pb_config *config =
		load(PACK "control: off, lease_s: 5, pin: '123456'}]\n"
			  "banks: [{name: all, packs: [a], unit: 9, keep_closed: 1}]\n");

	ck_assert_int_eq(config->packs[0].control.mode, PB_CONTROL_OFF);
}
END_TEST

static const struct {
	const char *text, *where, *says;
} errors[] = {
	/* values */
	{PACK "control: both}]\n", "1:57", "charge+discharge"},
	{PACK "control: discharge}]\n", "1:57", "charge+discharge"},
	{CHARGE "lease_s: 65535}]\n", "1:74", "65534"},
	{CHARGE "lease_s: -1}]\n", "1:74", "0"},
	{CHARGE "lease_s: 10m}]\n", "1:74", "number"},
	{CHARGE "lease_end: open}]\n", "1:76", "keep"},
	{CHARGE "control_min_s: 3601}]\n", "1:80", "3600"},
	{CHARGE "control_per_hour: 1}]\n", "1:83", "2 to 60"},
	/* keys without what they belong to */
	{PACK "lease_s: 60}]\n", "1:57", "lease_s has no effect without control"},
	{PACK "lease_end: keep}]\n", "1:59", "without control"},
	{PACK "control_min_s: 5}]\n", "1:63", "without control"},
	{PACK "control_per_hour: 5}]\n", "1:66", "without control"},
	{PACK "pin: '123456'}]\n", "1:53", "pin has no effect without control"},
	{PACK "pin: '12'}]\n", "1:53", "2 digits"}, /* one error is enough for one value */
	{PLAIN "banks: [{name: all, packs: [a], unit: 9, keep_closed: 1}]\n", "2:55",
	 "no pack of the bank has control"},
	{CHARGE "}]\nbanks: [{name: all, packs: [a], unit: 9, keep_closed: 2}]\n", "2:55",
	 "keep_closed 2, expected at most 1, the bank's packs"},
	/* pins */
	{CHARGE "pin: '12345'}]\n", "1:70", "a pin of 5 digits, expected 6 digits"},
	{CHARGE "pin: '1234567'}]\n", "1:70", "a pin of 7 digits"},
	{CHARGE "pin: '12345678'}]\n", "1:70", "a shorter one"},
	{CHARGE "pin: '12a456'}]\n", "1:70", "character 3 is no digit"},
	{CHARGE "pin: '123456', pin_file: /dev/null}]\n", "1:90", "pin and pin_file, expected one"},
	{CHARGE "pin_file: /nowhere}]\n", "1:75", "expected a regular file with a pin"},
	/* who may */
	{PLAIN "listen: [{tcp: '*:502', write: true}]\n", "2:32", "a list of networks"},
	{PLAIN "listen: [{tcp: '*:502', write: 10.0.0.0/8}]\n", "2:32", "[10.0.0.0/8]"},
	{PLAIN "listen: [{tcp: '*:502', write: []}]\n", "2:32", "list"},
	{PLAIN "listen: [{tcp: '*:502', write: [[1]]}]\n", "2:33", "networks like"},
	{PLAIN "listen: [{rtu: /dev/ttyS0, write: [10.0.0.0/8]}]\n", "2:35", "true or false"},
	{PLAIN "listen: [{rtu: /dev/ttyS0, write: maybe}]\n", "2:35", "true or false"},
	{PLAIN "write: [10.0.0.0/8]\n", "2:1", "it in `listen:`"},
};

START_TEST(each_error_has_its_place)
{
	struct pb_config *config = NULL;
	struct pb_report report = {0};
	const char *text = errors[_i].text;
	char where[64];

	ck_assert_int_lt(pb_config_parse(&config, "t", text, strlen(text), &report), 0);
	ck_assert_uint_eq(report.count, 1);
	snprintf(where, sizeof(where), "t:%s: ", errors[_i].where);
	ck_assert_msg(strncmp(report.lines[0], where, strlen(where)) == 0 &&
			      strstr(report.lines[0], errors[_i].says),
		      "%s, expected at %s '%s'", report.lines[0], where, errors[_i].says);
	/* a secret is in no message */
	ck_assert_ptr_null(strstr(report.lines[0], "12a456"));
	ck_assert_ptr_null(strstr(report.lines[0], "1234567"));
	pb_report_clear(&report);
}
END_TEST

static const struct {
	const char *bytes, *says; /* NULL: it is good */
} pin_files[] = {
	{"123456", NULL},
	{"123456\r\nmore\n", NULL},
	{"", "a pin of 0 digits"},
	{"1234567890123456789\n", "a pin of 19 digits"},
	{"12345 \n", "character 6 is no digit"},
	{"\xEF\xBB\xBF"
	 "123456\n",
	 "byte order mark"},
};

START_TEST(a_pin_from_a_file)
{
	struct pb_config *config = NULL;
	struct pb_report report = {0};
	char path[] = "/tmp/packbridge-pin-XXXXXX", text[256];
	const char *bytes = pin_files[_i].bytes, *says = pin_files[_i].says;
	int fd = mkstemp(path), r;

	ck_assert_int_eq(write(fd, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
	close(fd);
	snprintf(text, sizeof(text), CHARGE "pin_file: %s}]\n", path);
	r = pb_config_parse(&config, "t", text, strlen(text), &report);
	unlink(path);
	ck_assert_int_eq(r, says ? -EINVAL : 0);
	if (says)
		ck_assert_msg(strncmp(report.lines[0], "t:1:75: ", 8) == 0 &&
				      strstr(report.lines[0], says),
			      "%s, expected '%s'", report.lines[0], says);
	else
		ck_assert_str_eq(config->packs[0].pin, "123456");
	pb_config_free(config);
	pb_report_clear(&report);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("control");

	tcase_add_test(tcase, nobody_may_by_default);
	tcase_add_test(tcase, all_keys);
	tcase_add_test(tcase, off_for_a_while);
	tcase_add_loop_test(tcase, each_error_has_its_place, 0, PB_ARRAY_SIZE(errors));
	tcase_add_loop_test(tcase, a_pin_from_a_file, 0, PB_ARRAY_SIZE(pin_files));
	return pb_run_suite("config/control", tcase);
}
