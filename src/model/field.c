/* SPDX-License-Identifier: MIT */
#include "packbridge/model/field.h"
#include "packbridge/base.h"
#include "packbridge/model/battery.h"

#include <assert.h>
#include <string.h>

static bool present(const struct pb_field *field, const void *data, unsigned int index)
{
	const char *bytes = data;

	/* only a battery's fields can be absent, so @data is one whenever has >= 0 */
	if (field->has >= 0 && !pb_battery_has(data, (enum pb_has)field->has))
		return false;
	if (field->element_has >= 0) {
		unsigned int bit = field->indexed ? index : field->element_bit;
		uint64_t mask;

		memcpy(&mask, bytes + field->element_has, sizeof(mask));
		return mask >> bit & 1;
	}
	return true;
}

static int64_t field_load(const void *p, size_t size, bool is_signed)
{
	uint64_t raw = 0;
	unsigned int unused = 64 - 8 * (unsigned int)size;

	switch (size) {
	case 1:
		raw = *(const uint8_t *)p;
		break;
	case 2:
		raw = *(const uint16_t *)p;
		break;
	case 4:
		raw = *(const uint32_t *)p;
		break;
	default:
		raw = *(const uint64_t *)p;
	}
	return is_signed ? (int64_t)(raw << unused) >> unused : (int64_t)raw;
}

static void store(void *p, size_t size, int64_t value)
{
	switch (size) {
	case 1:
		*(uint8_t *)p = (uint8_t)value;
		break;
	case 2:
		*(uint16_t *)p = (uint16_t)value;
		break;
	case 4:
		*(uint32_t *)p = (uint32_t)value;
		break;
	default:
		*(uint64_t *)p = (uint64_t)value;
	}
}

bool pb_field_can_be_absent(const struct pb_field *field)
{
	return field->has >= 0 || field->element_has >= 0 || field->has_none || field->data;
}

bool pb_field_get(const struct pb_field *field, const void *data, unsigned int index, int64_t *ret)
{
	int64_t value;

	assert(field->kind != PB_KIND_TEXT && index < field->count);
	if (!present(field, data, index))
		return false;
	value = field_load((const char *)data + field->offset + (size_t)index * field->size,
			   field->size, field->is_signed);
	if (field->has_none && value == field->none)
		return false;
	*ret = value;
	return true;
}

const char *pb_field_text(const struct pb_field *field, const void *data)
{
	assert(field->kind == PB_KIND_TEXT);
	return present(field, data, 0) ? (const char *)data + field->offset : NULL;
}

void pb_field_set(const struct pb_field *field, void *data, unsigned int index, int64_t value)
{
	char *bytes = data;

	assert(field->kind != PB_KIND_TEXT && index < field->count);
	store(bytes + field->offset + (size_t)index * field->size, field->size, value);
	if (field->has >= 0)
		pb_battery_mark(data, (enum pb_has)field->has);
	if (field->element_has >= 0) {
		unsigned int bit = field->indexed ? index : field->element_bit;
		uint64_t mask;

		memcpy(&mask, bytes + field->element_has, sizeof(mask));
		mask |= UINT64_C(1) << bit;
		memcpy(bytes + field->element_has, &mask, sizeof(mask));
	}
}

const char *pb_uom_symbol(enum pb_uom uom)
{
	static const char *const symbols[] = {
		[PB_UOM_NONE] = "",
		[PB_UOM_MV] = "mV",
		[PB_UOM_MA] = "mA",
		[PB_UOM_MW] = "mW",
		[PB_UOM_MAH] = "mAh",
		[PB_UOM_MWH] = "mWh",
		[PB_UOM_PERMILLE] = "permille",
		[PB_UOM_MC] = "mC",
		[PB_UOM_S] = "s",
		[PB_UOM_DBM] = "dBm",
	};

	return symbols[uom];
}

const char *pb_error_text(enum pb_error error)
{
	static const char *const texts[PB_ERROR_COUNT] = {
		[PB_ERROR_NONE] = "none",
		[PB_ERROR_CONNECT] = "no connection",
		[PB_ERROR_LINK_LOST] = "connection lost",
		[PB_ERROR_TIMEOUT] = "no reply",
		[PB_ERROR_CHECKSUM] = "replies with a wrong checksum",
		[PB_ERROR_GARBAGE] = "bytes that hold no reply",
		[PB_ERROR_REFUSED] = "refused by the BMS",
		[PB_ERROR_IMPOSSIBLE] = "a reply with impossible content",
		[PB_ERROR_SILENT] = "connected but silent, perhaps it wants a password",
		[PB_ERROR_ECHO] = "repeats requests, it wants to be paired with a passkey",
		[PB_ERROR_PASSWORD] = "wrong password",
		[PB_ERROR_RELEASED] = "released on request",
		[PB_ERROR_LATE] = "replies are too old when they come",
		[PB_ERROR_UNSOLICITED] =
			"replies that nobody asked for, another device or program is on the line",
		[PB_ERROR_SHARED_LINE] =
			"several boards on one line, reading one by its address comes later",
	};

	return (unsigned int)error < PB_ERROR_COUNT ? texts[error] : "?";
}

