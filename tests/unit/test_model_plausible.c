/* SPDX-License-Identifier: MIT */
/*
 * What a reading cannot be: every field of the catalogue at both ends of its range and one beyond,
 * and what a board says twice. Extremes of real packs pass.
 */
#include "packbridge/base.h"
#include "packbridge/model/battery.h"
#include "packbridge/model/field.h"
#include "packbridge/model/plausible.h"
#include "suite.h"

#include <errno.h>
#include <string.h>

static const struct pb_bound bounds[] = {
	PB_BOUND(current_ma, -2000000, 2000000),
	PB_BOUND(temperature_mc, -40000, 150000),
	PB_BOUND(cell_mv, 0, 6500),
	PB_BOUND(voltage_mv, -5, 9999999), /* never wider than the catalogue */
	{0},
};

/* ---- each field against its range ---- */

struct range {
	int64_t min, max;
};

static struct range range_of(const struct pb_field *field, const struct pb_bound *bound)
{
	struct range range = {field->min, field->max};

	if (strcmp(field->name, "cell_count") == 0)
		range.min = 1;
	for (; bound && bound->offset && strcmp(field->name, "voltage_mv") != 0; bound++)
		if (bound->offset == field->offset)
			range = (struct range){bound->min, bound->max};
	return range;
}

/* A reading of nothing but @field, and a count where there are cells. */
static struct pb_battery only(const struct pb_field *field, unsigned int index, int64_t value)
{
	struct pb_battery data = {.sample.cell_count = PB_CELLS_MAX};

	/* which of them there are, and which is the lowest, is said together */
	data.sample.cell_min_index = data.sample.cell_max_index = 1;
	data.sample.temperature_min_index = data.sample.temperature_max_index = 1;
	pb_field_set(field, &data, index, value);
	return data;
}

static void takes(const struct pb_field *field, unsigned int index, int64_t value,
		  const struct pb_bound *bound)
{
	struct pb_battery data = only(field, index, value);
	struct pb_refusals refusals = {0};
	int64_t got;

	ck_assert_msg(pb_sample_check(&data.sample, bound, &refusals) == 0 && refusals.count == 0,
		      "%s refused at %lld", field->name, (long long)value);
	ck_assert(pb_field_get(field, &data, index, &got) && got == value);
	ck_assert_uint_eq(refusals.readings + refusals.values, 0);
}

static void refuses(const struct pb_field *field, unsigned int index, int64_t value,
		    const struct pb_bound *bound)
{
	struct pb_battery data = only(field, index, value);
	struct pb_refusals refusals = {0};
	int64_t got;
	int r = pb_sample_check(&data.sample, bound, &refusals);

	ck_assert_msg(r == (field->vital ? -EPROTO : 0) && refusals.count > 0, "%s taken at %lld",
		      field->name, (long long)value);
	ck_assert_ptr_eq(refusals.rows[0].field, field);
	ck_assert_uint_eq(refusals.rows[0].index, index);
	ck_assert_uint_eq(refusals.rows[0].times, 1);
	ck_assert_uint_eq(refusals.readings, field->vital);
	ck_assert_uint_eq(refusals.values, !field->vital);
	if (!field->vital)
		ck_assert(!pb_field_get(field, &data, index, &got));
}

/* Of a single cell, 0 mV is all cells at 0 mV. */
static int64_t least(const struct pb_field *field, int64_t min)
{
	return strcmp(field->name, "cell_mv") == 0 ? 1 : min;
}

static void try_field(const struct pb_field *field, const struct pb_bound *bound)
{
	struct range range = range_of(field, bound);

	for (unsigned int i = 0; i<field->count; i += field->count> 1 ? field->count - 1 : 1) {
		takes(field, i, least(field, range.min), bound);
		takes(field, i, range.max, bound);
		refuses(field, i, range.min - 1, bound);
		refuses(field, i, range.max + 1, bound);
	}
}

