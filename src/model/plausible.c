/* SPDX-License-Identifier: MIT */
/*
 * Plausibility of readings. A valid checksum proves only that the bytes arrived. Boards that wake
 * up, boards of another kind and missing registers send impossible values in valid frames.
 */
#include "packbridge/model/plausible.h"
#include "packbridge/base.h"
#include "packbridge/model/battery.h"
#include "packbridge/model/field.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The reasons for these numbers are in docs/protocols/README.md, "What cannot be". */
enum {
	SUM_PERCENT = 20, /* the pack's voltage may be so far from the sum of its cells */
	SUM_LEAST_MV = 1000,
	CELL_MOST_MV = 20000,
	FULL_PERCENT = 125, /* of the full capacity, what is left at most */
};

/* Of all makers; the catalogue has 0 for banks' sake. */
static const struct pb_bound common[] = {PB_BOUND(cell_count, 1, PB_CELLS_MAX), {0}};

_Static_assert(offsetof(struct pb_battery, sample) == 0, "a sample is read as a battery's fields");

struct check {
	struct pb_sample *sample;
	const struct pb_bound *bounds;
	struct pb_refusals *refusals;
	bool spoilt;
};

static bool plausible_has(const struct pb_sample *s, enum pb_has what)
{
	return s->has & PB_HAS(what);
}

static bool same(const struct pb_refusal *a, const struct pb_refusal *b)
{
	return a->field == b->field && a->reply == b->reply && a->against == b->against;
}

/* @return its row, or PB_REFUSALS_MAX: there is no place for one more. */
static size_t plausible_add(struct pb_refusals *refusals, const struct pb_refusal *refusal)
{
	size_t row = 0;
	uint32_t times;

	while (row < refusals->count && !same(&refusals->rows[row], refusal))
		row++;
	if (row == PB_REFUSALS_MAX)
		return row;
	if (row == refusals->count)
		refusals->rows[refusals->count++] = (struct pb_refusal){0};
	times = refusals->rows[row].times + 1;
	refusals->rows[row] = *refusal;
	refusals->rows[row].times = times;
	return row;
}

/* Marks the whole reading as impossible because of @row. */
static void plausible_spoil(struct pb_refusals *refusals, size_t row)
{
	refusals->readings++;
	refusals->last = row < PB_REFUSALS_MAX ? row : 0;
}

/* The first refused vital field is the reported reason. */
static void refuse(struct check *check, const struct pb_refusal *refusal)
{
	struct pb_refusals *refusals = check->refusals;
	size_t row = plausible_add(refusals, refusal);

	if (!refusal->field->vital)
		refusals->values++;
	else if (!check->spoilt)
		plausible_spoil(refusals, row);
	check->spoilt |= refusal->field->vital;
}

static void take_out(struct pb_sample *s, enum pb_has what)
{
	s->has &= ~PB_HAS(what);
	if (what == PB_HAS_TEMPERATURES)
		s->temperature_has = 0;
	if (what == PB_HAS_CELLS)
		s->cell_has = 0;
}

/* Takes out one element, where the field's elements can be absent one by one. */
static void take_out_value(struct pb_sample *s, const struct pb_field *field, unsigned int index)
{
	unsigned int bit = field->indexed ? index : field->element_bit;
	char *bytes = (char *)s;
	uint64_t mask;

	if (field->element_has < 0) {
		take_out(s, (enum pb_has)field->has);
		return;
	}
	memcpy(&mask, bytes + field->element_has, sizeof(mask));
	mask &= ~(UINT64_C(1) << bit);
	memcpy(bytes + field->element_has, &mask, sizeof(mask));
}

/* ---- each field against its range ---- */

static void tighten(struct pb_refusal *range, const struct pb_bound *bound)
{
	for (; bound && bound->offset; bound++) {
		if (bound->offset != range->field->offset)
			continue;
		if (bound->min > range->min)
			range->min = bound->min;
		if (bound->max < range->max)
			range->max = bound->max;
	}
}

static void check_field(struct check *check, const struct pb_field *field)
{
	struct pb_refusal refusal = {.field = field, .min = field->min, .max = field->max};
	bool refused = false;
	int64_t value;

	if (field->has >= 0 && !plausible_has(check->sample, (enum pb_has)field->has))
		return;
	tighten(&refusal, common);
	tighten(&refusal, check->bounds);
	for (unsigned int i = 0; i < field->count; i++) {
		if (!pb_field_get(field, check->sample, i, &value) ||
		    (value >= refusal.min && value <= refusal.max))
			continue;
		if (!refused) {
			refusal.index = i;
			refusal.value = value;
			refuse(check, &refusal);
		}
		refused = true;
		take_out_value(check->sample, field, i);
	}
}

