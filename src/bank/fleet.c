/* SPDX-License-Identifier: MIT */
#include "fleet.h"

bool bank_all_have(const struct fleet *fleet, enum pb_has what)
{
	for (size_t i = 0; i < fleet->count; i++)
		if (!pb_battery_has(fleet->packs[i], what))
			return false;
	return true;
}

int bank_extreme(const struct fleet *fleet, const struct pb_field *field, int sign, int64_t *ret)
{
	int at = -1;

	for (size_t i = 0; i < fleet->count; i++) {
		int64_t value;

		if (!pb_field_get(field, fleet->packs[i], 0, &value))
			continue;
		if (at >= 0 && sign * value >= sign * *ret)
			continue;
		at = (int)i;
		*ret = value;
	}
	return at;
}

bool bank_weights(const struct fleet *fleet, int64_t *ret, int64_t *ret_sum)
{
	bool full = bank_all_have(fleet, PB_HAS_FULL);

	if (!full && !bank_all_have(fleet, PB_HAS_NOMINAL))
		return false;
	*ret_sum = 0;
	for (size_t i = 0; i < fleet->count; i++) {
		const struct pb_sample *s = &fleet->packs[i]->sample;

		ret[i] = full ? s->full_mah : s->nominal_mah;
		if (ret[i] <= 0)
			return false;
		*ret_sum += ret[i];
	}
	return true;
}

void bank_put32(struct pb_battery *bank, int32_t *place, int64_t value, enum pb_has what)
{
	*place = narrow(value);
	pb_battery_mark(bank, what);
}

void bank_put64(struct pb_battery *bank, int64_t *place, int64_t value, enum pb_has what)
{
	*place = value;
	pb_battery_mark(bank, what);
}
