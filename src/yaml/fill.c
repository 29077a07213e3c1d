/* SPDX-License-Identifier: MIT */
/*
 * Fills a struct from a mapping, by rows:
 *
 *	each row     ── fill_preset(): its default, or an error if it is required and missing
 *	each member  ── find_row() ──▶ fill_member(): type and range, then its place in the struct
 *	                └─ no row ──▶ unknown_key(): an error with the nearest known key
 */
#include "report.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

void pb_yaml_error(struct pb_report *report, const struct pb_yaml *node, const char *format, ...)
{
	static const struct pb_yaml nowhere = {.file = "configuration"};
	va_list args;

	if (!node)
		node = &nowhere;
	if (node->type == PB_YAML_SCALAR && node->line && pb_yaml_told(report, node))
		return;
	va_start(args, format);
	report_add(report, node->file, node->line, node->col, format, args);
	va_end(args);
}

bool pb_yaml_told(const struct pb_report *report, const struct pb_yaml *node)
{
	char place[PATH_MAX];
	size_t len = (size_t)snprintf(place, sizeof(place), "%s:%u:%u: ", node->file, node->line,
				      node->col);

	for (size_t i = 0; len < sizeof(place) && i < report->told; i++)
		if (strncmp(report->lines[i], place, len) == 0)
			return true;
	return false;
}

static const struct pb_yaml_row *find_row(const struct pb_yaml_row *rows, const char *key)
{
	for (; rows->key; rows++)
		if (strcmp(rows->key, key) == 0)
			return rows;
	return NULL;
}

enum { ROWS_MAX = 64 };

/* @keys: room for ROWS_MAX and a NULL. */
static void list_keys(const struct pb_yaml_row *rows, const char **keys, char *all, size_t cap)
{
	size_t count = 0, at = 0;

	*all = '\0';
	for (; rows[count].key; count++) {
		assert(count < ROWS_MAX);
		keys[count] = rows[count].key;
		if (at < cap)
			at += (size_t)snprintf(all + at, cap - at, "%s%s", count ? ", " : "",
					       rows[count].key);
	}
	keys[count] = NULL;
}

/* "warning:20" and "warning=20", as YAML reads them in braces */
static bool lacks_blank(const struct pb_yaml_row *rows, const char *key)
{
	size_t len = strcspn(key, ":=");

	for (; key[len] && rows->key; rows++)
		if (strlen(rows->key) == len && strncmp(rows->key, key, len) == 0)
			return true;
	return false;
}

static bool is_number(const char *text)
{
	return *text && !text[strspn(text, "0123456789")];
}

/*
 * What people do that ends in a key that is none; NULL: a wrong word.
 * @before: the member before it, or NULL.
 */
static const char *slip(const struct pb_yaml *node, const struct pb_yaml *member,
			const struct pb_yaml *before, const struct pb_yaml_row *rows)
{
	bool alone = member->type == PB_YAML_SCALAR && !member->quoted && !*member->text;

	if (lacks_blank(rows, member->key))
		return member->key[strcspn(member->key, ":=")] == '=' ? "': ' instead of '='"
								      : "a blank after the ':'";
	if (!node->flow || !alone || !before || before->type != PB_YAML_SCALAR)
		return NULL;
	if (is_number(member->key) && isdigit((unsigned char)before->text[0]))
		return "a decimal point, since a comma ends the value";
	return "quotes around a value that has a comma";
}

static void unknown_key(const struct pb_yaml *node, const struct pb_yaml *member,
			const struct pb_yaml *before, const struct pb_yaml_row *rows,
			struct pb_report *report)
{
	const char *keys[ROWS_MAX + 1], *why = slip(node, member, before, rows), *near = NULL;
	char all[512], other[120] = "", text[600];

	if (pb_report_is_full(report)) {
		report->count++;
		return;
	}
	list_keys(rows, keys, all, sizeof(all));
	if (!why && report->elsewhere)
		report->elsewhere(member->key, other, sizeof(other));
	if (!why && !*other)
		near = pb_nearest(member->key, keys);
	if (why)
		snprintf(text, sizeof(text), "%s", why);
	else if (*other)
		snprintf(text, sizeof(text), "%s", other);
	else if (near)
		snprintf(text, sizeof(text), "'%s' perhaps", near);
	else
		snprintf(text, sizeof(text), "one of: %s", all);
	pb_report_add(report, member->file, member->key_line, member->key_col,
		      "unknown key '%s', expected %s", member->key, text);
}

/* The unit that stands behind a number ("5s"), or "": nothing that looks like one. */
static const char *unit_behind(const char *text)
{
	const char *unit = text + strspn(text, "0123456789.,-+ ");

	return isdigit((unsigned char)*text) && (isalpha((unsigned char)*unit) || *unit == '%') &&
			       !isdigit((unsigned char)unit[1]) && text[1] != 'x'
		       ? unit
		       : "";
}

