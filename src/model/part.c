/* SPDX-License-Identifier: MIT */
/*
 * Names of the parts of a field: elements of an array, bits of a mask.
 */
#include "packbridge/base.h"
#include "packbridge/model/battery.h"
#include "packbridge/model/field.h"

#include <stdio.h>
#include <string.h>

static const char *protection_name(unsigned int part)
{
	static const char *const names[PB_PROTECT_COUNT] = {
		[PB_PROTECT_CELL_OVERVOLTAGE] = "cell_overvoltage",
		[PB_PROTECT_CELL_UNDERVOLTAGE] = "cell_undervoltage",
		[PB_PROTECT_PACK_OVERVOLTAGE] = "pack_overvoltage",
		[PB_PROTECT_PACK_UNDERVOLTAGE] = "pack_undervoltage",
		[PB_PROTECT_CHARGE_OVERTEMPERATURE] = "charge_overtemperature",
		[PB_PROTECT_CHARGE_UNDERTEMPERATURE] = "charge_undertemperature",
		[PB_PROTECT_DISCHARGE_OVERTEMPERATURE] = "discharge_overtemperature",
		[PB_PROTECT_DISCHARGE_UNDERTEMPERATURE] = "discharge_undertemperature",
		[PB_PROTECT_CHARGE_OVERCURRENT] = "charge_overcurrent",
		[PB_PROTECT_DISCHARGE_OVERCURRENT] = "discharge_overcurrent",
		[PB_PROTECT_SHORT_CIRCUIT] = "short_circuit",
		[PB_PROTECT_FRONT_END] = "front_end",
		[PB_PROTECT_FET_LOCKED] = "fet_locked",
		[PB_PROTECT_CHARGE_FET_BROKEN] = "charge_fet_broken",
		[PB_PROTECT_DISCHARGE_FET_BROKEN] = "discharge_fet_broken",
	};

	return part < PB_PROTECT_COUNT ? names[part] : NULL;
}

static const char *alarm_name(unsigned int part)
{
	return part < PB_ALARM_COUNT ? pb_alarm_name((enum pb_alarm)part) : NULL;
}

/* A field that is not here has its parts numbered from 0 behind its name. */
static const struct {
	const char *field, *stem;
	unsigned int first; /* number of part 0 */
	const char *(*name)(unsigned int part);
} parts[] = {
	{"protection_mask", "protection", 0, protection_name},
	{"protections_seen", "protections_seen", 0, protection_name},
	{"warnings", "warning", 0, alarm_name},
	{"alarms", "alarm", 0, alarm_name},
	{"alarm_level", "alarm_level", 0, alarm_name},
	{"worst_level", "worst_level", 0, alarm_name},
	{"alarm_mask", "bms_warning", 0, NULL},
	{"balance_mask", "balancing", 1, NULL},
	{"packs_online_set", "pack_online", 1, NULL},
	{"cell_mv", "cell", 1, NULL},
	{"cell_state", "cell_state", 1, NULL},
	{"temperature_mc", "temperature", 1, NULL},
	{"temperature_state", "temperature_state", 1, NULL},
};

static size_t part_find(const struct pb_field *field)
{
	size_t i = 0;

	while (i < PB_ARRAY_SIZE(parts) && strcmp(parts[i].field, field->name) != 0)
		i++;
	return i;
}

unsigned int pb_field_first(const struct pb_field *field)
{
	size_t i = part_find(field);

	return i < PB_ARRAY_SIZE(parts) ? parts[i].first : 0;
}

const char *pb_field_stem(const struct pb_field *field)
{
	size_t i = part_find(field);

	return i < PB_ARRAY_SIZE(parts) ? parts[i].stem : field->name;
}

const char *pb_field_part(const struct pb_field *field, unsigned int part)
{
	size_t i = part_find(field);

	return i < PB_ARRAY_SIZE(parts) && parts[i].name ? parts[i].name(part) : NULL;
}
