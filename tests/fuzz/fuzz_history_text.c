/* SPDX-License-Identifier: MIT */
/* Whatever a file holds: what is read can be printed, and read again as the same. */
#include "packbridge/history.h"

#include <stdlib.h>
#include <string.h>

enum { NOW_MS = 1000, RECORDS = 20 };

static void again(const struct pb_history_record *record)
{
	static char text[PB_HISTORY_RECORD_MAX], text2[PB_HISTORY_RECORD_MAX];
	size_t len = pb_history_print(record, NOW_MS, text), count;
	struct pb_history_record *records;
	struct pb_history shown;
	unsigned int line;

	if (len >= sizeof(text) ||
	    pb_history_parse(text, len, NOW_MS, RECORDS, &records, &count, &line) < 0 || count != 1)
		abort();
	pb_history_print(&records[0], NOW_MS, text2);
	if (strcmp(text, text2) != 0)
		abort();
	pb_history_show(&records[0].state, 2 * NOW_MS, &shown);
	free(records);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pb_history_record *records;
	unsigned int line;
	size_t count;

	if (pb_history_parse((const char *)data, size, NOW_MS, RECORDS, &records, &count, &line) <
	    0)
		return 0;
	for (size_t i = 0; i < count; i++)
		again(&records[i]);
	free(records);
	return 0;
}