/* What people do to numbers, as the end of an error; @whole: it has no fraction. */
static void number_slip(const char *text, bool whole, char *out, size_t cap)
{
	const char *unit = unit_behind(text);
	size_t digits = strspn(text + (*text == '-'), "0123456789") + (*text == '-');
	size_t rest = text[digits] ? strspn(text + digits + 1, "0123456789") : 0;
	bool two = digits && rest && !text[digits + 1 + rest];

	*out = '\0';
	if (*text && strchr(",;", text[strlen(text) - 1]))
		snprintf(out, cap, "; without the '%c' after it", text[strlen(text) - 1]);
	else if (*unit)
		snprintf(out, cap, "; the number alone, without '%s'", unit);
	else if (two && strchr(whole ? ".,'" : "'", text[digits]) && rest == 3)
		snprintf(out, cap, "; without a separator: %.*s%s", (int)digits, text,
			 text + digits + 1);
	else if (two && !whole && text[digits] == ',')
		snprintf(out, cap, "; numbers have a point: %.*s.%s", (int)digits, text,
			 text + digits + 1);
}

static void store_int(void *p, size_t size, int64_t value)
{
	switch (size) {
	case 1:
		*(uint8_t *)p = (uint8_t)value;
		break;
	case 2:
		*(uint16_t *)p = (uint16_t)value;
		break;
	case 4:
		*(uint32_t *)p = (uint32_t)value;
		break;
	default:
		assert(size == 8);
		*(int64_t *)p = value;
	}
}

/* One error text, when the value is wrong; NULL when it is stored. */
static const char *fill_int(const struct pb_yaml_row *row, const char *text, void *p)
{
	int64_t value;

	if (pb_int_parse(text, row->min, row->max, &value) < 0)
		return "a whole number";
	store_int(p, row->size, value);
	return NULL;
}

int pb_yaml_bool(const char *text, bool *ret)
{
	static const char *const yes[] = {"true", "yes", "on"}, *const no[] = {"false", "no",
									       "off"};

	for (size_t i = 0; text && i < PB_ARRAY_SIZE(yes); i++) {
		if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
			*ret = strcmp(text, yes[i]) == 0;
			return 0;
		}
	}
	return -EINVAL;
}

static const char *fill_text(const struct pb_yaml_row *row, const char *text, void *p)
{
	size_t len = strlen(text);

	if (len == 0)
		return "a value";
	if (len >= row->size)
		return "a shorter one";
	memcpy(p, text, len + 1);
	return NULL;
}

static int find_word(const char *const *words, const char *text)
{
	for (int i = 0; words[i]; i++)
		if (strcmp(words[i], text) == 0)
			return i;
	return -1;
}

static const char *fill_enum(const struct pb_yaml_row *row, const char *text, void *p)
{
	int word = find_word(row->words, text);

	if (word < 0)
		return "one of";
	store_int(p, row->size, word);
	return NULL;
}

/* "3.45" for 3450 with factor 1000; @factor: a power of ten up to 10^6 */
static void print_decimal(int64_t value, int64_t factor, char *out, size_t cap)
{
	uint64_t size = value < 0 ? -(uint64_t)value : (uint64_t)value;
	unsigned int part = (unsigned int)(size % (uint64_t)factor * (1000000 / (uint64_t)factor));

	snprintf(out, cap, "%s%llu.%06u", value < 0 ? "-" : "",
		 (unsigned long long)(size / (uint64_t)factor), part % 1000000);
	for (char *end = out + strlen(out) - 1; *end == '0' || *end == '.'; end--) {
		bool point = *end == '.';

		*end = '\0';
		if (point)
			break;
	}
}

/* @note: what the number is of, for the error; "" */
static int fill_decimal(const struct pb_yaml *node, const char *what, const char *note,
			int64_t factor, int64_t min, int64_t max, int64_t *ret,
			struct pb_report *report)
{
	int64_t num, den, value;
	const char *text = node->type == PB_YAML_SCALAR ? node->text : "...";
	char least[40], most[40], step[40], hint[80];

	if (node->type == PB_YAML_SCALAR && pb_ratio_parse(node->text, &num, &den) == 0 &&
	    num <= INT64_MAX / factor && num >= INT64_MIN / factor && num * factor % den == 0) {
		value = num * factor / den;
		if (value >= min && value <= max) {
			*ret = value;
			return 0;
		}
	}
	print_decimal(min, factor, least, sizeof(least));
	print_decimal(max, factor, most, sizeof(most));
	print_decimal(1, factor, step, sizeof(step));
	number_slip(text, false, hint, sizeof(hint));
	pb_yaml_error(report, node, "%s '%s', expected a number from %s to %s in steps of %s%s%s",
		      what, text, least, most, step, hint, note);
	return -EINVAL;
}

