/* SPDX-License-Identifier: MIT */
/*
 * The table of docs/banks.md, which is printed from it: how each value of a bank follows from the
 * values of its packs, in parallel and in series. To add a value, add its row.
 */
#include "rules.h"

struct rule {
	struct pb_field field; /* of the bank */
	enum bank_op parallel, series;
	enum bank_stage stage;
	const struct pb_field *from; /* of the packs; NULL: @field */
	bool reported;		     /* of packs that have a value, if others have none */
	const char *own, *parallel_text, *series_text; /* of OP_OWN: fields, and how */
};

#define RULE(stage_, member, has, parallel_, series_, ...)                                         \
	{                                                                                          \
		.field = BANK_FIELD(member, has), .stage = STAGE_##stage_,                         \
		.parallel = OP_##parallel_, .series = OP_##series_, ##__VA_ARGS__                  \
	}
#define COUNTED(...)  RULE(COUNTED, __VA_ARGS__)
#define MEASURED(...) RULE(MEASURED, __VA_ARGS__)
#define DERIVED(...)  RULE(DERIVED, __VA_ARGS__)
/* by code of its own */
#define OWN(name, in_parallel, in_series_, ...)                                                    \
	{                                                                                          \
		.own = (name), .parallel_text = (in_parallel), .series_text = (in_series_),        \
		##__VA_ARGS__                                                                      \
	}

static const struct pb_field soc = BANK_FIELD(sample.soc_permille, PB_HAS_SOC);
static const struct pb_field voltage = BANK_FIELD(sample.voltage_mv, PB_HAS_VOLTAGE);
static const struct pb_field cells = BANK_FIELD(sample.cell_count, PB_HAS_CELLS);
static const struct pb_field consumed = BANK_FIELD(sample.consumed_mah, PB_HAS_CONSUMED);

/* In the order of the field catalogue, which is that of the documentation. */
/* clang-format off */
static const struct rule rules[] = {
	MEASURED(sample.voltage_mv, PB_HAS_VOLTAGE, MEAN, SUM),
	MEASURED(sample.current_ma, PB_HAS_CURRENT, SUM, MEAN),
	DERIVED(sample.power_mw, PB_HAS_POWER, SUM, SUM),
	MEASURED(sample.soc_permille, PB_HAS_SOC, WEIGHTED, WEIGHTED),
	MEASURED(sample.soh_permille, PB_HAS_SOH, WEIGHTED, LEAST),
	MEASURED(sample.remaining_mah, PB_HAS_REMAINING, SUM, LEAST),
	MEASURED(sample.nominal_mah, PB_HAS_NOMINAL, SUM, LEAST),
	MEASURED(sample.full_mah, PB_HAS_FULL, SUM, USABLE),
	MEASURED(sample.cycles, PB_HAS_CYCLES, MOST, MOST),
	DERIVED(sample.balancing, PB_HAS_BALANCING, ANY, ANY, .reported = true),
	DERIVED(sample.protection_mask, PB_HAS_PROTECTION, BITS, BITS, .reported = true),
	DERIVED(sample.charge_fet, PB_HAS_CHARGE_FET, ANY, ALL),
	DERIVED(sample.discharge_fet, PB_HAS_DISCHARGE_FET, ANY, ALL),
	DERIVED(sample.cell_count, PB_HAS_CELLS, SAME, SUM),
	OWN("cell_mv", "only if all packs have the same number of cells. Element n is the lowest of the n-th cells of all "
		"packs. Exceptions: the last element is the highest cell of all; the first element is the lowest of the first "
		"and the last cells", "the cells of all packs one after the other; only if there are 48 at most"),
	OWN("balance_mask", "none", "as for `cell_mv`"),
	OWN("cell_min_mv`, `cell_max_mv`, `cell_delta_mv`, `cell_avg_mv", "of all cells of all packs, with the numbers of pack and cell", "the same", .reported = true),
	OWN("temperature_min_mc`, `temperature_max_mc`, `temperature_avg_mc", "of all probes of all packs, with the numbers of pack and probe", "the same", .reported = true),
	COUNTED(status.connected, -1, ANY, ANY),
	COUNTED(status.stale_after_s, -1, MOST, MOST),
	COUNTED(status.polls, -1, SUM, SUM),
	COUNTED(status.failures, -1, SUM, SUM),
	COUNTED(status.connects, -1, SUM, SUM),
	COUNTED(status.connect_failures, -1, SUM, SUM),
	COUNTED(status.reconnects, -1, SUM, SUM),
	COUNTED(status.timeouts, -1, SUM, SUM),
	COUNTED(status.bad_frames, -1, SUM, SUM),
	COUNTED(status.garbage_bytes, -1, SUM, SUM),
	COUNTED(status.unsolicited, -1, SUM, SUM),
	COUNTED(status.impossible_readings, -1, SUM, SUM),
	COUNTED(status.impossible_values, -1, SUM, SUM),
	OWN("last_error", "of the first pack without a good reading", "the same"),
	OWN("age_s`, `details_age_s", "of the oldest reading", "the same"),
	DERIVED(unchanged_s, PB_HAS_UNCHANGED, MOST, MOST, .reported = true),
	OWN("alarm_level`, `worst_level", "the highest level of a pack, and the bank's own", "the same"),
	OWN("cell_state", "low or high if the n-th cell of a pack is low or high, by the alarms of that pack; otherwise no "
		"value if one pack has none", "the cells of all packs one after the other"),
	OWN("temperature_state", "of the hottest and the coldest probe, by the alarms of their packs", "the same"),
	DERIVED(limits.discharge_voltage_mv, PB_HAS_DISCHARGE_VOLTAGE, MOST, SUM),
	DERIVED(limits.charge_phase, -1, LEAST, LEAST),
	OWN("charge_all`, `charge_any`, `packs_charge", "of the packs whose charge FET is on and that no protection stops; the same for discharge", "the same"),
	OWN("soc_total_permille", "`remaining_mah` / `full_mah` of the bank", "the same"),
	MEASURED(members.soc_min_permille, PB_HAS_SOC_SPREAD, LEAST, LEAST, .from = &soc),
	MEASURED(members.soc_max_permille, PB_HAS_SOC_SPREAD, MOST, MOST, .from = &soc),
	MEASURED(members.voltage_spread_mv, PB_HAS_VOLTAGE_SPREAD, SPREAD, SPREAD, .from = &voltage),
	DERIVED(members.pack_cell_count, PB_HAS_PACK_CELLS, SAME, SAME, .from = &cells),
	DERIVED(rating.full_voltage_mv, PB_HAS_FULL_VOLTAGE, LEAST, SUM),
	DERIVED(rating.energy_mwh, PB_HAS_ENERGY, SUM, SUM),
	DERIVED(rating.cell_high_mv, PB_HAS_CELL_LEVELS, LEAST, LEAST),
	DERIVED(rating.cell_low_mv, PB_HAS_CELL_LEVELS, MOST, MOST),
};
/* clang-format on */

