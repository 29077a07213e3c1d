/* SPDX-License-Identifier: MIT */
#include "packbridge/yaml.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int parse(struct pb_yaml **ret, const char *text, struct pb_report *report)
{
	return pb_yaml_parse(ret, "f", text, strlen(text), report);
}

START_TEST(tree_with_marks)
{
	static const char text[] = "# a comment\n"
				   "name: house\n"
				   "empty:\n"
				   "list:\n"
				   "  - 1\n"
				   "  - {a: 'x y', b: \"\"}\n";
	PB_CLEANUP(pb_yaml_freep) struct pb_yaml *root = NULL;
	struct pb_report report = {0};
	const struct pb_yaml *list, *item;

	ck_assert_int_eq(parse(&root, text, &report), 0);
	ck_assert_uint_eq(report.count, 0);
	ck_assert_int_eq(root->type, PB_YAML_MAPPING);
	ck_assert_str_eq(root->file, "f");
	ck_assert_uint_eq(pb_yaml_count(root), 3);
	ck_assert_str_eq(pb_yaml_get(root, "name")->text, "house");
	ck_assert_uint_eq(pb_yaml_get(root, "name")->line, 2);
	ck_assert_uint_eq(pb_yaml_get(root, "name")->col, 7);
	ck_assert_uint_eq(pb_yaml_get(root, "name")->key_col, 1);
	ck_assert(!pb_yaml_get(root, "name")->quoted);
	ck_assert_str_eq(pb_yaml_get(root, "empty")->text, "");
	ck_assert_ptr_null(pb_yaml_get(root, "nothing"));
	ck_assert_ptr_null(pb_yaml_get(NULL, "name"));

	list = pb_yaml_get(root, "list");
	ck_assert_int_eq(list->type, PB_YAML_SEQUENCE);
	ck_assert_uint_eq(pb_yaml_count(list), 2);
	ck_assert_ptr_null(pb_yaml_get(list, "a"));
	ck_assert_str_eq(list->child->text, "1");
	item = list->child->next;
	ck_assert_uint_eq(item->line, 6);
	ck_assert_uint_eq(item->col, 5);
	ck_assert_str_eq(pb_yaml_get(item, "a")->text, "x y");
	ck_assert(pb_yaml_get(item, "a")->quoted);
	ck_assert_uint_eq(pb_yaml_get(item, "a")->col, 9);
	ck_assert_uint_eq(pb_yaml_get(item, "b")->key_col, 16);
}
END_TEST

static const struct {
	const char *text, *error;
} errors[] = {
	{"", "f:1:1: nothing in it"},
	{"# only a comment\n", "f:1:1: nothing in it"},
	{"a: 1\na: 2\n", "f:2:1: key 'a' stands twice"},
	{"a: &x 1\n", "f:1:4: an anchor"},
	{"a: &x [1]\n", "f:1:4: an anchor"},
	{"a: &x {b: 1}\n", "f:1:4: an anchor"},
	{"a: !!str 1\n", "f:1:4: an anchor or tag"},
	{"a: !x [1]\n", "f:1:4: an anchor or tag"},
	{"a: !x {b: 1}\n", "f:1:4: an anchor or tag"},
	{"!x a: 1\n", "f:1:1: "},
	{"a: *x\n", "f:1:4: an alias"},
	{"*x : 1\n", "f:1:1: a key that is no word"},
	{"[a]: 1\n", "f:1:1: a key that is no word"},
	{"{a: 1}: 1\n", "f:1:1: a key that is no word"},
	{"a: 1\n---\nb: 2\n", "f:2:1: a second document"},
	{"a: \"x\\0y\"\n", "f:1:4: a NUL character"},
	{"\"a\\0b\": 1\n", "f:1:1: a NUL character"},
	{"a: [1\n", "f:2:1: "},
	{"a: 1\n  b: 2\n", "f:2:4: "},
	{"a:\n\t- 1\n", "f:2:1: "},
	{"a: \xFF\n", "f: "},
};

