/* SPDX-License-Identifier: MIT */
#include "options.h"

#include "packbridge/base.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ROWS_MAX = 16, LONG_ONLY = 256 };

static bool options_take(const struct option_row *row, const char *command)
{
	switch (row->kind) {
	case OPTION_FLAG:
		*(bool *)row->place = true;
		break;
	case OPTION_TEXT:
		*(const char **)row->place = optarg;
		break;
	case OPTION_NUMBER:
		if (pb_int_parse(optarg, row->min, row->max, row->place) == 0)
			break;
		fprintf(stderr, "packbridge %s: --%s %s, expected %" PRId64 " to %" PRId64 "\n",
			command, row->name, optarg, row->min, row->max);
		return false;
	}
	return true;
}

/* @return -1; 2 when there are too few or too many. */
static int check_operands(int argc, char **argv, const char *help, const char *operands)
{
	int least = 0, most = 0;

	for (const char *word = operands; *word; word += strcspn(word, " ")) {
		word += strspn(word, " ");
		if (strncmp(word, "...", 3) == 0)
			return -1;
		least += *word && *word != '[';
		most += *word != '\0';
	}
	if (argc - optind < least)
		fprintf(stderr, "packbridge %s: expected %s\n\n%s", argv[0], operands, help);
	else if (argc - optind > most)
		fprintf(stderr, "packbridge %s: '%s' is not expected here\n\n%s", argv[0],
			argv[optind + most], help);
	else
		return -1;
	return 2;
}

int pb_cli_options(int argc, char **argv, const struct option_row *rows, const char *help,
		   const char *operands)
{
	struct option options[ROWS_MAX + 2] = {{"help", no_argument, NULL, 'h'}};
	char letters[2 * ROWS_MAX + 2] = "h";
	size_t at = 1;
	int found;

	for (size_t i = 0; i < ROWS_MAX && rows[i].name; i++) {
		bool value = rows[i].kind != OPTION_FLAG;

		options[i + 1] =
			(struct option){rows[i].name, value ? required_argument : no_argument, NULL,
					LONG_ONLY + (int)i};
		if (rows[i].letter) {
			letters[at++] = rows[i].letter;
			if (value)
				letters[at++] = ':';
		}
	}
	while ((found = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		const struct option_row *row = rows;

		if (found == 'h') {
			fputs(help, stdout);
			return 0;
		}
		if (found >= LONG_ONLY)
			row = &rows[found - LONG_ONLY];
		else
			while (row->name && row->letter != found)
				row++;
		if (found == '?' || !row->name) {
			fputs(help, stderr);
			return 2;
		}
		if (!options_take(row, argv[0]))
			return 2;
	}
	return check_operands(argc, argv, help, operands);
}