START_TEST(every_field)
{
	size_t count, tried = 0;
	const struct pb_field *fields = pb_fields(PB_SCOPE_PACK, &count);

	for (size_t i = 0; i < count; i++) {
		if (!fields[i].data || fields[i].offset >= sizeof(struct pb_sample) ||
		    fields[i].kind == PB_KIND_TEXT)
			continue;
		try_field(&fields[i], NULL);
		try_field(&fields[i], bounds);
		tried++;
	}
	ck_assert_uint_ge(tried, 50);
}
END_TEST

/* What has gone takes its neighbours along, and what would follow from it. */
START_TEST(nothing_follows_from_it)
{
	struct pb_sample s = {
		.has = PB_HAS(PB_HAS_TEMPERATURES) | PB_HAS(PB_HAS_VOLTAGE) |
		       PB_HAS(PB_HAS_CURRENT),
		.temperature_count = 3,
		.temperature_has = 7,
		.temperature_mc = {20000, 6280400, 21000},
		.voltage_mv = 600000,
		.current_ma = 4000000,
	};

	ck_assert_int_eq(pb_sample_check(&s, NULL, NULL), 0);
	pb_sample_derive(&s);
	ck_assert_uint_eq(s.temperature_has, 5);
	ck_assert_int_eq(s.temperature_max_mc, 21000);
	ck_assert(!(s.has & PB_HAS(PB_HAS_POWER))); /* 2.4 MW */
	s.temperature_count = 17;
	ck_assert_int_eq(pb_sample_check(&s, NULL, NULL), 0);
	ck_assert(!(s.has & PB_HAS(PB_HAS_TEMPERATURES)));
	ck_assert_uint_eq(s.temperature_has, 0);
}
END_TEST

/* ---- what is said twice ---- */

static const struct {
	const char *what;
	int32_t voltage_mv;
	bool possible;
	int count;
	int32_t cell_mv[8];
} packs[] = {
	{"as it should be", 13280, true, 4, {3320, 3320, 3320, 3320}},
	{"a broken sense wire", 13280, true, 4, {3320, 0, 3320, 3320}},
	{"one of two", 6640, true, 2, {3320, 0}},
	{"a wire between two cells", 13280, true, 4, {6500, 140, 3320, 3320}},
	{"an open input", 9960, true, 3, {3320, 5000, 3320}},
	{"places without a cell", 13280, true, 6, {3320, 3320, 3320, 3320, 0, 0}},
	{"a single cell", 2100, true, 1, {2100}},
	{"deep discharge", 6000, true, 4, {1500, 1500, 1500, 1500}},
	{"deeper", 2000, true, 4, {500, 500, 500, 500}},
	{"noise of open inputs", 0, true, 4, {12, 8, 9, 30}},
	{"LTO", 18400, true, 8, {2300, 2300, 2300, 2300, 2300, 2300, 2300, 2300}},
	{"LTO at 1.8 V", 14400, true, 8, {1800, 1800, 1800, 1800, 1800, 1800, 1800, 1800}},
	{"an edited capture", 14000, true, 4, {4127, 4137, 4147, 4157}},
	{"a board that wakes", 0, false, 4, {3320, 3320, 3320, 3320}},
	{"another pack's cells", 13280, false, 8, {3320, 3320, 3320, 3320, 3320, 3320, 3320, 3320}},
	{"30 % more", 17300, false, 4, {3320, 3320, 3320, 3320}},
	{"30 % less", 9290, false, 4, {3320, 3320, 3320, 3320}},
	{"half of it", 6640, false, 4, {3320, 3320, 3320, 3320}},
};

static struct pb_sample pack_of(int32_t voltage_mv, int count, const int32_t *cell_mv)
{
	struct pb_sample s = {
		.has = PB_HAS(PB_HAS_VOLTAGE) | PB_HAS(PB_HAS_CELLS),
		.voltage_mv = voltage_mv,
		.cell_count = count,
		.cell_has = (UINT64_C(1) << count) - 1,
	};

	for (int i = 0; i < count; i++)
		s.cell_mv[i] = cell_mv[i];
	return s;
}

