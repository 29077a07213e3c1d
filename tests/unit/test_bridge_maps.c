/* SPDX-License-Identifier: MIT */
#include "packbridge/bridge.h"
#include "packbridge/yaml.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/packbridge-maps-XXXXXX", file[64];
static struct pb_maps *maps;

static void setup(void)
{
	const char *dirs[] = {folder, NULL};

	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/mine.yaml", folder);
	ck_assert_int_eq(pb_maps_new(&maps, dirs), 0);
}

static void teardown(void)
{
	pb_maps_free(maps);
	unlink(file);
	rmdir(folder);
}

/* However many units want to show it, its errors are told once. */
START_TEST(errors_of_a_map_are_told_once)
{
	struct pb_report report = {0};
	const struct pb_map *map;
	FILE *out = fopen(file, "w");

	ck_assert_ptr_nonnull(out);
	fputs("map: mine\nversion: 0\n", out);
	fclose(out);
	ck_assert_int_eq(pb_maps_get(maps, "mine", &map, &report), -EINVAL);
	ck_assert_uint_gt(report.count, 0);
	pb_report_clear(&report);
	ck_assert_int_eq(pb_maps_get(maps, "mine", &map, &report), -EINVAL);
	ck_assert_uint_eq(report.count, 0);
	/* with an option, it is another map */
	ck_assert_int_eq(pb_maps_get(maps, "mine+low-first", &map, &report), -EINVAL);
	ck_assert_uint_gt(report.count, 0);
	pb_report_clear(&report);
	ck_assert_int_eq(pb_maps_get(maps, "other", &map, &report), -ENOENT);
	ck_assert_int_eq(pb_maps_get(maps, "other", &map, &report), -ENOENT);
	ck_assert_int_eq(pb_maps_get(maps, "../mine", &map, &report), -ENOENT);
	ck_assert_uint_eq(report.count, 0);
}
END_TEST

START_TEST(a_map_that_is_no_file)
{
	struct pb_report report = {0};
	const struct pb_map *map;

	ck_assert_int_eq(mkfifo(file, 0600), 0);
	ck_assert_int_eq(pb_maps_get(maps, "mine", &map, &report), -ENODEV);
	ck_assert_ptr_nonnull(strstr(report.lines[0], "is a pipe"));
	pb_report_clear(&report);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("maps");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, errors_of_a_map_are_told_once);
	tcase_add_test(tcase, a_map_that_is_no_file);
	return pb_run_suite("bridge/maps", tcase);
}
