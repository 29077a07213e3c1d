/* SPDX-License-Identifier: MIT */
#include "fleet.h"

#include <string.h>

int64_t bank_load(const struct pb_battery *pack, size_t offset, bool wide)
{
	int64_t value64;
	int32_t value32;

	memcpy(&value64, (const char *)pack + offset, wide ? sizeof(value64) : sizeof(value32));
	memcpy(&value32, (const char *)pack + offset, sizeof(value32));
	return wide ? value64 : value32;
}

bool bank_all_have(const struct fleet *fleet, enum pb_has what)
{
	for (size_t i = 0; i < fleet->count; i++)
		if (!pb_battery_has(fleet->packs[i], what))
			return false;
	return true;
}

bool bank_sum(const struct fleet *fleet, enum pb_has what, size_t offset, bool wide, int64_t *ret)
{
	*ret = 0;
	for (size_t i = 0; i < fleet->count; i++)
		*ret += bank_load(fleet->packs[i], offset, wide);
	return bank_all_have(fleet, what);
}

int bank_extreme(const struct fleet *fleet, enum pb_has what, size_t offset, bool wide, int sign,
		 int64_t *ret)
{
	int place = -1;

	for (size_t i = 0; i < fleet->count; i++) {
		int64_t value;

		if (!pb_battery_has(fleet->packs[i], what))
			continue;
		value = bank_load(fleet->packs[i], offset, wide);
		if (place >= 0 && sign * value >= sign * *ret)
			continue;
		place = (int)i;
		*ret = value;
	}
	return place;
}

bool bank_bound(const struct fleet *fleet, enum pb_has what, size_t offset, bool wide, int sign,
		int64_t *ret)
{
	return bank_all_have(fleet, what) &&
	       bank_extreme(fleet, what, offset, wide, sign, ret) >= 0;
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