static void check_ranges(struct check *check)
{
	size_t count;
	const struct pb_field *fields = pb_fields(PB_SCOPE_PACK, &count);

	for (size_t i = 0; i < count; i++)
		if (fields[i].data && fields[i].offset < sizeof(*check->sample) &&
		    fields[i].kind != PB_KIND_TEXT)
			check_field(check, &fields[i]);
}

/* ---- values that are reported twice ---- */

static void plausible_refuse_value(struct check *check, const char *name, enum pb_against against,
				   int64_t value, int64_t min, int64_t max)
{
	const struct pb_refusal refusal = {
		.field = pb_field_find(PB_SCOPE_PACK, name),
		.against = against,
		.value = value,
		.min = min,
		.max = max,
	};

	refuse(check, &refusal);
	take_out(check->sample, (enum pb_has)refusal.field->has);
}

struct cells {
	int64_t sum, min, max, count;
};

static struct cells plausible_measure(const struct pb_sample *s)
{
	struct cells cells = {.min = INT64_MAX};

	for (unsigned int i = 0; i < PB_CELLS_MAX; i++) {
		if (!(s->cell_has >> i & 1))
			continue;
		cells.sum += s->cell_mv[i];
		cells.count++;
		if (s->cell_mv[i] < cells.min)
			cells.min = s->cell_mv[i];
		if (s->cell_mv[i] > cells.max)
			cells.max = s->cell_mv[i];
	}
	return cells;
}

static int64_t slack(int64_t sum_mv)
{
	int64_t slack_mv = sum_mv * SUM_PERCENT / 100;

	return slack_mv > SUM_LEAST_MV ? slack_mv : SUM_LEAST_MV;
}

/* Makes room for a pack whose cells have this sum. */
static void allow(struct pb_refusal *range, int64_t sum_mv)
{
	if (sum_mv - slack(sum_mv) < range->min)
		range->min = sum_mv - slack(sum_mv);
	if (sum_mv + slack(sum_mv) > range->max)
		range->max = sum_mv + slack(sum_mv);
}

/*
 * One cell may be measured wrongly: at 0 mV with a broken sense wire, at 5 V with an open input. So
 * the sum counts as well with the mean of the others in place of the cell that is farthest from
 * them; of two cells, either may be it.
 */
static void allow_one_wrong(struct pb_refusal *range, const struct cells *cells)
{
	int64_t others = cells->count - 1;
	int64_t above_min = cells->sum - cells->min, below_max = cells->sum - cells->max;
	int64_t low = above_min - others * cells->min, high = others * cells->max - below_max;

	if (others == 0)
		return;
	if (low >= high)
		allow(range, above_min + above_min / others);
	if (high >= low)
		allow(range, below_max + below_max / others);
}

/* All at 0 mV is a board without cells; some of them, broken wires. */
static void check_voltage(struct check *check)
{
	const struct pb_sample *s = check->sample;
	struct pb_refusal range = {.min = INT64_MAX, .max = INT64_MIN};
	struct cells cells = plausible_measure(s);

	if (cells.count > 0 && cells.max == 0) {
		plausible_refuse_value(check, "cell_mv", PB_AGAINST_RANGE, 0, 1, CELL_MOST_MV);
		return;
	}
	if (!plausible_has(s, PB_HAS_VOLTAGE) || cells.count == 0)
		return;
	allow(&range, cells.sum);
	allow_one_wrong(&range, &cells);
	if (s->voltage_mv < range.min || s->voltage_mv > range.max)
		plausible_refuse_value(check, "voltage_mv", PB_AGAINST_CELLS, s->voltage_mv,
				       range.min < 0 ? 0 : range.min, range.max);
}

static void check_count(struct check *check)
{
	const struct pb_sample *s = check->sample;

	if (!plausible_has(s, PB_HAS_CELLS))
		return;
	if (s->cells_said != 0 && s->cell_count != s->cells_said)
		plausible_refuse_value(check, "cell_count", PB_AGAINST_COUNT, s->cell_count,
				       s->cells_said, s->cells_said);
	else if (s->cell_has >> s->cell_count)
		plausible_refuse_value(check, "cell_count", PB_AGAINST_CELLS, s->cell_count,
				       64 - __builtin_clzll(s->cell_has), PB_CELLS_MAX);
}

