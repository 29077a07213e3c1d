/* SPDX-License-Identifier: MIT */
/* Maps of one block, as text: the first row stands in line 13, its first key in column 10. */
#pragma once

#include "packbridge/regmap.h"
#include "packbridge/yaml.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

struct map_text {
	const char *head;   /**< line 5, e.g. "stale: last"; NULL: nothing of interest */
	const char *scope;  /**< NULL: pack */
	const char *tables; /**< NULL: [input, holding] */
	int addr;
	int count; /**< 0: 1 */
	bool always;
	const char *rows[4]; /**< inside the braces; ended by NULL */
};

static inline void map_write(const struct map_text *map, char *out, size_t cap)
{
	int at = snprintf(out, cap,
			  "map: m\nversion: 1\ntitle: t\nscope: %s\n%s\nblocks:\n"
			  "  - name: b\n    tables: %s\n    addr: %d\n    count: %d\n"
			  "    always: %s\n    rows:\n",
			  map->scope ? map->scope : "pack", map->head ? map->head : "",
			  map->tables ? map->tables : "[input, holding]", map->addr,
			  map->count ? map->count : 1, map->always ? "true" : "false");

	for (size_t i = 0; i < 4 && map->rows[i]; i++)
		at += snprintf(out + at, cap - (size_t)at, "      - {%s}\n", map->rows[i]);
	ck_assert_int_lt(at, (int)cap);
}

static inline int map_compile(struct pb_map **ret, const struct map_text *map,
			      struct pb_report *report)
{
	char text[2048];

	map_write(map, text, sizeof(text));
	return pb_map_parse(ret, "f", text, strlen(text), report);
}

/** A map that must be good. */
static inline struct pb_map *map_good(const struct map_text *text)
{
	struct pb_map *map = NULL;
	struct pb_report report = {0};
	int r = map_compile(&map, text, &report);

	ck_assert_msg(r == 0, "%s", report.count ? report.lines[0] : "no error");
	ck_assert_uint_eq(report.count, 0);
	return map;
}
