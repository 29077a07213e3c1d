/* SPDX-License-Identifier: MIT */
/*
 * The field catalogues. min..max is what real packs can show: a map whose register cannot hold it
 * is refused, so a range that is wider than life costs a map a wider register.
 */
#include "packbridge/base.h"
#include "packbridge/model.h"

#include <assert.h>
#include <string.h>

#define SIZE(type, member) sizeof(((struct type *)0)->member)
#define IS_SIGNED(type, member)                                                                    \
	_Generic(((struct type *)0)->member, int8_t                                                \
		 : true, int16_t                                                                   \
		 : true, int32_t                                                                   \
		 : true, int64_t                                                                   \
		 : true, default                                                                   \
		 : false)

/* a scalar of struct pb_sample */
#define SAMPLE(member, kind_, uom_, min_, max_, has_, text)                                        \
	{                                                                                          \
		.name = #member, .kind = PB_KIND_##kind_, .uom = PB_UOM_##uom_, .min = (min_),     \
		.max = (max_), .offset = offsetof(struct pb_pack_data, sample.member),             \
		.size = SIZE(pb_sample, member), .is_signed = IS_SIGNED(pb_sample, member),        \
		.data = true, .count = 1, .has = PB_HAS_##has_, .element_has = -1,                 \
		.description = (text)                                                              \
	}

/* an array of struct pb_sample, with a mask of the elements that were reported */
#define ARRAY(member, mask, uom_, min_, max_, has_, text)                                          \
	{                                                                                          \
		.name = #member, .kind = PB_KIND_NUMBER, .uom = PB_UOM_##uom_, .min = (min_),      \
		.max = (max_), .offset = offsetof(struct pb_pack_data, sample.member[0]),          \
		.size = SIZE(pb_sample, member[0]), .is_signed = true, .indexed = true,            \
		.data = true, .count = SIZE(pb_sample, member) / SIZE(pb_sample, member[0]),       \
		.has = PB_HAS_##has_, .element_has = offsetof(struct pb_pack_data, sample.mask),   \
		.description = (text)                                                              \
	}

