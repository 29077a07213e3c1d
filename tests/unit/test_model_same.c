/* SPDX-License-Identifier: MIT */
/* What tells that a board still measures: each field of the catalogue, changed alone. */
#include "packbridge/base.h"
#include "packbridge/model/battery.h"
#include "packbridge/model/field.h"
#include "suite.h"

#include <string.h>

static const char *const measured[] = {
	"voltage_mv",	"current_ma", "cell_mv",       "temperature_mc",  "mos_temperature_mc",
	"balance_mask", "charge_fet", "discharge_fet", "protection_mask", "alarm_mask",
};

static bool is_measured(const struct pb_field *field)
{
	for (size_t i = 0; i < PB_ARRAY_SIZE(measured); i++)
		if (strcmp(field->name, measured[i]) == 0)
			return true;
	return false;
}

static bool of_sample(const struct pb_field *field)
{
	return field->kind != PB_KIND_TEXT && field->offset < sizeof(struct pb_sample);
}

START_TEST(each_field)
{
	size_t count, seen = 0;
	const struct pb_field *fields = pb_fields(PB_SCOPE_PACK, &count);

	for (size_t i = 0; i < count; i++) {
		struct pb_battery a = {0}, b;
		unsigned int last = fields[i].count - 1u;

		if (!of_sample(&fields[i]))
			continue;
		pb_field_set(&fields[i], &a, last, fields[i].min);
		b = a;
		ck_assert(pb_sample_same(&a.sample, &b.sample));
		pb_field_set(&fields[i], &b, last, fields[i].min + 1);
		ck_assert_msg(pb_sample_same(&a.sample, &b.sample) != is_measured(&fields[i]), "%s",
			      fields[i].name);
		seen += is_measured(&fields[i]);
	}
	ck_assert_uint_eq(seen, PB_ARRAY_SIZE(measured));
}
END_TEST

/* A value that was not reported before is another reading. */
START_TEST(appearing)
{
	size_t count;
	const struct pb_field *fields = pb_fields(PB_SCOPE_PACK, &count);

	for (size_t i = 0; i < count; i++) {
		struct pb_battery a = {0}, b = {0};

		if (!of_sample(&fields[i]) || !is_measured(&fields[i]))
			continue;
		pb_field_set(&fields[i], &b, 0, fields[i].min > 0 ? fields[i].min : 0);
		ck_assert_msg(!pb_sample_same(&a.sample, &b.sample), "%s", fields[i].name);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("same");

	tcase_add_test(tcase, each_field);
	tcase_add_test(tcase, appearing);
	return pb_run_suite("model/same", tcase);
}