START_TEST(cells_and_voltage)
{
	struct pb_sample s = pack_of(packs[_i].voltage_mv, packs[_i].count, packs[_i].cell_mv);
	struct pb_refusals refusals = {0};
	int r = pb_sample_check(&s, NULL, &refusals);

	ck_assert_msg(r == (packs[_i].possible ? 0 : -EPROTO), "%s", packs[_i].what);
	if (!packs[_i].possible)
		ck_assert_str_eq(refusals.rows[refusals.last].field->name, "voltage_mv");
}
END_TEST

/* All at 0 mV: a board without cells, whatever its voltage. */
START_TEST(all_at_zero)
{
	static const int32_t voltages[] = {0, 13280}, cells[4];

	for (size_t i = 0; i < PB_ARRAY_SIZE(voltages); i++) {
		struct pb_sample s = pack_of(voltages[i], 4, cells);
		struct pb_refusals refusals = {0};
		char text[PB_REFUSAL_TEXT_MAX];

		ck_assert_int_eq(pb_sample_check(&s, NULL, &refusals), -EPROTO);
		pb_refusal_text(&refusals.rows[refusals.last], text, sizeof(text));
		ck_assert_str_eq(text, "cell_mv[0] is 0, the BMS sees no cells");
	}
}
END_TEST

/* One wire broken, in packs of any size: at 0 mV, or at the 5 V of an open input. */
START_TEST(one_wire)
{
	static const int32_t broken_mv[] = {0, 5000};

	for (int count = 2; count <= PB_CELLS_MAX; count++) {
		int32_t cells[PB_CELLS_MAX];

		for (int broken = 0; broken < count; broken++) {
			struct pb_sample s;

			for (int i = 0; i < count; i++)
				cells[i] = i == broken ? broken_mv[_i] : 3300;
			s = pack_of(3300 * count, count, cells);
			ck_assert_int_eq(pb_sample_check(&s, NULL, NULL), 0);
			ck_assert_int_eq(s.cell_mv[broken], broken_mv[_i]);
		}
	}
}
END_TEST

/* The board's own count, where it has one. */
START_TEST(count)
{
	static const int32_t cells[] = {3320, 3320, 3320, 3320};
	struct pb_sample s = pack_of(13280, 4, cells);
	struct pb_refusals refusals = {0};
	char text[PB_REFUSAL_TEXT_MAX];

	s.cells_said = 4;
	ck_assert_int_eq(pb_sample_check(&s, NULL, &refusals), 0);
	s.cells_said = 5;
	ck_assert_int_eq(pb_sample_check(&s, NULL, &refusals), -EPROTO);
	pb_refusal_text(&refusals.rows[0], text, sizeof(text));
	ck_assert_str_eq(text, "cell_count is 4, elsewhere the board counts 5");
	s = pack_of(13280, 4, cells);
	s.cells_said = s.cell_count = 3; /* there are four */
	ck_assert_int_eq(pb_sample_check(&s, NULL, &refusals), -EPROTO);
	pb_refusal_text(&refusals.rows[1], text, sizeof(text));
	ck_assert_str_eq(text, "cell_count is 3, its cells allow 4 to 48");
	s = pack_of(0, 0, cells);
	ck_assert_int_eq(pb_sample_check(&s, NULL, &refusals), -EPROTO);
	pb_refusals_error_text(&refusals, PB_ERROR_IMPOSSIBLE, text, sizeof(text));
	ck_assert_str_eq(text, "a reply with impossible content: "
			       "cell_count is 0, the BMS sees no cells");
	pb_refusals_error_text(&refusals, PB_ERROR_TIMEOUT, text, sizeof(text));
	ck_assert_str_eq(text, "no reply");
}
END_TEST

START_TEST(charge)
{
	struct pb_sample s = {
		.has = PB_HAS(PB_HAS_REMAINING) | PB_HAS(PB_HAS_FULL),
		.remaining_mah = 125000,
		.full_mah = 100000,
	};

	ck_assert_int_eq(pb_sample_check(&s, NULL, NULL), 0);
	ck_assert(s.has & PB_HAS(PB_HAS_REMAINING));
	s.remaining_mah++;
	ck_assert_int_eq(pb_sample_check(&s, NULL, NULL), 0);
	ck_assert_uint_eq(s.has, 0); /* nobody knows which of them is wrong */
}
END_TEST

