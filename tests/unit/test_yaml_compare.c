/* SPDX-License-Identifier: MIT */
/* Two structs are compared through their rows, wherever these say that the values are. */
#include "packbridge/yaml.h"
#include "suite.h"

#include <string.h>

struct item {
	char name[8];
	uint8_t unit; /* and padding behind it */
	int32_t number;
};

struct thing {
	struct item own;
	int32_t number;
	uint32_t no_key;
	struct item *items;
	size_t item_count;
	char **texts;
	size_t text_count;
};

#define ITEM(member)  offsetof(struct item, member), sizeof(((struct item *)0)->member)
#define THING(member) offsetof(struct thing, member), sizeof(((struct thing *)0)->member)

static const struct pb_yaml_row item_rows[] = {
	{"name", PB_YAML_TEXT, ITEM(name), .change = 1},
	{"unit", PB_YAML_INT, ITEM(unit), .change = 2},
	{"number", PB_YAML_INT, ITEM(number), .change = 4},
	{0},
};

static const struct pb_yaml_kept own = {.offset = offsetof(struct thing, own), .rows = item_rows};
static const struct pb_yaml_kept items = {
	.shape = PB_YAML_ITEMS,
	.offset = offsetof(struct thing, items),
	.size = sizeof(struct item),
	.count = offsetof(struct thing, item_count),
	.rows = item_rows,
};
static const struct pb_yaml_kept texts = {
	.shape = PB_YAML_TEXTS,
	.offset = offsetof(struct thing, texts),
	.count = offsetof(struct thing, text_count),
};

static const struct pb_yaml_row rows[] = {
	{"own", PB_YAML_NODE, 0, 0, .kept = &own, .change = 1},
	{"number", PB_YAML_INT, THING(number), .change = 2},
	{"items", PB_YAML_NODE, 0, 0, .kept = &items, .change = 4},
	{"texts", PB_YAML_NODE, 0, 0, .kept = &texts, .change = 8},
	{0},
};

static struct thing a, b;
static struct item of_a[2], of_b[2];
static char *words_a[2], *words_b[2];

static void setup(void)
{
	static char one[] = "one", two[] = "two", also_one[] = "one", also_two[] = "two";

	memset(of_a, 0, sizeof(of_a));
	memset(of_b, 0xFF, sizeof(of_b)); /* what lies between and behind values is nothing */
	for (int i = 0; i < 2; i++) {
		strcpy(of_a[i].name, "x");
		strcpy(of_b[i].name, "x");
		of_a[i].unit = of_b[i].unit = 7;
		of_a[i].number = of_b[i].number = i;
	}
	words_a[0] = one;
	words_a[1] = two;
	words_b[0] = also_one;
	words_b[1] = also_two;
	a = (struct thing){of_a[0], 5, 1, of_a, 2, words_a, 2};
	b = (struct thing){of_b[0], 5, 2, of_b, 2, words_b, 2};
}

static void check_differs(const char *key, unsigned int changes)
{
	const struct pb_yaml_row *found = pb_yaml_differs(rows, &a, &b);

	ck_assert_ptr_nonnull(found);
	ck_assert_str_eq(found->key, key);
	ck_assert_uint_eq(pb_yaml_changes(rows, &a, &b), changes);
	ck_assert_ptr_eq(pb_yaml_differs(rows, &b, &a), found);
	setup();
}

START_TEST(equal_values)
{
	ck_assert_ptr_null(pb_yaml_differs(rows, &a, &b));
	ck_assert_uint_eq(pb_yaml_changes(rows, &a, &b), 0);
	a.item_count = b.item_count = a.text_count = b.text_count = 0;
	a.items = NULL;
	b.texts = NULL;
	ck_assert_ptr_null(pb_yaml_differs(rows, &a, &b));
}
END_TEST

START_TEST(each_kind_of_value)
{
	b.own.name[1] = 'y';
	check_differs("own", 1);
	b.own.number++;
	check_differs("own", 1);
	b.number++;
	check_differs("number", 2);
	b.items[1].unit = 8;
	check_differs("items", 4);
	b.item_count = 1;
	check_differs("items", 4);
	b.item_count = 0;
	check_differs("items", 4);
	words_b[1] = words_a[0];
	check_differs("texts", 8);
	b.text_count = 1;
	check_differs("texts", 8);
}
END_TEST

/* All that differ, one after the other. */
START_TEST(several_at_once)
{
	b.own.unit++;
	b.text_count = 1;
	ck_assert_uint_eq(pb_yaml_changes(rows, &a, &b), 9);
	ck_assert_str_eq(pb_yaml_differs(rows + 1, &a, &b)->key, "texts");
	b.number++;
	b.items++;
	ck_assert_uint_eq(pb_yaml_changes(rows, &a, &b), 15);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("compare");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, equal_values);
	tcase_add_test(tcase, each_kind_of_value);
	tcase_add_test(tcase, several_at_once);
	return pb_run_suite("yaml/compare", tcase);
}
