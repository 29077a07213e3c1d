/* SPDX-License-Identifier: MIT */
#include "packbridge/yaml.h"

#include <stdlib.h>

void pb_report_add(struct pb_report *report, const char *file, unsigned int line, unsigned int col,
		   const char *format, ...)
{
	char **lines = realloc(report->lines, (report->count + 1) * sizeof(*lines));
	char *what = NULL, *whole = NULL;
	va_list args;
	int r;

	/* errors are collected at the start only; without memory for a line there is no start */
	if (!lines)
		abort();
	report->lines = lines;
	va_start(args, format);
	r = vasprintf(&what, format, args);
	va_end(args);
	if (r < 0)
		abort();
	r = line ? asprintf(&whole, "%s:%u:%u: %s", file, line, col, what)
		 : asprintf(&whole, "%s: %s", file, what);
	if (r < 0)
		abort();
	free(what);
	lines[report->count++] = whole;
}

void pb_report_print(const struct pb_report *report, FILE *stream)
{
	for (size_t i = 0; i < report->count; i++)
		fprintf(stream, "%s\n", report->lines[i]);
}

void pb_report_clear(struct pb_report *report)
{
	for (size_t i = 0; i < report->count; i++)
		free(report->lines[i]);
	free(report->lines);
	*report = (struct pb_report){0};
}