START_TEST(balance)
{
	struct pb_sample s = {
		.has = PB_HAS(PB_HAS_BALANCE) | PB_HAS(PB_HAS_CELLS),
		.cell_count = 4,
		.balance_mask = 0x10, /* cell 5 of 4 */
	};

	ck_assert_int_eq(pb_sample_check(&s, NULL, NULL), 0);
	ck_assert(s.has & PB_HAS(PB_HAS_BALANCE)); /* no cell is known yet */
	s.cell_has = 0x0F;
	s.cell_mv[0] = 3300;
	s.balance_mask = 0x0F;
	ck_assert_int_eq(pb_sample_check(&s, NULL, NULL), 0);
	ck_assert(s.has & PB_HAS(PB_HAS_BALANCE));
	s.balance_mask = 0x10;
	ck_assert_int_eq(pb_sample_check(&s, NULL, NULL), 0);
	ck_assert_uint_eq(s.has, PB_HAS(PB_HAS_CELLS));
}
END_TEST

/* ---- counted and named ---- */

START_TEST(counted)
{
	struct pb_refusals refusals = {0};
	char text[PB_REFUSAL_TEXT_MAX];

	for (int i = 0; i < 3; i++) {
		struct pb_sample s = {
			.has = PB_HAS(PB_HAS_SOC) | PB_HAS(PB_HAS_TEMPERATURES),
			.soc_permille = 1010 + i,
			.temperature_has = 6,
			.temperature_mc = {0, 6280400, 6280400 + i},
		};

		ck_assert_int_eq(pb_sample_check(&s, NULL, &refusals), -EPROTO);
	}
	ck_assert_uint_eq(refusals.readings, 3);
	ck_assert_uint_eq(refusals.values, 3);
	ck_assert_uint_eq(refusals.count, 2);
	ck_assert_uint_eq(refusals.rows[0].times, 3);
	pb_refusal_text(&refusals.rows[0], text, sizeof(text));
	ck_assert_str_eq(text, "soc_permille is 1012, expected 0 to 1000");
	pb_refusal_text(&refusals.rows[1], text, sizeof(text));
	ck_assert_str_eq(text, "temperature_mc[1] is 6280400, expected -100000 to 300000");
}
END_TEST

/* A reply that no codec can read: by the value that tells why, else as a whole; more kinds than
 * there are rows are counted all the same. */
START_TEST(replies)
{
	struct pb_sample s = {.has = PB_HAS(PB_HAS_CELLS), .cell_count = 65535}, nothing = {0};
	static const char names[PB_REFUSALS_MAX + 2];
	struct pb_refusals refusals = {0};
	char text[PB_REFUSAL_TEXT_MAX];

	pb_refusals_add_reply(&refusals, "status", &s, NULL);
	pb_refusal_text(&refusals.rows[refusals.last], text, sizeof(text));
	ck_assert_str_eq(text, "cell_count is 65535, expected 1 to 48");
	pb_refusals_add_reply(&refusals, "status", &nothing, NULL);
	pb_refusal_text(&refusals.rows[refusals.last], text, sizeof(text));
	ck_assert_str_eq(text, "reply 'status' has not the form of one");
	for (size_t i = 0; i < sizeof(names); i++)
		pb_refusals_add_reply(&refusals, names + i, &nothing, NULL);
	ck_assert_uint_eq(refusals.count, PB_REFUSALS_MAX);
	ck_assert_uint_eq(refusals.readings, 2 + sizeof(names));
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("plausible");

	tcase_add_test(tcase, every_field);
	tcase_add_test(tcase, nothing_follows_from_it);
	tcase_add_loop_test(tcase, cells_and_voltage, 0, PB_ARRAY_SIZE(packs));
	tcase_add_test(tcase, all_at_zero);
	tcase_add_loop_test(tcase, one_wire, 0, 2);
	tcase_add_test(tcase, count);
	tcase_add_test(tcase, charge);
	tcase_add_test(tcase, balance);
	tcase_add_test(tcase, counted);
	tcase_add_test(tcase, replies);
	return pb_run_suite("model/plausible", tcase);
}
