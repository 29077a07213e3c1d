/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <stdlib.h>
#include <string.h>

bool pb_report_is_full(const struct pb_report *report)
{
	return report->count > PB_REPORT_MAX;
}

/* Takes @line; NULL: there was no memory for it, but it is counted. */
static void add_line(struct pb_report *report, char *line)
{
	char **lines = realloc(report->lines, (report->told + 1) * sizeof(*lines));

	if (lines)
		report->lines = lines;
	if (lines && line)
		lines[report->told++] = line;
	else
		free(line);
}

void report_add(struct pb_report *report, const char *file, unsigned int line, unsigned int col,
		const char *format, va_list args)
{
	char *what = NULL, *whole = NULL;
	int r = -1;

	report->count++;
	if (report->count > PB_REPORT_MAX + 1)
		return;
	if (report->count > PB_REPORT_MAX)
		r = asprintf(&whole, "%s: %d mistakes are listed, and there are more", file,
			     PB_REPORT_MAX);
	else if (vasprintf(&what, format, args) >= 0)
		r = line ? asprintf(&whole, "%s:%u:%u: %s", file, line, col, what)
			 : asprintf(&whole, "%s: %s", file, what);
	free(what);
	/* it quotes what stands in the file */
	add_line(report, r < 0 ? NULL : pb_text_clean(whole, (size_t)r + 1, whole, (size_t)r));
}

void pb_report_add(struct pb_report *report, const char *file, unsigned int line, unsigned int col,
		   const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report_add(report, file, line, col, format, args);
	va_end(args);
}

void pb_report_at(struct pb_report *report, const char *file, struct pb_mark mark, const char *text)
{
	pb_report_add(report, file, mark.line, mark.col, "%s", text);
}

static int by_place(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b); /* as numbers: 9 before 10 */
}

void pb_report_sort(struct pb_report *report)
{
	size_t count = report->told < PB_REPORT_MAX ? report->told : PB_REPORT_MAX;

	if (count > 0) /* the line that there are more stays last */
		qsort(report->lines, count, sizeof(*report->lines), by_place);
}

void pb_report_print(const struct pb_report *report, FILE *stream)
{
	for (size_t i = 0; i < report->told; i++)
		fprintf(stream, "%s\n", report->lines[i]);
}

void pb_report_clear(struct pb_report *report)
{
	for (size_t i = 0; i < report->told; i++)
		free(report->lines[i]);
	free(report->lines);
	*report = (struct pb_report){.elsewhere = report->elsewhere, .sample = report->sample};
}
