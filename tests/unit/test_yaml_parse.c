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

/* @goes_on: what stands behind it is read, too */
static const struct {
	const char *text, *error;
	bool goes_on;
} errors[] = {
	{"", "f:1:1: nothing in it", false},
	{"# only a comment\n", "f:1:1: nothing in it", false},
	{"a: 1\na: 2\n", "f:2:1: key 'a' appears twice, expected once", true},
	{"a: &x 1\n", "f:1:4: an anchor, expected the value in quotes", true},
	{"a: &x [1]\n", "f:1:4: an anchor", true},
	{"a: &x {b: 1}\n", "f:1:4: an anchor", true},
	{"a: !!str 1\n", "f:1:4: a tag, expected the value in quotes", true},
	{"a: !x [1]\n", "f:1:4: a tag", true},
	{"a: !x {b: 1}\n", "f:1:4: a tag", true},
	{"!x a: 1\n", "f:1:1: a tag", true},
	{"a: *x\n", "f:1:4: an alias, expected the value in quotes", true},
	{"*x : 1\n", "f:1:1: a key that is no word", false},
	{"[a]: 1\n", "f:1:1: a key that is no word", false},
	{"{a: 1}: 1\n", "f:1:1: a key that is no word", false},
	{"a: 1\n---\nb: 2\n", "f:2:1: a second document", false},
	{"a: \"x\\0y\"\n", "f:1:4: a NUL character", true},
	{"\"a\\0b\": 1\n", "f:1:1: a NUL character", true},

	/* what tired people type */
	{"a:\n\t- 1\n", "f:2:1: a tab, expected blanks", false},
	{"a:\n  b: 1\n\tc: 2\n", "f:3:1: a tab, expected blanks", false},
	{"a:\n  b: 1\n \tc: 2\n", "f:3:2: a tab, expected blanks", false},
	{"p:\n  - a: 1\n    b: 2\n  c: 3\n", "f:4:3: indented by 2, expected 4 as in 3:5", false},
	{"p:\n  - a: 1\n      b: 2\n", "f:3:7: indented by 6, expected 4 as in 2:5", false},
	{"p:\n  - a: 1\n   b: 2\n", "f:3:4: indented by 3, expected 4 as in 2:5", false},
	{"p:\n  - a: 1\n    b: 2\n   - a: 2\n", "f:4:4: indented by 3, expected 2 as in 2:3",
	 false},
	{"p:\n  - a: 1\n\n # x\n - a: 2\n", "f:5:2: indented by 1, expected 2 as in 2:3", false},
	{"p:\n  - a: 1\n q: 2\n", "f:3:2: indented by 1, expected 0 as in 1:1", false},
	{" a: 1\nb: 2\n", "f:2:1: indented by 0, expected 1 as in 1:2", false},
	{"a: 1\n  b: 2\n", "f:2:3: indented by 2, expected 0 as in 1:1", false},
	{"a: \"x\nb: 1\n", "f:1:4: this quote is never closed", false},
	{"a: 'x\nb: 1\n", "f:1:4: this quote is never closed", false},
	{"a: \"x\nb: \"y\"\n", "f:1:4: this quote is closed in line 2 only", false},
	{"a: 'x'y\nb: 1\n", "f:1:7: text after the closing quote", false},
	{"a: b: c\n",
	 "f:1:5: a second ': ' in the line, expected a line for each key, or the value in quotes",
	 false},
	{"a:1\nb: 2\n", "f:1:3: no blank after 'a:', expected 'key: value'", false},
	{"a: 1\nb:2\n", "f:2:3: no blank after 'b:'", false},
	{"- a:1\n  b: 2\n", "f:1:5: no blank after 'a:'", false},
	{"p:\n  -a: 1\n   b: 2\n", "f:2:4: no blank after the '-'", false},
	{"a 1\nb: 2\n", "f:1:1: no ': ' in the line", false},
	{"a = 1\nb: 2\n", "f:1:1: '=' in the line", false},
	{"a: *\n", "f:1:4: '*' begins an alias, expected the value in quotes", false},
	{"a: *:502\n", "f:1:4: '*' begins an alias", false},
	{"a: &\n", "f:1:4: '&' begins an anchor", false},
	{"a: @1\n", "f:1:4: a value can't begin with '@', expected it in quotes", false},
	{"a: `1\n", "f:1:4: a value can't begin with '`'", false},
	{"a: %1\n", "f:1:4: a value can't begin with '%'", false},
	{"a: |x\n", "f:1:4: '|' and '>' begin a text of many lines", false},
	{"a: >x\n", "f:1:4: '|' and '>' begin a text of many lines", false},
	{"a: \"C:\\pw\"\n", "f:1:7: '\\' within double quotes, expected single ones", false},
	{"// x\na: 1\n", "f:1:1: no ': ' in the line, expected 'key: value', or '#'", false},
	{"a: #1\nb: 2\n", "f:1:3: '#' begins a comment, expected the value in quotes", true},
	{"a: [::]:502\n", "f:1:4: '[' begins a list, expected an address with brackets in quotes",
	 false},
	{"a: [fe80::1%eth0]:502\n", "f:1:4: '[' begins a list", false},
	{"a: [1\n", "f:1:4: this '[' has no ']'", false},
	{"p:\n  - {a: 1}}\n", "f:2:11: this '}' closes nothing, expected as many '{' before it",
	 false},
	{"p: [1, 2]]\nq: 1\n", "f:1:10: this ']' closes nothing", false},
	{"p: {a: [1]}}\n", "f:1:12: this '}' closes nothing", false},
	{"p:\n  - {a: 1}\n    b: {c: 1}\n",
	 "f:3:5: the entry above ends with its '}', expected this before it", false},
	{"p:\n  - {a: 1} \n    # x\n    b: 1\n", "f:4:5: the entry above ends with its '}'", false},
	{"a: {b: 1\nc: 2\n", "f:1:4: this '{' has no '}'", false},
	{"a:\xC2\xA0"
	 "1\nb: 2\n",
	 "f:1:3: a no-break space, expected a blank", false},
	{"a: 1\xC2\xA0\nb: 2\n", "f:1:4: a no-break space", true},
	{"\xC2\xA0"
	 "a: 1\nb: 2\n",
	 "f:1:1: a no-break space", true},
	{"a:\n  b: 1\n\xC2\xA0 c: 2\n", "f:3:1: a no-break space", true},
	{"a:\n\xC2\xA0 - b: 1\n    c: 2\n", "f:2:1: a no-break space", false},
	{"a: \xE2\x80\x9C"
	 "x\xE2\x80\x9D\n",
	 "f:1:4: a typographic quote, expected \" or '", true},
	{"a: \xE2\x80\x98x'\n", "f:1:4: a typographic quote", true},
	{"a:\n  \xE2\x80\x93 b: 1\n    c: 2\n", "f:2:3: a long dash, expected '- '", false},
	{"a\xEF\xBC\x9A"
	 "1\nb: 2\n",
	 "f:1:2: a wide colon, expected ': '", false},
	{"a: \xFF\n", "f:1:4: invalid leading UTF-8 octet, expected UTF-8 text", false},
	{"a: 1\nb: \xC3\xA4\xFC\n", "f:2:5: ", false},
};

