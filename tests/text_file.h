/* SPDX-License-Identifier: MIT */
#pragma once

#include <check.h>
#include <stdio.h>

/** Reads a whole text file, which must fit. @return its length, without the NUL. */
static inline size_t text_file_read(const char *path, char *text, size_t cap)
{
	FILE *file = fopen(path, "r");
	size_t len;

	ck_assert_msg(file != NULL, "%s", path);
	len = fread(text, 1, cap - 1, file);
	ck_assert_msg(feof(file), "%s is too long", path);
	fclose(file);
	text[len] = '\0';
	return len;
}