/* ---- one value ---- */

/* The values of the packs that have one. @return how many */
static size_t rules_collect(const struct fleet *fleet, const struct pb_field *field, int64_t *ret)
{
	size_t count = 0;

	for (size_t i = 0; i < fleet->count; i++)
		count += pb_field_get(field, fleet->packs[i], 0, &ret[count]);
	return count;
}

struct summary {
	int64_t sum, least, most, bits;
};

static struct summary summarize(const int64_t *values, size_t count)
{
	struct summary all = {.least = INT64_MAX, .most = INT64_MIN};

	for (size_t i = 0; i < count; i++) {
		all.sum += values[i];
		all.bits |= values[i];
		if (values[i] < all.least)
			all.least = values[i];
		if (values[i] > all.most)
			all.most = values[i];
	}
	return all;
}

/* A single pack needs no capacity. */
static bool weighted(const struct fleet *fleet, const int64_t *values, int64_t *ret)
{
	int64_t weight[PB_MEMBERS_MAX] = {1}, total = 1, of_all = 0;

	if (fleet->count > 1 && !bank_weights(fleet, weight, &total))
		return false;
	for (size_t i = 0; i < fleet->count; i++)
		of_all += values[i] * weight[i];
	*ret = pb_scale(of_all, 1, total);
	return true;
}

/* The pack that is empty first and the one that is full first bound what can be used in series. */
static bool usable(const struct fleet *fleet, int64_t *ret)
{
	if (!pb_battery_has(fleet->bank, PB_HAS_REMAINING) ||
	    !bank_value(fleet, OP_LEAST, &consumed, ret))
		return false;
	*ret += fleet->bank->sample.remaining_mah;
	return true;
}

