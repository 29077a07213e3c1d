/* SPDX-License-Identifier: MIT */
/* docs/bluetooth.md says what to do in the words of the program. */
#include "suite.h"

#include "../../src/cli/remedy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static char doc[32768];

static void in_the_doc(const char *remedy)
{
	char cell[512];

	/* `check --probe` and `scan` show them, too, and have other options */
	ck_assert_msg(!strstr(remedy, " --") || strstr(remedy, "`packbridge probe"),
		      "whose option? %s", remedy);
	snprintf(cell, sizeof(cell), " | %s |\n", remedy);
	ck_assert_msg(strstr(doc, cell) != NULL, "docs/bluetooth.md lacks: %s", remedy);
}

START_TEST(documented)
{
	FILE *f = fopen(PB_SOURCE_DIR "/docs/bluetooth.md", "r");
	unsigned int count = 0;

	ck_assert_ptr_nonnull(f);
	doc[fread(doc, 1, sizeof(doc) - 1, f)] = '\0';
	fclose(f);
	for (int error = 1; error < 200; error++) {
		if (error == ECONNREFUSED || !pb_remedy_link(-error)) /* of tcp: */
			continue;
		in_the_doc(pb_remedy_link(-error));
		count++;
	}
	for (enum pb_error error = 0; error < PB_ERROR_COUNT; error++) {
		if (!pb_remedy_session(error))
			continue;
		in_the_doc(pb_remedy_session(error));
		ck_assert_ptr_nonnull(strstr(doc, pb_error_text(error)));
		count++;
	}
	ck_assert_uint_eq(count, 22);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("remedy");

	tcase_add_test(tcase, documented);
	return pb_run_suite("cli/remedy", tcase);
}
