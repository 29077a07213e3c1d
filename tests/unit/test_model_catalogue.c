/* SPDX-License-Identifier: MIT */
#include "packbridge/base.h"
#include "packbridge/model/battery.h"
#include "packbridge/model/field.h"
#include "packbridge/model/gateway.h"
#include "suite.h"

#include <stdlib.h>
#include <string.h>

/* The names that every other part, and every user's script, depends on. */
static const char *const fixed_names[] = {
	"voltage_mv",
	"current_ma",
	"power_mw",
	"soc_permille",
	"soh_permille",
	"remaining_mah",
	"nominal_mah",
	"full_mah",
	"cycles",
	"production_date",
	"balance_mask",
	"protection_mask",
	"alarm_mask",
	"version",
	"charge_fet",
	"discharge_fet",
	"cell_count",
	"cell_mv",
	"temperature_count",
	"temperature_mc",
	"cell_min_mv",
	"cell_max_mv",
	"cell_min_index",
	"cell_max_index",
	"cell_delta_mv",
	"temperature_min_mc",
	"temperature_max_mc",
	"temperature_avg_mc",
	"device_name",
};

START_TEST(names_stand)
{
	ck_assert_ptr_nonnull(pb_field_find(PB_SCOPE_PACK, fixed_names[_i]));
}
END_TEST

START_TEST(names_are_unique)
{
	for (int scope = 0; scope < PB_SCOPE_COUNT; scope++) {
		size_t count;
		const struct pb_field *fields = pb_fields((enum pb_scope)scope, &count);

		for (size_t i = 0; i < count; i++) {
			ck_assert_ptr_eq(pb_field_find((enum pb_scope)scope, fields[i].name),
					 &fields[i]);
			ck_assert_str_ne(fields[i].description, "");
		}
	}
	ck_assert_str_eq(pb_field_nearest(PB_SCOPE_PACK, "voltage"), "voltage_mv");
	ck_assert_ptr_null(pb_field_find(PB_SCOPE_GATEWAY, "voltage_mv"));
}
END_TEST

/* Every field of every catalogue: absent at first where it can be, then what was set, at both ends
 * of its range, without touching any other field. */
START_TEST(set_and_get)
{
	size_t count;
	const struct pb_field *fields = pb_fields((enum pb_scope)_i, &count);

	for (size_t i = 0; i < count; i++) {
		const struct pb_field *field = &fields[i];
		union {
			struct pb_battery pack;
			struct pb_gateway gateway;
		} data, zero;
		int64_t value;

		memset(&zero, 0, sizeof(zero));
		if (field->kind == PB_KIND_TEXT)
			continue;
		for (unsigned int index = 0; index < field->count; index++) {
			int64_t ends[] = {field->min, field->max};

			memset(&data, 0, sizeof(data));
			if (field->has >= 0 || field->element_has >= 0)
				ck_assert(!pb_field_get(field, &data, index, &value));
			for (int end = 0; end < 2; end++) {
				pb_field_set(field, &data, index, ends[end]);
				ck_assert(pb_field_get(field, &data, index, &value));
				ck_assert_int_eq(value, ends[end]);
			}
			for (size_t other = 0; other < count; other++)
				if (other != i && fields[other].kind != PB_KIND_TEXT &&
				    pb_field_get(&fields[other], &data, 0, &value))
					ck_assert_int_eq(value, 0);
			if (field->indexed && field->element_has >= 0)
				ck_assert(!pb_field_get(field, &data, (index + 1) % field->count,
							&value));
		}
	}
}
END_TEST

START_TEST(text)
{
	struct pb_battery data = {0};
	const struct pb_field *field = pb_field_find(PB_SCOPE_PACK, "device_name");

	ck_assert_ptr_null(pb_field_text(field, &data));
	data.sample.has = PB_HAS(PB_HAS_DEVICE_NAME);
	strcpy(data.sample.device_name, "SP04S");
	ck_assert_str_eq(pb_field_text(field, &data), "SP04S");
	ck_assert_str_eq(pb_field_text(pb_field_find(PB_SCOPE_PACK, "name"), &data), "");
}
END_TEST

START_TEST(derived)
{
	struct pb_sample s = {.voltage_mv = 13320, .current_ma = -1500};

	pb_sample_derive(&s);
	ck_assert_uint_eq(s.has, 0); /* nothing follows from nothing */

	s.has = PB_HAS(PB_HAS_VOLTAGE) | PB_HAS(PB_HAS_CURRENT);
	s.cell_has = 0xD; /* cell 2 was not reported: its 0 is no minimum */
	s.cell_mv[0] = 3300;
	s.cell_mv[2] = 3280;
	s.cell_mv[3] = 3300;
	s.temperature_has = 0x5;
	s.temperature_mc[0] = -5000;
	s.temperature_mc[1] = 99999;
	s.temperature_mc[2] = 10001;
	pb_sample_derive(&s);
	ck_assert_int_eq(s.power_mw, -19980);
	ck_assert_int_eq(s.cell_min_mv, 3280);
	ck_assert_int_eq(s.cell_max_mv, 3300);
	ck_assert_int_eq(s.cell_min_index, 3);
	ck_assert_int_eq(s.cell_max_index, 1);
	ck_assert_int_eq(s.cell_delta_mv, 20);
	ck_assert_int_eq(s.temperature_min_mc, -5000);
	ck_assert_int_eq(s.temperature_max_mc, 10001);
	ck_assert_int_eq(s.temperature_avg_mc, 2501);

	/* 655.35 V times 3276.7 A, what a JBD frame can hold at most, does not wrap */
	s.voltage_mv = 655350;
	s.current_ma = 3276700;
	pb_sample_derive(&s);
	ck_assert_int_eq(s.power_mw, INT64_C(2147385345));
}
END_TEST

START_TEST(words)
{
	for (int i = 0; i < PB_ERROR_COUNT; i++)
		ck_assert_str_ne(pb_error_text((enum pb_error)i), "?");
	ck_assert_str_eq(pb_error_text((enum pb_error)PB_ERROR_COUNT), "?");
	ck_assert_str_eq(pb_quality_text(PB_QUALITY_LOST), "stale, link lost");
	ck_assert_str_eq(pb_uom_symbol(PB_UOM_MC), "mC");
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("catalogue");

	tcase_add_loop_test(tcase, names_stand, 0, PB_ARRAY_SIZE(fixed_names));
	tcase_add_test(tcase, names_are_unique);
	tcase_add_loop_test(tcase, set_and_get, 0, PB_SCOPE_COUNT);
	tcase_add_test(tcase, text);
	tcase_add_test(tcase, derived);
	tcase_add_test(tcase, words);
	return pb_run_suite("model/catalogue", tcase);
}