/* @return whether there is a value */
static bool combine(const struct fleet *fleet, enum bank_op op, const int64_t *values, size_t count,
		    int64_t *ret)
{
	struct summary all = summarize(values, count);

	switch (op) {
	case OP_SUM:
		*ret = all.sum;
		return true;
	case OP_MEAN:
		*ret = pb_scale(all.sum, 1, (int64_t)count);
		return true;
	case OP_WEIGHTED:
		return weighted(fleet, values, ret);
	case OP_LEAST:
	case OP_ALL:
		*ret = all.least;
		return true;
	case OP_MOST:
		*ret = all.most;
		return true;
	case OP_SPREAD:
		*ret = all.most - all.least;
		return true;
	case OP_SAME:
		*ret = all.most;
		return all.least == all.most;
	case OP_ANY: /* one that is true is enough, but all must be known to be false */
		*ret = all.most;
		return all.most || count == fleet->count;
	case OP_BITS:
		*ret = all.bits;
		return true;
	case OP_USABLE:
		return usable(fleet, ret);
	case OP_OWN:
		break;
	}
	return false;
}

static bool rules_value_of(const struct fleet *fleet, enum bank_op op, const struct pb_field *field,
			   bool reported, int64_t *ret)
{
	int64_t values[PB_MEMBERS_MAX] = {0};
	size_t count = op == OP_USABLE ? fleet->count : rules_collect(fleet, field, values);

	if (count == 0 || (count < fleet->count && !reported))
		return false;
	return combine(fleet, op, values, count, ret);
}

bool bank_value(const struct fleet *fleet, enum bank_op op, const struct pb_field *field,
		int64_t *ret)
{
	return rules_value_of(fleet, op, field, false, ret);
}

/* ---- the table ---- */

/* Numbers are cut to what an int32_t holds; counters wrap. */
static void rules_put(const struct pb_field *field, struct pb_battery *bank, int64_t value)
{
	if (field->size == sizeof(int32_t) && field->is_signed)
		value = narrow(value);
	pb_field_set(field, bank, 0, value);
}

void bank_apply(const struct fleet *fleet, enum bank_stage stage)
{
	for (size_t i = 0; i < PB_ARRAY_SIZE(rules); i++) {
		const struct rule *rule = &rules[i];
		enum bank_op op = in_series(fleet) ? rule->series : rule->parallel;
		int64_t value;

		if (op != OP_OWN && rule->stage == stage &&
		    rules_value_of(fleet, op, rule->from ? rule->from : &rule->field,
				   rule->reported, &value))
			rules_put(&rule->field, fleet->bank, value);
	}
}

static const char *op_text(enum bank_op op)
{
	static const char usable[] = "smallest remaining charge plus smallest missing charge: the "
				     "charge that can be used before the first pack is full or "
				     "empty";
	static const char *const texts[] = {
		[OP_SUM] = "sum",
		[OP_MEAN] = "mean",
		[OP_WEIGHTED] = "mean, weighted by capacity",
		[OP_LEAST] = "minimum",
		[OP_MOST] = "maximum",
		[OP_SPREAD] = "maximum minus minimum",
		[OP_SAME] = "only if it is the same in all packs",
		[OP_ANY] = "true if one is",
		[OP_ALL] = "true if all are",
		[OP_BITS] = "all bits that are set in one pack",
		[OP_USABLE] = usable,
	};

	return texts[op];
}

/* @return the name that the catalogue has for it */
static const char *rules_name_of(const struct pb_field *field)
{
	size_t count;
	const struct pb_field *fields = pb_fields(PB_SCOPE_BANK, &count);

	for (size_t i = 0; i < count; i++)
		if (fields[i].offset == field->offset && fields[i].size == field->size &&
		    fields[i].is_signed == field->is_signed && fields[i].has == field->has)
			return fields[i].name;
	return NULL;
}

bool pb_bank_rule(size_t index, struct pb_bank_rule *ret)
{
	const struct rule *rule;

	if (index >= PB_ARRAY_SIZE(rules))
		return false;
	rule = &rules[index];
	*ret = (struct pb_bank_rule){
		.field = rule->own ? rule->own : rules_name_of(&rule->field),
		.parallel = rule->parallel_text ? rule->parallel_text : op_text(rule->parallel),
		.series = rule->series_text ? rule->series_text : op_text(rule->series),
		.from = rule->from ? rules_name_of(rule->from) : NULL,
		.reported = rule->reported,
		.counted = !rule->own && rule->stage == STAGE_COUNTED,
	};
	return true;
}
