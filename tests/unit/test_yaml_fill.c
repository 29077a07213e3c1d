/* SPDX-License-Identifier: MIT */
#include "packbridge/yaml.h"
#include "suite.h"

#include <errno.h>
#include <string.h>

struct thing {
	char name[8];
	int64_t wide;
	int32_t number;
	uint32_t natural;
	uint16_t port;
	uint8_t unit;
	bool on;
	int color;
	const struct pb_yaml *list;
};

#define THING(member) offsetof(struct thing, member), sizeof(((struct thing *)0)->member)

static const char *const colors[] = {"red", "green", "blue", NULL};

/* clang-format off */
static const struct pb_yaml_row rows[] = {
	{"name", PB_YAML_TEXT, THING(name), .required = true, .doc = "a name"},
	{"wide", PB_YAML_INT, THING(wide), .min = INT64_MIN, .max = INT64_MAX, .doc = "a number"},
	{"number", PB_YAML_INT, THING(number), .min = -5, .max = 500, .preset = "7", .doc = "a number"},
	{"natural", PB_YAML_INT, THING(natural), .max = UINT32_MAX, .doc = "a number"},
	{"port", PB_YAML_INT, THING(port), .max = 65535, .doc = "a number"},
	{"unit", PB_YAML_INT, THING(unit), .max = 255, .doc = "a number"},
	{"on", PB_YAML_BOOL, THING(on), .preset = "yes", .doc = "a switch"},
	{"color", PB_YAML_ENUM, THING(color), .words = colors, .preset = "green", .doc = "a color"},
	{"list", PB_YAML_NODE, THING(list), .doc = "a list"},
	{0},
};
/* clang-format on */

static int fill(const char *text, struct thing *thing, struct pb_report *report)
{
	PB_CLEANUP(pb_yaml_freep) struct pb_yaml *root = NULL;

	ck_assert_int_eq(pb_yaml_parse(&root, "f", text, strlen(text), report), 0);
	return pb_yaml_fill(root, rows, thing, report);
}

START_TEST(all_types)
{
	static const char text[] = "name: house\nwide: -9223372036854775808\nnumber: 0x10\n"
				   "natural: 4294967295\nport: 502\nunit: 247\non: off\n"
				   "color: blue\nlist: [1]\n";
	struct thing thing = {0};
	struct pb_report report = {0};

	ck_assert_int_eq(fill(text, &thing, &report), 0);
	ck_assert_str_eq(thing.name, "house");
	ck_assert(thing.wide == INT64_MIN);
	ck_assert_int_eq(thing.number, 16);
	ck_assert_uint_eq(thing.natural, UINT32_MAX);
	ck_assert_uint_eq(thing.port, 502);
	ck_assert_uint_eq(thing.unit, 247);
	ck_assert(!thing.on);
	ck_assert_int_eq(thing.color, 2);
	ck_assert_ptr_nonnull(thing.list);
}
END_TEST

START_TEST(presets)
{
	struct thing thing = {.port = 99};
	struct pb_report report = {0};

	ck_assert_int_eq(fill("name: x\n", &thing, &report), 0);
	ck_assert_int_eq(thing.number, 7);
	ck_assert(thing.on);
	ck_assert_int_eq(thing.color, 1);
	ck_assert_uint_eq(thing.port, 99); /* no preset: as it was */
	ck_assert_ptr_null(thing.list);
}
END_TEST

static const struct {
	const char *text, *error;
} errors[] = {
	{"number: 1\n", "f:1:1: no 'name', expected a name"},
	{"name:\n", "f:1:6: name '', expected a value"},
	{"name: 12345678\n",
	 "f:1:7: name '12345678', expected a shorter one: at most 7 characters"},
	{"name: [x]\n", "f:1:7: name, expected a single value"},
	{"name: x\nnumber: 501\n", "f:2:9: number '501', expected a whole number from -5 to 500"},
	{"name: x\nnumber: 1.5\n", "f:2:9: number '1.5', expected a whole number from -5 to 500"},
	{"name: x\nunit: 256\n", "f:2:7: unit '256', expected a whole number from 0 to 255"},
	{"name: x\non: maybe\n", "f:2:5: on 'maybe', expected true or false"},
	{"name: x\ncolor: pink\n", "f:2:8: color 'pink', expected one of red, green, blue"},
	{"nmae: x\nname: y\n", "f:1:1: unknown key 'nmae', expected 'name' perhaps"},
	{"name: y\nsomething-else: x\n",
	 "f:2:1: unknown key 'something-else', expected one of: name, wide, number, natural, port, "
	 "unit, on, color, list"},
	{"- name\n", "f:1:1: a list, expected a mapping (lines of 'key: value')"},
	{"name\n", "f:1:1: a single value, expected a mapping (lines of 'key: value')"},
};

START_TEST(refused)
{
	struct thing thing = {0};
	struct pb_report report = {0};

	ck_assert_int_eq(fill(errors[_i].text, &thing, &report), -EINVAL);
	ck_assert_uint_eq(report.count, 1);
	ck_assert_str_eq(report.lines[0], errors[_i].error);
	pb_report_clear(&report);
}
END_TEST

START_TEST(all_at_once)
{
	struct thing thing = {0};
	struct pb_report report = {0};

	ck_assert_int_eq(fill("nubmer: 1\nunit: -1\non: 2\ncolor: x\n", &thing, &report), -EINVAL);
	ck_assert_uint_eq(report.count, 5);
	pb_report_clear(&report);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("fill");

	tcase_add_test(tcase, all_types);
	tcase_add_test(tcase, presets);
	tcase_add_loop_test(tcase, refused, 0, PB_ARRAY_SIZE(errors));
	tcase_add_test(tcase, all_at_once);
	return pb_run_suite("yaml/fill", tcase);
}
