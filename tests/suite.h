/* SPDX-License-Identifier: MIT */
#pragma once

#include <check.h>
#include <stdlib.h>

/** Runs a suite of one test case and gives main()'s exit status. */
static inline int pb_run_suite(const char *name, TCase *tcase)
{
	Suite *suite = suite_create(name);
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