START_TEST(refused)
{
	PB_CLEANUP(pb_yaml_freep) struct pb_yaml *root = NULL;
	struct pb_report report = {0};

	ck_assert_int_eq(parse(&root, errors[_i].text, &report), -EINVAL);
	ck_assert_int_eq(root != NULL, errors[_i].goes_on);
	ck_assert_uint_eq(report.count, 1);
	ck_assert_msg(strncmp(report.lines[0], errors[_i].error, strlen(errors[_i].error)) == 0,
		      "'%s', expected '%s'", report.lines[0], errors[_i].error);
	ck_assert_msg(strstr(report.lines[0], "expected"), "%s", report.lines[0]);
	pb_report_clear(&report);
	ck_assert_uint_eq(report.count, 0);
}
END_TEST

/* What is written so in quotes is a value. */
START_TEST(quotes_let_pass)
{
	static const char text[] =
		"a: '*x'\nb: '#1'\nc: \"\xC2\xA0\"\nd: 'x: y'\ne: '@'\nf: 'x,y'\n"
		"g: # a comment\n  - 1\n";
	PB_CLEANUP(pb_yaml_freep) struct pb_yaml *root = NULL;
	struct pb_report report = {0};

	ck_assert_int_eq(parse(&root, text, &report), 0);
	ck_assert_uint_eq(report.count, 0);
}
END_TEST

/* Lines end by CR alone, too, and text may be UTF-16: no rule looks at what is not there. */
START_TEST(other_line_ends)
{
	static const char utf16[] = "\xFF\xFE"
				    "a\0:\0 \0[\0\n\0b\0:\0\n\0";
	struct pb_yaml *root = NULL;
	struct pb_report report = {0};

	ck_assert_int_eq(parse(&root, "a: 1\r\r\r  b: 2", &report), -EINVAL);
	ck_assert_int_eq(parse(&root, "\r\r\r\r [", &report), -EINVAL);
	ck_assert_int_eq(pb_yaml_parse(&root, "f", utf16, sizeof(utf16) - 1, &report), -EINVAL);
	ck_assert_uint_eq(report.count, 3);
	pb_report_clear(&report);
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

START_TEST(report_sorted)
{
	static const char *const sorted[] = {"f:2:30: a", "f:10:4: b", "f:10:5: c", "g:1:1: d"};
	struct pb_report report = {0};

	pb_report_sort(&report);
	pb_report_add(&report, "g", 1, 1, "d");
	pb_report_add(&report, "f", 10, 5, "c");
	pb_report_add(&report, "f", 2, 30, "a");
	pb_report_add(&report, "f", 10, 4, "b");
	pb_report_sort(&report);
	for (size_t i = 0; i < PB_ARRAY_SIZE(sorted); i++)
		ck_assert_str_eq(report.lines[i], sorted[i]);
	for (int i = 0; i < PB_REPORT_MAX; i++)
		pb_report_add(&report, "a", 1, 1, "e");
	pb_report_sort(&report);
	ck_assert_ptr_nonnull(strstr(report.lines[PB_REPORT_MAX], "there are more"));
	pb_report_clear(&report);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("parse");

	tcase_add_test(tcase, tree_with_marks);
	tcase_add_loop_test(tcase, refused, 0, PB_ARRAY_SIZE(errors));
	tcase_add_test(tcase, quotes_let_pass);
	tcase_add_test(tcase, other_line_ends);
	tcase_add_test(tcase, depth);
	tcase_add_test(tcase, size);
	tcase_add_test(tcase, from_a_file);
	tcase_add_test(tcase, report_lines);
	tcase_add_test(tcase, report_sorted);
	return pb_run_suite("yaml/parse", tcase);
}
