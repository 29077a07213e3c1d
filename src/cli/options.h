/* SPDX-License-Identifier: MIT */
/* What all commands do with their command line. */
#pragma once

#include <stdint.h>

enum option_kind {
	OPTION_FLAG,   /**< bool, set to true */
	OPTION_TEXT,   /**< const char * */
	OPTION_NUMBER, /**< int64_t, @min..@max */
};

/** One option; --help, -h need no row. */
struct option_row {
	const char *name;
	char letter; /**< 0: none */
	enum option_kind kind;
	void *place; /**< left alone when the option is not given */
	int64_t min, max;
};

/**
 * Reads options and checks the number of operands; errors are reported on stderr.
 * @rows: ended by a NULL name. @operands: their names, "LINK FILE"; those in [] may be missing;
 * "..." at the end: any number.
 * @return -1: go on, optind is the first operand; else the exit status to end with.
 */
int pb_cli_options(int argc, char **argv, const struct option_row *rows, const char *help,
		   const char *operands);