START_TEST(refused)
{
	struct pb_yaml *root = NULL;
	struct pb_report report = {0};

	ck_assert_int_eq(parse(&root, errors[_i].text, &report), -EINVAL);
	ck_assert_ptr_null(root);
	ck_assert_uint_eq(report.count, 1);
	ck_assert_msg(strncmp(report.lines[0], errors[_i].error, strlen(errors[_i].error)) == 0,
		      "'%s', expected '%s'", report.lines[0], errors[_i].error);
	ck_assert_msg(strstr(report.lines[0], "expected"), "%s", report.lines[0]);
	pb_report_clear(&report);
	ck_assert_uint_eq(report.count, 0);
}
END_TEST

static int parse_nested(int depth, struct pb_report *report)
{
	PB_CLEANUP(pb_yaml_freep) struct pb_yaml *root = NULL;
	char text[128];

	memset(text, '[', (size_t)depth);
	memset(text + depth, ']', (size_t)depth);
	return pb_yaml_parse(&root, "f", text, 2 * (size_t)depth, report);
}

START_TEST(depth)
{
	struct pb_report report = {0};

	ck_assert_int_eq(parse_nested(32, &report), 0);
	ck_assert_int_eq(parse_nested(33, &report), -EINVAL);
	ck_assert_str_eq(report.lines[0], "f:1:33: nested too deep, expected at most 32 levels");
	pb_report_clear(&report);
}
END_TEST

START_TEST(size)
{
	const size_t limit = 1 << 20;
	PB_CLEANUP(pb_yaml_freep) struct pb_yaml *root = NULL;
	struct pb_report report = {0};
	char *text = malloc(limit + 1);

	ck_assert_ptr_nonnull(text);
	memset(text, ' ', limit + 1);
	memcpy(text, "a: 1\n", 5);
	ck_assert_int_eq(pb_yaml_parse(&root, "f", text, limit, &report), 0);
	root = pb_yaml_free(root);
	ck_assert_ptr_null(root);
	ck_assert_int_eq(pb_yaml_parse(&root, "f", text, limit + 1, &report), -EINVAL);
	ck_assert_str_eq(report.lines[0], "f: 1048577 bytes, expected at most 1 MiB");
	pb_report_clear(&report);
	free(text);
}
END_TEST

START_TEST(from_a_file)
{
	PB_CLEANUP(pb_yaml_freep) struct pb_yaml *root = NULL;
	struct pb_report report = {0};
	char path[] = "test_yaml_parse.XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "a: 1\n", 5), 5);
	close(fd);
	ck_assert_int_eq(pb_yaml_load(&root, path, &report), 0);
	ck_assert_str_eq(root->file, path);
	unlink(path);
	root = pb_yaml_free(root);

	ck_assert_int_eq(pb_yaml_load(&root, path, &report), -ENOENT);
	ck_assert_int_eq(pb_yaml_load(&root, ".", &report), -EISDIR);
	ck_assert_uint_eq(report.count, 2);
	ck_assert_ptr_nonnull(strstr(report.lines[0], "No such file"));
	pb_report_clear(&report);
}
END_TEST

START_TEST(report_lines)
{
	struct pb_report report = {0};
	char text[64] = "";
	FILE *stream = fmemopen(text, sizeof(text), "w");

	ck_assert_ptr_nonnull(stream);
	pb_report_add(&report, "f", 3, 4, "%s %d", "bad", 5);
	pb_report_add(&report, "f", 0, 0, "worse");
	pb_report_print(&report, stream);
	fclose(stream);
	ck_assert_str_eq(text, "f:3:4: bad 5\nf: worse\n");
	pb_report_clear(&report);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("parse");

	tcase_add_test(tcase, tree_with_marks);
	tcase_add_loop_test(tcase, refused, 0, PB_ARRAY_SIZE(errors));
	tcase_add_test(tcase, depth);
	tcase_add_test(tcase, size);
	tcase_add_test(tcase, from_a_file);
	tcase_add_test(tcase, report_lines);
	return pb_run_suite("yaml/parse", tcase);
}