#define COUNTER(label, number, text)                                                               \
	{                                                                                          \
		.name = "counters." label, .kind = PB_KIND_NUMBER, .min = 0, .max = 65534,         \
		.offset = offsetof(struct pb_pack_data, sample.counters[PB_COUNTER_##number]),     \
		.size = SIZE(pb_sample, counters[0]), .is_signed = true, .data = true, .count = 1, \
		.has = PB_HAS_COUNTERS,                                                            \
		.element_has = offsetof(struct pb_pack_data, sample.counter_has),                  \
		.element_bit = PB_COUNTER_##number, .description = "times since reset: " text      \
	}

#define MEMBER(type, member, label, kind_, uom_, min_, max_, live_, text)                          \
	{                                                                                          \
		.name = (label), .kind = PB_KIND_##kind_, .uom = PB_UOM_##uom_, .min = (min_),     \
		.max = (max_), .offset = offsetof(struct type, member),                            \
		.size = SIZE(type, member), .is_signed = IS_SIGNED(type, member), .live = (live_), \
		.count = 1, .has = -1, .element_has = -1, .description = (text)                    \
	}

/* a member of struct pb_status */
#define STATUS(member, kind_, uom_, min_, max_, live_, text)                                       \
	MEMBER(pb_pack_data, status.member, #member, kind_, uom_, min_, max_, live_, text)
#define GATEWAY(member, kind_, uom_, min_, max_, text)                                             \
	MEMBER(pb_gateway, member, #member, kind_, uom_, min_, max_, true, text)

#define QUALITY_TEXT "0 never read, 1 good, 2 stale, 3 stale and link lost"

/* clang-format off */
static const struct pb_field pack_fields[] = {
	SAMPLE(voltage_mv, NUMBER, MV, 0, 600000, VOLTAGE, "voltage at the pack's terminals"),
	SAMPLE(current_ma, NUMBER, MA, -4000000, 4000000, CURRENT, "current, positive while charging"),
	SAMPLE(power_mw, NUMBER, MW, -1000000000, 1000000000, POWER, "voltage times current, positive while charging"),
	SAMPLE(soc_permille, NUMBER, PERMILLE, 0, 1000, SOC, "state of charge"),
	SAMPLE(soh_permille, NUMBER, PERMILLE, 0, 1000, SOH, "state of health"),
	SAMPLE(remaining_mah, NUMBER, MAH, 0, 10000000, REMAINING, "charge left"),
	SAMPLE(nominal_mah, NUMBER, MAH, 0, 10000000, NOMINAL, "capacity by design"),
	SAMPLE(full_mah, NUMBER, MAH, 0, 10000000, FULL, "capacity as the BMS has learned it"),
	SAMPLE(cycles, NUMBER, NONE, 0, 65534, CYCLES, "full cycles"),
	SAMPLE(production_date, DATE, NONE, 20000101, 21271231, PRODUCTION_DATE, "production date, YYYYMMDD"),
	SAMPLE(balance_mask, MASK, NONE, 0, (INT64_C(1) << PB_CELLS_MAX) - 1, BALANCE, "cells being balanced, bit 0 is cell 1"),
	SAMPLE(protection_mask, MASK, NONE, 0, 0xFFFF, PROTECTION, "active protections: "
		"0 cell over-voltage, 1 cell under-voltage, 2 pack over-voltage, 3 pack under-voltage, "
		"4 charge over-temperature, 5 charge under-temperature, 6 discharge over-temperature, "
		"7 discharge under-temperature, 8 charge over-current, 9 discharge over-current, "
		"10 short circuit, 11 front-end failure, 12 FET locked by command (no fault), "
		"13 charge FET broken, 14 discharge FET broken"),
	SAMPLE(alarm_mask, MASK, NONE, 0, 0xFFFF, ALARM, "the BMS's own warning bits, numbered as its maker does"),
	SAMPLE(version, NUMBER, NONE, 0, 65534, VERSION, "firmware byte of the BMS, as it is"),
	SAMPLE(charge_fet, BOOL, NONE, 0, 1, CHARGE_FET, "the charge FET conducts"),
	SAMPLE(discharge_fet, BOOL, NONE, 0, 1, DISCHARGE_FET, "the discharge FET conducts"),
	SAMPLE(cell_count, NUMBER, NONE, 0, PB_CELLS_MAX, CELLS, "cells in series"),
	ARRAY(cell_mv, cell_has, MV, 0, 20000, CELLS, "cell voltage"),
	SAMPLE(temperature_count, NUMBER, NONE, 0, PB_TEMPERATURES_MAX, TEMPERATURES, "temperature probes that the BMS has a place for"),
	ARRAY(temperature_mc, temperature_has, MC, -100000, 300000, TEMPERATURES, "temperature"),
	SAMPLE(cell_min_mv, NUMBER, MV, 0, 20000, CELL_EXTREMES, "lowest cell voltage"),
	SAMPLE(cell_max_mv, NUMBER, MV, 0, 20000, CELL_EXTREMES, "highest cell voltage"),
	SAMPLE(cell_min_index, NUMBER, NONE, 1, PB_CELLS_MAX, CELL_EXTREMES, "number of the lowest cell, from 1"),
	SAMPLE(cell_max_index, NUMBER, NONE, 1, PB_CELLS_MAX, CELL_EXTREMES, "number of the highest cell, from 1"),
	SAMPLE(cell_delta_mv, NUMBER, MV, 0, 20000, CELL_EXTREMES, "highest minus lowest cell voltage"),
	SAMPLE(temperature_min_mc, NUMBER, MC, -100000, 300000, TEMPERATURE_EXTREMES, "lowest temperature"),
	SAMPLE(temperature_max_mc, NUMBER, MC, -100000, 300000, TEMPERATURE_EXTREMES, "highest temperature"),
	SAMPLE(temperature_avg_mc, NUMBER, MC, -100000, 300000, TEMPERATURE_EXTREMES, "mean of the probes"),
	SAMPLE(device_name, TEXT, NONE, 0, 0, DEVICE_NAME, "the name that the BMS gives itself"),
	COUNTER("short_circuit", SHORT_CIRCUIT, "short circuit"),
	COUNTER("charge_overcurrent", CHARGE_OVERCURRENT, "charge over-current"),
	COUNTER("discharge_overcurrent", DISCHARGE_OVERCURRENT, "discharge over-current"),
	COUNTER("cell_overvoltage", CELL_OVERVOLTAGE, "cell over-voltage"),
	COUNTER("cell_undervoltage", CELL_UNDERVOLTAGE, "cell under-voltage"),
	COUNTER("charge_overtemperature", CHARGE_OVERTEMPERATURE, "charge over-temperature"),
	COUNTER("charge_undertemperature", CHARGE_UNDERTEMPERATURE, "charge under-temperature"),
	COUNTER("discharge_overtemperature", DISCHARGE_OVERTEMPERATURE, "discharge over-temperature"),
	COUNTER("discharge_undertemperature", DISCHARGE_UNDERTEMPERATURE, "discharge under-temperature"),
	COUNTER("pack_overvoltage", PACK_OVERVOLTAGE, "pack over-voltage"),
	COUNTER("pack_undervoltage", PACK_UNDERVOLTAGE, "pack under-voltage"),
	COUNTER("system_restarts", SYSTEM_RESTARTS, "restart of the BMS"),

	STATUS(quality, ENUM, NONE, 0, PB_QUALITY_LOST, true, "what the data is worth: " QUALITY_TEXT),
	STATUS(connected, BOOL, NONE, 0, 1, false, "the link to the pack is up"),
	STATUS(sequence, NUMBER, NONE, 0, 65535, false, "one more for each reading, 1..65535 and again from 1; 0 before the first"),
	STATUS(stale_after_s, NUMBER, S, 0, 65535, false, "age from which a reading counts as stale"),
	STATUS(polls, NUMBER, NONE, 0, UINT32_MAX, false, "polls that brought a reading"),
	STATUS(failures, NUMBER, NONE, 0, UINT32_MAX, false, "polls that brought none"),
	STATUS(connects, NUMBER, NONE, 0, UINT32_MAX, false, "times that the link came up"),
	STATUS(reconnects, NUMBER, NONE, 0, UINT32_MAX, false, "times that the link was lost or given up"),
	STATUS(timeouts, NUMBER, NONE, 0, UINT32_MAX, false, "requests that no reply came to"),
	STATUS(bad_frames, NUMBER, NONE, 0, UINT32_MAX, false, "replies with a wrong checksum or end"),
	STATUS(garbage_bytes, NUMBER, NONE, 0, UINT32_MAX, false, "received bytes that belonged to no reply"),
	STATUS(last_error, ENUM, NONE, 0, PB_ERROR_COUNT - 1, false, "why the last poll or connection failed: "
		"0 nothing failed yet, 1 no connection, 2 connection lost, 3 no reply, 4 wrong checksum, "
		"5 no frame in the bytes, 6 refused by the BMS, 7 impossible content, "
		"8 connected but silent (password?), 9 repeats requests (passkey?), "
		"10 wrong password, 11 released on request"),
	{
		.name = "rssi_dbm", .kind = PB_KIND_NUMBER, .uom = PB_UOM_DBM, .min = -200, .max = 50,
		.offset = offsetof(struct pb_pack_data, status.rssi_dbm), .size = 4, .is_signed = true,
		.count = 1, .has = -1,
		.element_has = offsetof(struct pb_pack_data, status.link_has), .element_bit = 0,
		.description = "signal strength of the link, where it has one",
	},
	MEMBER(pb_pack_data, age_s, "age_s", NUMBER, S, 0, 65535, true, "age of the reading; 65534: that or more; 65535: never read"),
	MEMBER(pb_pack_data, heartbeat, "heartbeat", NUMBER, NONE, 1, 65535, true, "one more each second that packbridge runs, 1..65535 and again from 1"),
	MEMBER(pb_pack_data, name, "name", TEXT, NONE, 0, 0, false, "the pack's name in the configuration"),
	MEMBER(pb_pack_data, protocol, "protocol", TEXT, NONE, 0, 0, false, "the protocol that the pack is read by"),
};

static const struct pb_field gateway_fields[] = {
	GATEWAY(product, TEXT, NONE, 0, 0, "product name"),
	GATEWAY(version, TEXT, NONE, 0, 0, "packbridge's version"),
	GATEWAY(uptime_s, NUMBER, S, 0, UINT32_MAX, "time since the start"),
	GATEWAY(heartbeat, NUMBER, NONE, 1, 65535, "one more each second, 1..65535 and again from 1"),
	GATEWAY(packs, NUMBER, NONE, 0, PB_UNITS_MAX, "packs in the configuration"),
	GATEWAY(online, NUMBER, NONE, 0, PB_UNITS_MAX, "packs with a good reading"),
	GATEWAY(stale, NUMBER, NONE, 0, PB_UNITS_MAX, "packs without one"),
	GATEWAY(clients, NUMBER, NONE, 0, 65534, "Modbus clients connected now"),
	GATEWAY(requests, NUMBER, NONE, 0, UINT32_MAX, "requests taken since the start"),
	GATEWAY(exceptions, NUMBER, NONE, 0, UINT32_MAX, "requests answered by an exception since the start"),
	GATEWAY(malformed, NUMBER, NONE, 0, UINT32_MAX, "connections closed since the start because their bytes were no Modbus, and frames with a wrong CRC"),
	GATEWAY(evicted, NUMBER, NONE, 0, UINT32_MAX, "idle clients closed since the start to let a new one in"),
	GATEWAY(refused, NUMBER, NONE, 0, UINT32_MAX, "connections refused since the start because `allow` does not have them"),
	GATEWAY(timeouts, NUMBER, NONE, 0, UINT32_MAX, "clients closed since the start over half a request, replies not taken, or idleness"),
	{
		.name = "unit_status", .kind = PB_KIND_ENUM, .min = 0, .max = PB_QUALITY_LOST + 1,
		.offset = offsetof(struct pb_gateway, unit_status), .size = 2, .indexed = true,
		.live = true, .count = PB_UNITS_MAX + 1, .has = -1, .element_has = -1,
		.description = "state of that unit: 0 no such unit, 1 never read, 2 good, 3 stale, 4 stale and link lost",
	},
};
/* clang-format on */

_Static_assert(sizeof(struct pb_pack_data) < INT16_MAX, "offsets in struct pb_field are 16 bit");

const struct pb_field *pb_fields(enum pb_scope scope, size_t *ret_count)
{
	if (scope == PB_SCOPE_GATEWAY) {
		*ret_count = PB_ARRAY_SIZE(gateway_fields);
		return gateway_fields;
	}
	*ret_count = PB_ARRAY_SIZE(pack_fields);
	return pack_fields;
}

const struct pb_field *pb_field_find(enum pb_scope scope, const char *name)
{
	size_t count;
	const struct pb_field *fields = pb_fields(scope, &count);

	for (size_t i = 0; i < count; i++)
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	return NULL;
}

const char *pb_field_nearest(enum pb_scope scope, const char *name)
{
	const char *names[PB_ARRAY_SIZE(pack_fields) + PB_ARRAY_SIZE(gateway_fields) + 1];
	size_t count;
	const struct pb_field *fields = pb_fields(scope, &count);

	for (size_t i = 0; i < count; i++)
		names[i] = fields[i].name;
	names[count] = NULL;
	return pb_nearest(name, names);
}

const char *pb_scope_name(enum pb_scope scope)
{
	return scope == PB_SCOPE_GATEWAY ? "gateway" : "pack";
}