const char *pb_protection_name(enum pb_protection protection)
{
	static const char *const names[PB_PROTECT_COUNT] = {
		[PB_PROTECT_CELL_OVERVOLTAGE] = "cell over-voltage",
		[PB_PROTECT_CELL_UNDERVOLTAGE] = "cell under-voltage",
		[PB_PROTECT_PACK_OVERVOLTAGE] = "pack over-voltage",
		[PB_PROTECT_PACK_UNDERVOLTAGE] = "pack under-voltage",
		[PB_PROTECT_CHARGE_OVERTEMPERATURE] = "charge over-temperature",
		[PB_PROTECT_CHARGE_UNDERTEMPERATURE] = "charge under-temperature",
		[PB_PROTECT_DISCHARGE_OVERTEMPERATURE] = "discharge over-temperature",
		[PB_PROTECT_DISCHARGE_UNDERTEMPERATURE] = "discharge under-temperature",
		[PB_PROTECT_CHARGE_OVERCURRENT] = "charge over-current",
		[PB_PROTECT_DISCHARGE_OVERCURRENT] = "discharge over-current",
		[PB_PROTECT_SHORT_CIRCUIT] = "short circuit",
		[PB_PROTECT_FRONT_END] = "front-end failure",
		[PB_PROTECT_FET_LOCKED] = "FET locked by command",
		[PB_PROTECT_CHARGE_FET_BROKEN] = "charge FET broken",
		[PB_PROTECT_DISCHARGE_FET_BROKEN] = "discharge FET broken",
	};

	return (unsigned int)protection < PB_PROTECT_COUNT ? names[protection] : "?";
}

const char *pb_level_name(enum pb_level level)
{
	static const char *const names[] = {"none", "warning", "alarm"};

	return (size_t)level < PB_ARRAY_SIZE(names) ? names[level] : "?";
}

const char *pb_alarm_name(enum pb_alarm alarm)
{
	static const char *const names[PB_ALARM_COUNT] = {
		[PB_ALARM_CELL_HIGH] = "cell_high",
		[PB_ALARM_CELL_LOW] = "cell_low",
		[PB_ALARM_VOLTAGE_HIGH] = "voltage_high",
		[PB_ALARM_VOLTAGE_LOW] = "voltage_low",
		[PB_ALARM_CELL_SPREAD] = "cell_spread",
		[PB_ALARM_CHARGE_HOT] = "charge_hot",
		[PB_ALARM_CHARGE_COLD] = "charge_cold",
		[PB_ALARM_DISCHARGE_HOT] = "discharge_hot",
		[PB_ALARM_DISCHARGE_COLD] = "discharge_cold",
		[PB_ALARM_SOC_LOW] = "soc_low",
		[PB_ALARM_CHARGE_CURRENT] = "charge_current",
		[PB_ALARM_DISCHARGE_CURRENT] = "discharge_current",
		[PB_ALARM_SILENT] = "silent",
		[PB_ALARM_PROTECTION] = "protection",
		[PB_ALARM_SWITCHED_OFF] = "switched_off",
		[PB_ALARM_FROZEN] = "frozen",
	};

	return (unsigned int)alarm < PB_ALARM_COUNT ? names[alarm] : "?";
}

const char *pb_reason_text(enum pb_reason reason)
{
	static const char *const texts[PB_REASON_COUNT] = {
		[PB_REASON_UNKNOWN] = "unknown",
		[PB_REASON_MAXIMUM] = "maximum",
		[PB_REASON_CELL] = "cell voltage",
		[PB_REASON_TEMPERATURE] = "temperature",
		[PB_REASON_SOC] = "state of charge",
		[PB_REASON_SWITCH] = "switched off by the BMS",
		[PB_REASON_PROTECTION] = "protection of the BMS",
		[PB_REASON_SILENT] = "no reading",
		[PB_REASON_RISING] = "rising slowly",
		[PB_REASON_INCOMPLETE] = "incomplete reading",
		[PB_REASON_BANK] = "maximum of the bank",
		[PB_REASON_ABSORPTION] = "absorption",
		[PB_REASON_FLOAT] = "float",
		[PB_REASON_CELL_HIGH] = "a cell runs high",
		[PB_REASON_BLOCKED] = "no pack takes part",
		[PB_REASON_CONTROL] = "inhibited by control",
	};

	return (unsigned int)reason < PB_REASON_COUNT ? texts[reason] : "?";
}

const char *pb_quality_text(enum pb_quality quality)
{
	static const char *const texts[] = {"never read", "good", "stale", "stale, link lost"};

	return (unsigned int)quality <= PB_QUALITY_LOST ? texts[quality] : "?";
}