int pb_yaml_decimal(const struct pb_yaml *node, const char *what, int64_t factor, int64_t min,
		    int64_t max, int64_t *ret, struct pb_report *report)
{
	return fill_decimal(node, what, "", factor, min, max, ret, report);
}

static const char *fill_scalar(const struct pb_yaml_row *row, const char *text, void *p)
{
	switch (row->type) {
	case PB_YAML_TEXT:
		return fill_text(row, text, p);
	case PB_YAML_INT:
		return fill_int(row, text, p);
	case PB_YAML_BOOL:
		return pb_yaml_bool(text, p) < 0 ? "true or false" : NULL;
	case PB_YAML_ENUM:
		return fill_enum(row, text, p);
	case PB_YAML_DECIMAL:
	case PB_YAML_NODE:
		break;
	}
	return NULL;
}

static void value_error(const struct pb_yaml_row *row, const struct pb_yaml *member,
			const char *expected, struct pb_report *report)
{
	const char *text = row->secret ? "(not shown)" : member->text;
	char words[256] = "", hint[80];
	size_t at = 0;

	if (row->type == PB_YAML_INT) {
		number_slip(text, true, hint, sizeof(hint));
		pb_yaml_error(report, member, "%s '%s', expected %s from %lld to %lld%s", row->key,
			      text, expected, (long long)row->min, (long long)row->max, hint);
		return;
	}
	if (row->type == PB_YAML_TEXT && member->text[0]) {
		pb_yaml_error(report, member, "%s '%s', expected %s: at most %zu characters",
			      row->key, text, expected, row->size - 1);
		return;
	}
	for (int i = 0; row->type == PB_YAML_ENUM && row->words[i] && at < sizeof(words); i++)
		at += (size_t)snprintf(words + at, sizeof(words) - at, "%s %s", i ? "," : "",
				       row->words[i]);
	pb_yaml_error(report, member, "%s '%s', expected %s%s", row->key, text, expected, words);
}

static void fill_member(const struct pb_yaml_row *row, const struct pb_yaml *member, void *ret,
			struct pb_report *report)
{
	char *p = (char *)ret + row->offset;
	const char *expected;

	if (member->type == PB_YAML_SCALAR && pb_yaml_told(report, member))
		return;
	if (row->type == PB_YAML_NODE) {
		*(const struct pb_yaml **)(void *)p = member;
		return;
	}
	if (row->type == PB_YAML_DECIMAL) {
		int64_t value;

		if (fill_decimal(member, row->key, row->note ? row->note : "", row->factor,
				 row->min, row->max, &value, report) == 0)
			store_int(p, row->size, value);
		return;
	}
	if (member->type != PB_YAML_SCALAR) {
		pb_yaml_error(report, member, "%s, expected a single value", row->key);
		return;
	}
	expected = fill_scalar(row, member->text, p);
	if (expected)
		value_error(row, member, expected, report);
}

/* A preset may lie outside the range: a value that no file can give says "not given". */
static void fill_preset(const struct pb_yaml_row *row, void *ret)
{
	struct pb_yaml_row any = *row;
	const char *expected;

	any.min = INT64_MIN;
	any.max = INT64_MAX;
	expected = fill_scalar(&any, row->preset, (char *)ret + row->offset);
	assert(!expected &&
	       row->type != PB_YAML_DECIMAL); /* a preset is ours and must be well formed */
	(void)expected;
}

int pb_yaml_fill(const struct pb_yaml *node, const struct pb_yaml_row *rows, void *ret,
		 struct pb_report *report)
{
	const struct pb_yaml *last = NULL;
	size_t before = report->count;

	if (node->type != PB_YAML_MAPPING) {
		bool blank = node->type == PB_YAML_SCALAR && lacks_blank(rows, node->text);

		pb_yaml_error(report, node, "a %s, expected %s",
			      node->type == PB_YAML_SCALAR ? "single value" : "list",
			      blank ? "a blank after the ':'"
				    : "a mapping (lines of 'key: value')");
		return -EINVAL;
	}
	for (const struct pb_yaml_row *row = rows; row->key; row++) {
		if (row->preset)
			fill_preset(row, ret);
		if (row->required && !pb_yaml_get(node, row->key))
			pb_yaml_error(report, node, "no '%s', expected %s", row->key, row->doc);
	}
	for (const struct pb_yaml *member = node->child; member; member = member->next) {
		const struct pb_yaml_row *row = find_row(rows, member->key);

		if (row)
			fill_member(row, member, ret, report);
		else if (*member->key) /* else it is a duplicate, already reported */
			unknown_key(node, member, last, rows, report);
		last = member;
	}
	return report->count > before ? -EINVAL : 0;
}