/* It is unknown which of the two is wrong. */
static void check_charge(struct check *check)
{
	struct pb_sample *s = check->sample;
	int64_t most = s->full_mah * FULL_PERCENT / 100;

	if (!plausible_has(s, PB_HAS_REMAINING) || !plausible_has(s, PB_HAS_FULL) ||
	    s->full_mah == 0 || s->remaining_mah <= most)
		return;
	plausible_refuse_value(check, "remaining_mah", PB_AGAINST_FULL, s->remaining_mah, 0, most);
	take_out(s, PB_HAS_FULL);
}

/* Of a whole reading only: a count by itself may be the board's claim. */
static void check_balance(struct check *check)
{
	struct pb_sample *s = check->sample;
	uint64_t most;

	if (!plausible_has(s, PB_HAS_BALANCE) || s->cell_has == 0)
		return;
	most = (UINT64_C(1) << s->cell_count) - 1;
	if (s->balance_mask <= most)
		return;
	plausible_refuse_value(check, "balance_mask", PB_AGAINST_CELLS, (int64_t)s->balance_mask, 0,
			       (int64_t)most);
}

int pb_sample_check(struct pb_sample *sample, const struct pb_bound *bounds,
		    struct pb_refusals *refusals)
{
	struct pb_refusals unwanted = {0};
	struct check check = {sample, bounds, refusals ? refusals : &unwanted, false};

	check_ranges(&check);
	if (check.spoilt)
		return -EPROTO;
	check_count(&check);
	check_voltage(&check);
	check_charge(&check);
	check_balance(&check);
	return check.spoilt ? -EPROTO : 0;
}

void pb_refusals_add_reply(struct pb_refusals *refusals, const char *reply,
			   const struct pb_sample *sample, const struct pb_bound *bounds)
{
	const struct pb_refusal refusal = {.reply = reply, .against = PB_AGAINST_FORM};
	struct pb_sample copy = *sample;
	struct check check = {&copy, bounds, refusals, false};

	check_ranges(&check);
	if (!check.spoilt)
		plausible_spoil(refusals, plausible_add(refusals, &refusal));
}

/* ---- in words ---- */

static const char *against_text(enum pb_against against)
{
	static const char *const texts[] = {
		[PB_AGAINST_RANGE] = "expected",
		[PB_AGAINST_CELLS] = "its cells allow",
		[PB_AGAINST_COUNT] = "elsewhere the board counts",
		[PB_AGAINST_FULL] = "its full capacity allows",
		[PB_AGAINST_FORM] = "",
	};

	return texts[against];
}

void pb_refusal_text(const struct pb_refusal *refusal, char *out, size_t cap)
{
	const struct pb_field *field = refusal->field;
	const char *against = against_text(refusal->against);
	char index[8] = "", limits[64] = "";

	if (!field) {
		snprintf(out, cap, "reply '%s' has not the form of one", refusal->reply);
		return;
	}
	if (field->indexed)
		snprintf(index, sizeof(index), "[%u]", refusal->index);
	if (refusal->against == PB_AGAINST_RANGE && refusal->value == 0 &&
	    field->has == PB_HAS_CELLS)
		against = "the BMS sees no cells";
	else if (refusal->min == refusal->max)
		snprintf(limits, sizeof(limits), " %" PRId64, refusal->min);
	else
		snprintf(limits, sizeof(limits), " %" PRId64 " to %" PRId64, refusal->min,
			 refusal->max);
	snprintf(out, cap, "%s%s is %" PRId64 ", %s%s", field->name, index, refusal->value, against,
		 limits);
}

void pb_refusals_error_text(const struct pb_refusals *refusals, enum pb_error error, char *out,
			    size_t cap)
{
	char what[PB_REFUSAL_TEXT_MAX] = "";

	if (error == PB_ERROR_IMPOSSIBLE && refusals->last < refusals->count)
		pb_refusal_text(&refusals->rows[refusals->last], what, sizeof(what));
	snprintf(out, cap, "%s%s%s", pb_error_text(error), *what ? ": " : "", what);
}
