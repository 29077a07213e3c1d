/* SPDX-License-Identifier: MIT */
/* A line a value, as RFC 4180 but for the line ends, for spreadsheets and scripts. */
#include "format.h"

#include <string.h>

/* Spreadsheets take a text that begins so for a formula; behind an apostrophe, for a text. */
static bool is_formula(const char *text)
{
	return *text && strchr("=+-@", *text);
}

static void csv_text(const char *text, FILE *out)
{
	const char *end = text + strlen(text);
	bool plain = !strpbrk(text, ",\"\n") && !is_formula(text);
	char one[4];
	size_t n;

	fputs(plain ? "" : is_formula(text) ? "\"'" : "\"", out);
	while ((n = pb_text_next(&text, end, one)) > 0)
		fprintf(out, "%s%.*s", one[0] == '"' ? "\"" : "", (int)n, one);
	fputs(plain ? "" : "\"", out);
}

int export_csv(const struct pb_export_job *job, FILE *out)
{
	const struct pb_map *map = job->units[0].map;

	fputs("address,table,words,type,field,index,bit,unit,scale,offset,na,access,description\n",
	      out);
	for (size_t i = 0; i < pb_map_row_count(map); i++) {
		struct pb_row_info row;
		char names[32], na[24], index[16] = "", bit[16] = "";

		pb_map_row(map, i, &row);
		if (row.type == PB_ROW_RESERVED)
			continue;
		pb_export_tables(row.tables, " ", names, sizeof(names));
		export_na_number(&row, na, sizeof(na));
		if (row.index >= 0)
			snprintf(index, sizeof(index), "%d", row.index);
		if (row.bit >= 0)
			snprintf(bit, sizeof(bit), "%d", row.bit);
		fprintf(out, "%u,%s,%u,%s,%s,%s,%s,%s,%s,%lld,%s,%s,", row.addr, names, row.words,
			pb_row_type_name(row.type), row.field ? row.field->name : "", index, bit,
			row.unit, row.scale, (long long)row.offset, na, export_access(&row));
		csv_text(row.description, out);
		fputc('\n', out);
	}
	return 0;
}
