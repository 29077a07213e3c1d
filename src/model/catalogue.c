/* SPDX-License-Identifier: MIT */
/*
 * The field catalogues. min..max is what real packs can show: a map whose register cannot hold it
 * is refused, so a range that is wider than life costs a map a wider register.
 */
#include "packbridge/base.h"
#include "packbridge/model/battery.h"
#include "packbridge/model/field.h"
#include "packbridge/model/gateway.h"

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
#define SAMPLE(member, kind_, uom_, min_, max_, has_, text, ...)                                   \
	{                                                                                          \
		.name = #member, .kind = PB_KIND_##kind_, .uom = PB_UOM_##uom_, .min = (min_),     \
		.max = (max_), .offset = offsetof(struct pb_battery, sample.member),               \
		.size = SIZE(pb_sample, member), .is_signed = IS_SIGNED(pb_sample, member),        \
		.data = true, .count = 1, .has = PB_HAS_##has_, .element_has = -1,                 \
		.description = (text), ##__VA_ARGS__                                               \
	}

/* an array of struct pb_sample, with a mask of the elements that were reported */
#define ARRAY(member, mask, uom_, min_, max_, has_, text, ...)                                     \
	{                                                                                          \
		.name = #member, .kind = PB_KIND_NUMBER, .uom = PB_UOM_##uom_, .min = (min_),      \
		.max = (max_), .offset = offsetof(struct pb_battery, sample.member[0]),            \
		.size = SIZE(pb_sample, member[0]), .is_signed = true, .indexed = true,            \
		.data = true, .count = SIZE(pb_sample, member) / SIZE(pb_sample, member[0]),       \
		.has = PB_HAS_##has_, .element_has = offsetof(struct pb_battery, sample.mask),     \
		.description = (text), ##__VA_ARGS__                                               \
	}

#define COUNTER(label, number, text)                                                               \
	{                                                                                          \
		.name = "counters." label, .kind = PB_KIND_NUMBER, .min = 0, .max = 65534,         \
		.offset = offsetof(struct pb_battery, sample.counters[PB_COUNTER_##number]),       \
		.size = SIZE(pb_sample, counters[0]), .is_signed = true, .data = true, .count = 1, \
		.has = PB_HAS_COUNTERS,                                                            \
		.element_has = offsetof(struct pb_battery, sample.counter_has),                    \
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
	MEMBER(pb_battery, status.member, #member, kind_, uom_, min_, max_, live_, text)
#define GATEWAY(member, kind_, uom_, min_, max_, text)                                             \
	MEMBER(pb_gateway, member, #member, kind_, uom_, min_, max_, true, text)

/* what packbridge makes of readings; @has_: -1 always there; @data_: not without a good reading */
#define MADE(part, member, kind_, uom_, min_, max_, has_, data_, text, ...)                        \
	{                                                                                          \
		.name = #member, .kind = PB_KIND_##kind_, .uom = PB_UOM_##uom_, .min = (min_),     \
		.max = (max_), .offset = offsetof(struct pb_battery, part.member),                 \
		.size = SIZE(pb_battery, part.member),                                             \
		.is_signed = IS_SIGNED(pb_battery, part.member), .data = (data_), .count = 1,      \
		.has = (has_), .element_has = -1, .description = (text), ##__VA_ARGS__             \
	}
#define ALARMS(member, kind_, max_, text)                                                          \
	MADE(alarms, member, kind_, NONE, 0, max_, -1, false, text)
#define LIMIT(member, kind_, uom_, max_, has_, text, ...)                                          \
	MADE(limits, member, kind_, uom_, 0, max_, has_, true, text, ##__VA_ARGS__)
#define COUNT(member, text) MADE(members, member, NUMBER, NONE, 0, PB_MEMBERS_MAX, -1, false, text)
#define EXTREME(member, min_, max_, uom_, has_, text)                                              \
	MADE(members, member, NUMBER, uom_, min_, max_, PB_HAS_##has_, true, text)
/* what follows from the configuration and the reading */
#define RATING(member, uom_, max_, has_, text, ...)                                                \
	MADE(rating, member, NUMBER, uom_, 0, max_, PB_HAS_##has_, true, text, ##__VA_ARGS__)
/* a counted value of struct pb_history; @bit: enum pb_history_has, HISTORY_ALWAYS: always there */
#define HISTORY_ALWAYS 64
#define HISTORY(member, label, kind_, uom_, min_, max_, bit, text, ...)                            \
	{                                                                                          \
		.name = (label), .kind = PB_KIND_##kind_, .uom = PB_UOM_##uom_, .min = (min_),     \
		.max = (max_), .offset = offsetof(struct pb_battery, history.member),              \
		.size = SIZE(pb_battery, history.member),                                          \
		.is_signed = IS_SIGNED(pb_battery, history.member), .count = 1, .has = -1,         \
		.element_has = (bit) == HISTORY_ALWAYS                                             \
				       ? -1                                                        \
				       : (int16_t)offsetof(struct pb_battery, history.has),        \
		.element_bit = (bit) % HISTORY_ALWAYS, .description = (text), ##__VA_ARGS__        \
	}
#define TOTAL(member, uom_, max_, text)                                                            \
	HISTORY(member, #member, NUMBER, uom_, 0, max_, HISTORY_ALWAYS, text, .total = true)
#define EVER(which, label, uom_, min_, max_, text, ...)                                            \
	HISTORY(extreme[PB_EXTREME_##which], label, NUMBER, uom_, min_, max_, PB_EXTREME_##which,  \
		text, ##__VA_ARGS__)
#define SINCE(which, label, text)                                                                  \
	HISTORY(since_s[PB_EXTREME_##which], label, NUMBER, S, 0, UINT32_MAX - 1,                  \
		PB_EXTREME_##which, text, .live = true)
#define COUNTED_MAX INT64_C(1000000000000000) /* 1 TWh */
/* a member of struct pb_control; @wish_: a client may ask for it */
#define CONTROL(member, label, kind_, uom_, max_, wish_, text, ...)                                \
	{                                                                                          \
		.name = (label), .kind = PB_KIND_##kind_, .uom = PB_UOM_##uom_, .max = (max_),     \
		.offset = offsetof(struct pb_battery, control.member),                             \
		.size = SIZE(pb_battery, control.member), .wish = (wish_), .count = 1, .has = -1,  \
		.element_has = -1, .description = (text), ##__VA_ARGS__                            \
	}
/* an array of struct pb_alarms */
#define LEVELS(member, label, max_, mask, text)                                                    \
	{                                                                                          \
		.name = (label), .kind = PB_KIND_ENUM, .min = 0, .max = (max_),                    \
		.offset = offsetof(struct pb_battery, alarms.member[0]), .size = 1,                \
		.indexed = true, .count = SIZE(pb_battery, alarms.member), .has = -1,              \
		.element_has = (mask), .description = (text)                                       \
	}
/* an age in seconds, kept as 65535 while there is none */
#define AGE(member, text)                                                                          \
	{                                                                                          \
		.name = #member, .kind = PB_KIND_NUMBER, .uom = PB_UOM_S, .min = 0, .max = 65534,  \
		.offset = offsetof(struct pb_battery, member), .size = SIZE(pb_battery, member),   \
		.live = true, .count = 1, .has = -1, .element_has = -1, .has_none = true,          \
		.none = 65535, .description = (text)                                               \
	}

#define ALARM_TEXT                                                                                 \
	"0 cell high, 1 cell low, 2 voltage high, 3 voltage low, 4 cells far apart, "              \
	"5 too hot to charge, 6 too cold to charge, 7 too hot to discharge, "                      \
	"8 too cold to discharge, 9 state of charge low, 10 charge current high, "                 \
	"11 discharge current high, 12 no reading, 13 protection of the BMS, "                     \
	"14 FET switched off by the BMS, 15 values that never change though a current flows"
#define REASON_TEXT                                                                                \
	"0 unknown, 1 the configured maximum, 2 cell voltage, 3 temperature, "                     \
	"4 state of charge, 5 switched off by the BMS, 6 protection of the BMS, 7 no reading, "    \
	"8 rising slowly, 9 incomplete reading, 10 maximum of the bank, 11 absorption, 12 float, " \
	"13 one cell runs high, 14 no pack takes part, 15 inhibited by control"

#define CONTROL_STATE_TEXT                                                                         \
	"0 not enabled, 1 confirmed and ordered here by a person, 2 nothing is inhibited, "        \
	"3 waits, 4 a command is being sent, 5 sent, waits for a reading, 6 confirmed by a "       \
	"reading, 7 the BMS holds a switch otherwise, 8 failed, 9 the lease ended, 10 locked by "  \
	"somebody else"
#define CONTROL_REASON_TEXT                                                                        \
	"0 none, 1 not enabled, 2 no live reading, 3 the bank keeps packs closed, "                \
	"4 too soon or too often, 5 the lease ended, 6 another client owns it, "                   \
	"7 current in the opposite direction, 8 nothing else would feed the bank, "                \
	"9 refused by the BMS, 10 no reply of the BMS, 11 acknowledged without effect, "           \
	"12 protection of the BMS, 13 locked by somebody else, e.g. the phone app, "               \
	"14 the protocol has no such command, 15 the bank's limits drop first, "                   \
	"16 the reading does not tell what is locked, 17 the BMS holds it otherwise"
#define EVENT_TEXT                                                                                 \
	"0 none, 1 start of the program, 2 stop of the program, 3 reload, 4 lost (no live "        \
	"reading), 5 live again, "                                                                 \
	"6 alarm begins, 7 alarm ends, 8 protection begins, 9 protection ends, 10 phase of "       \
	"charging, "                                                                               \
	"11 FET opens, 12 FET closes, 13 control, 14 log lost messages, 15 history lost"

#define QUALITY_TEXT "0 never read, 1 good, 2 stale, 3 stale and link lost"

/* clang-format off */
static const struct pb_field battery_fields[] = {
	SAMPLE(voltage_mv, NUMBER, MV, 0, 600000, VOLTAGE, "voltage at the terminals", .sum = true, .vital = true),
	SAMPLE(current_ma, NUMBER, MA, -4000000, 4000000, CURRENT, "current, positive while charging", .sum = true, .flow = true, .vital = true),
	SAMPLE(power_mw, NUMBER, MW, -PB_POWER_MAX_MW, PB_POWER_MAX_MW, POWER, "voltage times current, positive while charging", .sum = true, .flow = true),
	SAMPLE(activity, ENUM, NONE, 0, PB_ACTIVITY_DISCHARGING, ACTIVITY, "which way the charge flows, from 0.1 A on: 0 idle, 1 charging, 2 discharging"),
	SAMPLE(soc_permille, NUMBER, PERMILLE, 0, 1000, SOC, "state of charge", .vital = true),
	SAMPLE(soc_percent, NUMBER, NONE, 0, 100, SOC, "state of charge in whole %; 0 and 100 only when it is just that, since inverters act on these"),
	SAMPLE(dod_permille, NUMBER, PERMILLE, 0, 1000, SOC, "depth of discharge: what is missing to a state of charge of 100 %"),
	SAMPLE(soh_permille, NUMBER, PERMILLE, 0, 1000, SOH, "state of health"),
	SAMPLE(remaining_mah, NUMBER, MAH, 0, 10000000, REMAINING, "charge left", .sum = true),
	SAMPLE(nominal_mah, NUMBER, MAH, 0, 10000000, NOMINAL, "capacity by design", .sum = true),
	SAMPLE(full_mah, NUMBER, MAH, 0, 10000000, FULL, "capacity as the BMS has learned it", .sum = true),
	SAMPLE(consumed_mah, NUMBER, MAH, 0, 10000000, CONSUMED, "what is missing to the full capacity", .sum = true),
	SAMPLE(time_to_empty_s, NUMBER, S, 0, PB_TIME_TO_EMPTY_MAX_S, TIME_TO_EMPTY, "until empty at the present current, while discharging"),
	SAMPLE(cycles, NUMBER, NONE, 0, 65534, CYCLES, "full cycles"),
	SAMPLE(production_date, DATE, NONE, 20000101, 21271231, PRODUCTION_DATE, "production date, YYYYMMDD"),
	SAMPLE(balance_mask, MASK, NONE, 0, (INT64_C(1) << PB_CELLS_MAX) - 1, BALANCE, "cells being balanced, bit 0 is cell 1"),
	SAMPLE(balancing, BOOL, NONE, 0, 1, BALANCING, "some cell is being balanced"),
	SAMPLE(protection_mask, MASK, NONE, 0, 0xFFFF, PROTECTION, "active protections: "
		"0 cell over-voltage, 1 cell under-voltage, 2 pack over-voltage, 3 pack under-voltage, "
		"4 charge over-temperature, 5 charge under-temperature, 6 discharge over-temperature, "
		"7 discharge under-temperature, 8 charge over-current, 9 discharge over-current, "
		"10 short circuit, 11 front-end failure, 12 FET locked by command (no fault), "
		"13 charge FET broken, 14 discharge FET broken"),
	SAMPLE(protection_active, BOOL, NONE, 0, 1, PROTECTION, "some protection that is a fault is active"),
	SAMPLE(alarm_mask, MASK, NONE, 0, INT32_MAX, ALARM, "the BMS's own warning bits, numbered as its maker does"),
	SAMPLE(version, NUMBER, NONE, 0, 65534, VERSION, "firmware byte of the BMS, as it is"),
	SAMPLE(charge_fet, BOOL, NONE, 0, 1, CHARGE_FET, "the charge FET conducts"),
	SAMPLE(discharge_fet, BOOL, NONE, 0, 1, DISCHARGE_FET, "the discharge FET conducts"),
	SAMPLE(charge_switch, BOOL, NONE, 0, 1, CHARGE_SWITCH, "the charge FET is commanded on, where the BMS tells that; the FET itself may be off, e.g. by a protection"),
	SAMPLE(discharge_switch, BOOL, NONE, 0, 1, DISCHARGE_SWITCH, "the discharge FET is commanded on, as for charging"),
	SAMPLE(cell_count, NUMBER, NONE, 0, PB_CELLS_MAX, CELLS, "cells in series", .sum = true, .vital = true),
	ARRAY(cell_mv, cell_has, MV, 0, 20000, CELLS, "cell voltage", .vital = true),
	SAMPLE(temperature_count, NUMBER, NONE, 0, PB_TEMPERATURES_MAX, TEMPERATURES, "temperature probes that the BMS has a place for"),
	ARRAY(temperature_mc, temperature_has, MC, -100000, 300000, TEMPERATURES, "temperature"),
	SAMPLE(cell_min_mv, NUMBER, MV, 0, 20000, CELL_EXTREMES, "lowest cell voltage"),
	SAMPLE(cell_max_mv, NUMBER, MV, 0, 20000, CELL_EXTREMES, "highest cell voltage"),
	SAMPLE(cell_min_index, NUMBER, NONE, 1, PB_CELLS_MAX, CELL_EXTREMES, "number of the lowest cell, from 1"),
	SAMPLE(cell_max_index, NUMBER, NONE, 1, PB_CELLS_MAX, CELL_EXTREMES, "number of the highest cell, from 1"),
	SAMPLE(cell_delta_mv, NUMBER, MV, 0, 20000, CELL_EXTREMES, "highest minus lowest cell voltage"),
	SAMPLE(cell_avg_mv, NUMBER, MV, 0, 20000, CELL_EXTREMES, "mean cell voltage"),
	SAMPLE(temperature_min_mc, NUMBER, MC, -100000, 300000, TEMPERATURE_EXTREMES, "lowest temperature"),
	SAMPLE(temperature_max_mc, NUMBER, MC, -100000, 300000, TEMPERATURE_EXTREMES, "highest temperature"),
	SAMPLE(temperature_avg_mc, NUMBER, MC, -100000, 300000, TEMPERATURE_EXTREMES, "mean of the probes"),
	SAMPLE(temperature_min_index, NUMBER, NONE, 1, PB_TEMPERATURES_MAX, TEMPERATURE_EXTREMES, "number of the coldest probe, from 1"),
	SAMPLE(temperature_max_index, NUMBER, NONE, 1, PB_TEMPERATURES_MAX, TEMPERATURE_EXTREMES, "number of the hottest probe, from 1"),
	SAMPLE(mos_temperature_mc, NUMBER, MC, -100000, 300000, MOS_TEMPERATURE, "temperature of the switching transistors"),
	SAMPLE(device_name, TEXT, NONE, 0, 0, DEVICE_NAME, "the name that the BMS gives itself"),
	SAMPLE(firmware, TEXT, NONE, 0, 0, FIRMWARE, "the BMS's firmware, where it has a name"),
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

	MEMBER(pb_battery, quality, "quality", ENUM, NONE, 0, PB_QUALITY_LOST, true, "what the data is worth: " QUALITY_TEXT),
	STATUS(connected, BOOL, NONE, 0, 1, false, "the link to the pack is up"),
	STATUS(sequence, NUMBER, NONE, 0, 65535, false, "one more for each reading, 1..65535 and again from 1; 0 before the first"),
	STATUS(stale_after_s, NUMBER, S, 0, 65535, false, "age from which a reading counts as stale"),
	STATUS(polls, NUMBER, NONE, 0, UINT32_MAX, false, "polls that brought a reading"),
	STATUS(failures, NUMBER, NONE, 0, UINT32_MAX, false, "polls that brought none"),
	STATUS(connects, NUMBER, NONE, 0, UINT32_MAX, false, "times that the link came up"),
	STATUS(connect_failures, NUMBER, NONE, 0, UINT32_MAX, false, "attempts to connect to the pack that failed"),
	STATUS(reconnects, NUMBER, NONE, 0, UINT32_MAX, false, "times that the link was lost or given up"),
	STATUS(timeouts, NUMBER, NONE, 0, UINT32_MAX, false, "requests that no reply came to"),
	STATUS(bad_frames, NUMBER, NONE, 0, UINT32_MAX, false, "replies with a wrong checksum or end"),
	STATUS(garbage_bytes, NUMBER, NONE, 0, UINT32_MAX, false, "received bytes that belonged to no reply"),
	STATUS(unsolicited, NUMBER, NONE, 0, UINT32_MAX, false, "replies that answer no request: another device or program is on the line"),
	STATUS(impossible_readings, NUMBER, NONE, 0, UINT32_MAX, false, "readings refused because a value that they can't do without was impossible"),
	STATUS(impossible_values, NUMBER, NONE, 0, UINT32_MAX, false, "impossible values that were left out of readings"),
	STATUS(last_error, ENUM, NONE, 0, PB_ERROR_COUNT - 1, false, "why the last poll or connection failed: "
		"0 nothing failed yet, 1 no connection, 2 connection lost, 3 no reply, 4 wrong checksum, "
		"5 no frame in the bytes, 6 refused by the BMS, 7 impossible content, "
		"8 connected but silent (password?), 9 repeats requests (passkey?), "
		"10 wrong password, 11 released on request, 12 too old when they come, "
		"13 replies that nobody asked for, 14 several boards on one line"),
	{
		.name = "rssi_dbm", .kind = PB_KIND_NUMBER, .uom = PB_UOM_DBM, .min = -200, .max = 50,
		.offset = offsetof(struct pb_battery, rssi_dbm), .size = 4, .is_signed = true,
		.count = 1, .has = -1,
		.element_has = offsetof(struct pb_battery, link_has), .element_bit = 0,
		.description = "signal strength of the link, where it has one",
	},
	AGE(age_s, "age of the reading; 65534: that or more; absent: never read"),
	AGE(details_age_s, "age of the oldest value that is asked for rarely: counters, names, dates, capacity by design; 65534: that or more; absent: there is none"),
	{
		.name = "unchanged_s", .kind = PB_KIND_NUMBER, .uom = PB_UOM_S, .max = 65534,
		.offset = offsetof(struct pb_battery, unchanged_s), .size = 2, .data = true, .count = 1,
		.has = PB_HAS_UNCHANGED, .element_has = -1,
		.description = "for so long nothing that is measured has changed; 65534: that or more; of a bank, the longest of its packs",
	},
	MEMBER(pb_battery, heartbeat, "heartbeat", NUMBER, NONE, 1, 65535, true, "one more each second that packbridge runs, 1..65535 and again from 1"),
	MEMBER(pb_battery, name, "name", TEXT, NONE, 0, 0, false, "its name in the configuration"),
	MEMBER(pb_battery, protocol, "protocol", TEXT, NONE, 0, 0, false, "the protocol that the pack is read by; bank for a bank"),
	MEMBER(pb_battery, software, "software", TEXT, NONE, 0, 0, false, "packbridge's version"),

	MEMBER(pb_battery, event.number, "event_number", NUMBER, NONE, 0, UINT32_MAX, false, "number of its newest event; higher than those of all events before; 0: none yet"),
	MEMBER(pb_battery, event.kind, "event_kind", ENUM, NONE, 0, PB_EVENT_COUNT - 1, false, "what its newest event is: " EVENT_TEXT),
	MEMBER(pb_battery, event.code, "event_code", NUMBER, NONE, 0, 65534, false, "of its newest event: number of the alarm, of the bit of the protection, of the phase, of the control's state, of the error with which it was lost; of a FET 1 charge, 2 discharge"),
	MEMBER(pb_battery, event.level, "event_level", ENUM, NONE, 0, PB_LEVEL_ALARM, false, "level of its newest event: 0 nothing, 1 warning, 2 alarm"),
	MEMBER(pb_battery, event.count, "event_count", NUMBER, NONE, 0, 65534, false, "how often its newest event has repeated; 65534: that or more"),

	ALARMS(warnings, MASK, (1 << PB_ALARM_COUNT) - 1, "packbridge's warnings, alarms included: " ALARM_TEXT),
	ALARMS(alarms, MASK, (1 << PB_ALARM_COUNT) - 1, "packbridge's alarms, numbered as the warnings"),
	ALARMS(severity, ENUM, PB_LEVEL_ALARM, "the worst of them: 0 nothing, 1 warning, 2 alarm"),
	LEVELS(level, "alarm_level", PB_LEVEL_ALARM, -1, "level of that warning, numbered as the warnings: 0 nothing, 1 warning, 2 alarm"),
	LEVELS(worst, "worst_level", PB_LEVEL_ALARM, -1, "the same, and 2 while the BMS has a protection of that kind by itself"),
	LEVELS(cell, "cell_state", PB_NORMAL_UNKNOWN, offsetof(struct pb_battery, alarms.cell_has), "the cell by the alarms' limits: 0 normal, 1 low, 2 high, 3 without a value"),
	LEVELS(temperature, "temperature_state", PB_NORMAL_UNKNOWN, offsetof(struct pb_battery, alarms.temperature_has), "the probe by the alarms' limits: 0 normal, 1 low, 2 high, 3 without a value"),

	LIMIT(charge_voltage_mv, NUMBER, MV, 600000, PB_HAS_CHARGE_VOLTAGE, "charge voltage limit (CVL)", .sum = true, .safe = PB_SAFE_BELOW),
	LIMIT(discharge_voltage_mv, NUMBER, MV, 600000, PB_HAS_DISCHARGE_VOLTAGE, "voltage at which discharging should end", .sum = true, .safe = PB_SAFE_ABOVE),
	LIMIT(charge_current_ma, NUMBER, MA, 4000000, PB_HAS_CHARGE_CURRENT, "charge current limit (CCL)", .sum = true, .safe = PB_SAFE_BELOW),
	LIMIT(discharge_current_ma, NUMBER, MA, 4000000, PB_HAS_DISCHARGE_CURRENT, "discharge current limit (DCL)", .sum = true, .safe = PB_SAFE_BELOW),
	LIMIT(charge_voltage_reason, ENUM, NONE, PB_REASON_COUNT - 1, -1, "what sets the charge voltage limit: " REASON_TEXT),
	LIMIT(charge_current_reason, ENUM, NONE, PB_REASON_COUNT - 1, -1, "what sets the charge current limit, numbered as for the charge voltage"),
	LIMIT(discharge_current_reason, ENUM, NONE, PB_REASON_COUNT - 1, -1, "what sets the discharge current limit, numbered as for the charge voltage"),
	LIMIT(charge_voltage_pack, NUMBER, NONE, PB_MEMBERS_MAX, -1, "number of the pack that sets the bank's charge voltage limit, from 1; 0: none"),
	LIMIT(charge_current_pack, NUMBER, NONE, PB_MEMBERS_MAX, -1, "number of the pack that sets the bank's charge current limit, from 1; 0: none"),
	LIMIT(discharge_current_pack, NUMBER, NONE, PB_MEMBERS_MAX, -1, "number of the pack that sets the bank's discharge current limit, from 1; 0: none"),
	LIMIT(charge_phase, ENUM, NONE, PB_PHASE_FLOAT, -1, "where charging stands: 0 unknown, 1 bulk, 2 absorption, 3 float"),
	LIMIT(charge_allowed, BOOL, NONE, 1, PB_HAS_REQUESTS, "it may be charged: the charge current limit is not 0"),
	LIMIT(discharge_allowed, BOOL, NONE, 1, PB_HAS_REQUESTS, "it may be discharged: the discharge current limit is not 0"),
	LIMIT(charge_now, BOOL, NONE, 1, PB_HAS_REQUESTS, "so empty that it should be charged from wherever possible"),
	LIMIT(charge_soon, BOOL, NONE, 1, PB_HAS_REQUESTS, "nearly so empty"),
	LIMIT(charge_voltage_text, TEXT, NONE, 0, -1, "what sets the charge voltage limit, in words"),
	LIMIT(charge_current_text, TEXT, NONE, 0, -1, "what sets the charge current limit, in words"),
	LIMIT(discharge_current_text, TEXT, NONE, 0, -1, "what sets the discharge current limit, in words"),

	COUNT(packs, "packs of the bank; 1 for a pack"),
	COUNT(packs_online, "packs of it with a good reading"),
	COUNT(packs_stale, "packs of it without one"),
	COUNT(packs_parallel, "packs side by side"),
	COUNT(packs_series, "packs in series"),
	COUNT(packs_charge, "packs with a good reading whose charge switch is on and that no protection stops"),
	COUNT(packs_discharge, "packs with a good reading whose discharge switch is on and that no protection stops"),
	COUNT(packs_charge_blocked, "packs with a good reading that can't be charged"),
	COUNT(packs_discharge_blocked, "packs with a good reading that can't be discharged"),
	MADE(members, packs_online_set, MASK, NONE, 0, INT64_MAX, -1, false, "packs with a good reading, bit 0 is the first"),
	MADE(members, charge_all, BOOL, NONE, 0, 1, PB_HAS_SWITCHES, true, "all packs can be charged"),
	MADE(members, charge_any, BOOL, NONE, 0, 1, PB_HAS_SWITCHES, true, "at least one pack can be charged"),
	MADE(members, discharge_all, BOOL, NONE, 0, 1, PB_HAS_SWITCHES, true, "all packs can be discharged"),
	MADE(members, discharge_any, BOOL, NONE, 0, 1, PB_HAS_SWITCHES, true, "at least one pack can be discharged"),
	EXTREME(soc_total_permille, 0, 1000, PERMILLE, SOC_TOTAL, "charge left of full capacity"),
	EXTREME(soc_min_permille, 0, 1000, PERMILLE, SOC_SPREAD, "lowest state of charge of the packs"),
	EXTREME(soc_max_permille, 0, 1000, PERMILLE, SOC_SPREAD, "highest state of charge of the packs"),
	EXTREME(voltage_spread_mv, 0, 600000, MV, VOLTAGE_SPREAD, "highest minus lowest voltage of the packs"),
	EXTREME(pack_cell_count, 0, PB_CELLS_MAX, NONE, PACK_CELLS, "cells of each pack, when all have as many"),
	EXTREME(cell_min_pack, 1, PB_MEMBERS_MAX, NONE, CELL_PACKS, "number of the pack with the lowest cell, from 1"),
	EXTREME(cell_max_pack, 1, PB_MEMBERS_MAX, NONE, CELL_PACKS, "number of the pack with the highest cell, from 1"),
	EXTREME(temperature_min_pack, 1, PB_MEMBERS_MAX, NONE, TEMPERATURE_PACKS, "number of the pack with the coldest probe, from 1"),
	EXTREME(temperature_max_pack, 1, PB_MEMBERS_MAX, NONE, TEMPERATURE_PACKS, "number of the pack with the hottest probe, from 1"),
	MADE(members, cell_min_name, TEXT, NONE, 0, 0, PB_HAS_CELL_PACKS, true, "lowest cell: 3, or 2.3 for cell 3 of pack 2"),
	MADE(members, cell_max_name, TEXT, NONE, 0, 0, PB_HAS_CELL_PACKS, true, "highest cell, as for the lowest"),
	MADE(members, temperature_min_name, TEXT, NONE, 0, 0, PB_HAS_TEMPERATURE_PACKS, true, "coldest probe, as for cells"),
	MADE(members, temperature_max_name, TEXT, NONE, 0, 0, PB_HAS_TEMPERATURE_PACKS, true, "hottest probe, as for cells"),

	MADE(rating, chemistry, ENUM, NONE, 0, PB_CHEMISTRY_COUNT - 1, -1, false, "chemistry by the configuration: 0 LiFePO4, 1 NMC, 2 LTO, 3 lead"),
	RATING(charge_max_ma, MA, 4000000, CHARGE_MAX, "largest charge current by the configuration", .sum = true, .safe = PB_SAFE_BELOW),
	RATING(discharge_max_ma, MA, 4000000, DISCHARGE_MAX, "largest discharge current by the configuration", .sum = true, .safe = PB_SAFE_BELOW),
	RATING(full_voltage_mv, MV, 600000, FULL_VOLTAGE, "voltage up to which it is charged, by the configuration", .sum = true, .safe = PB_SAFE_BELOW),
	RATING(energy_mwh, MWH, INT64_C(6000000000), ENERGY, "nominal capacity at the nominal voltage of its chemistry", .sum = true),
	RATING(charge_max_mw, MW, INT64_C(2400000000), CHARGE_POWER, "largest charge current at the nominal voltage", .sum = true, .safe = PB_SAFE_BELOW),
	RATING(discharge_max_mw, MW, INT64_C(2400000000), DISCHARGE_POWER, "largest discharge current at the nominal voltage", .sum = true, .safe = PB_SAFE_BELOW),
	RATING(cell_high_mv, MV, 20000, CELL_LEVELS, "cell voltage from which a cell is too high, by the alarms", .safe = PB_SAFE_BELOW),
	RATING(cell_low_mv, MV, 20000, CELL_LEVELS, "cell voltage up to which a cell is too low, by the alarms", .safe = PB_SAFE_ABOVE),

	TOTAL(charged_mah, MAH, COUNTED_MAX, "charge that packbridge has counted into the battery"),
	TOTAL(discharged_mah, MAH, COUNTED_MAX, "charge that packbridge has counted out of the battery"),
	TOTAL(charged_mwh, MWH, COUNTED_MAX, "energy that packbridge has counted into the battery"),
	TOTAL(discharged_mwh, MWH, COUNTED_MAX, "energy that packbridge has counted out of the battery"),
	HISTORY(charged_today_mwh, "charged_today_mwh", NUMBER, MWH, 0, COUNTED_MAX, PB_HISTORY_TODAY, "energy counted in since local midnight; absent: the machine's clock is not set", .total = true, .live = true),
	HISTORY(discharged_today_mwh, "discharged_today_mwh", NUMBER, MWH, 0, COUNTED_MAX, PB_HISTORY_TODAY, "energy counted out since local midnight", .total = true, .live = true),
	HISTORY(charged_yesterday_mwh, "charged_yesterday_mwh", NUMBER, MWH, 0, COUNTED_MAX, PB_HISTORY_YESTERDAY, "energy counted in on the day before", .live = true),
	HISTORY(discharged_yesterday_mwh, "discharged_yesterday_mwh", NUMBER, MWH, 0, COUNTED_MAX, PB_HISTORY_YESTERDAY, "energy counted out on the day before", .live = true),
	HISTORY(unmeasured_s, "unmeasured_s", NUMBER, S, 0, UINT32_MAX - 1, HISTORY_ALWAYS, "time in which nothing could be counted: no live current, of a bank of all its packs", .total = true, .live = true),
	HISTORY(since_full_s, "since_full_s", NUMBER, S, 0, UINT32_MAX - 1, PB_HISTORY_FULL, "time since it was full: 100 %, or held at its full voltage; absent: never yet", .live = true),
	HISTORY(full_charges, "full_charges", NUMBER, NONE, 0, UINT32_MAX - 1, HISTORY_ALWAYS, "times that it became full", .total = true),
	HISTORY(last_discharge_mah, "last_discharge_mah", NUMBER, MAH, 0, COUNTED_MAX, HISTORY_ALWAYS, "most charge drawn, less what came back, since it was full"),
	HISTORY(deepest_discharge_mah, "deepest_discharge_mah", NUMBER, MAH, 0, COUNTED_MAX, HISTORY_ALWAYS, "most charge that was ever drawn so"),
	EVER(CELL_LOWEST, "cell_lowest_mv", MV, 0, 20000, "lowest cell voltage ever seen"),
	SINCE(CELL_LOWEST, "since_cell_lowest_s", "time since the lowest cell voltage"),
	EVER(CELL_HIGHEST, "cell_highest_mv", MV, 0, 20000, "highest cell voltage ever seen"),
	SINCE(CELL_HIGHEST, "since_cell_highest_s", "time since the highest cell voltage"),
	EVER(VOLTAGE_LOWEST, "voltage_lowest_mv", MV, 0, 600000, "lowest voltage ever seen", .sum = true),
	SINCE(VOLTAGE_LOWEST, "since_voltage_lowest_s", "time since the lowest voltage"),
	EVER(VOLTAGE_HIGHEST, "voltage_highest_mv", MV, 0, 600000, "highest voltage ever seen", .sum = true),
	SINCE(VOLTAGE_HIGHEST, "since_voltage_highest_s", "time since the highest voltage"),
	EVER(TEMPERATURE_LOWEST, "temperature_lowest_mc", MC, -100000, 300000, "lowest temperature ever seen"),
	SINCE(TEMPERATURE_LOWEST, "since_temperature_lowest_s", "time since the lowest temperature"),
	EVER(TEMPERATURE_HIGHEST, "temperature_highest_mc", MC, -100000, 300000, "highest temperature ever seen"),
	SINCE(TEMPERATURE_HIGHEST, "since_temperature_highest_s", "time since the highest temperature"),
	{
		.name = "protections_seen", .kind = PB_KIND_NUMBER, .min = 0, .max = UINT32_MAX - 1,
		.offset = offsetof(struct pb_battery, history.protections_seen[0]), .size = 4,
		.indexed = true, .total = true, .count = PB_PROTECT_COUNT, .has = -1, .element_has = -1,
		.description = "times that packbridge has seen that protection of the BMS begin, numbered as protection_mask",
	},
	CONTROL(inhibit_charge, "inhibit_charge", BOOL, NONE, 1, true, "charging is to be inhibited: what is asked for, not what the switch does"),
	CONTROL(inhibit_discharge, "inhibit_discharge", BOOL, NONE, 1, true, "discharging is to be inhibited, as for charging"),
	CONTROL(inhibit_both, "inhibit_both", BOOL, NONE, 1, true, "charging and discharging are to be inhibited, both together"),
	CONTROL(lease_s, "control_lease_s", NUMBER, S, 65534, true, "what remains of the lease; writing it renews the lease, 0: it does not end; absent: there is no lease", .live = true, .has_none = true, .none = PB_LEASE_NONE_S),
	CONTROL(reset, "control_reset", BOOL, NONE, 1, true, "writing 1 forgets a failure and tries again; reads 0"),
	CONTROL(state, "control_state", ENUM, NONE, PB_CONTROL_STATE_COUNT - 1, false, "what has become of what was asked for: " CONTROL_STATE_TEXT),
	CONTROL(reason, "control_reason", ENUM, NONE, PB_CONTROL_REASON_COUNT - 1, false, "why: " CONTROL_REASON_TEXT),
	CONTROL(age_s, "control_age_s", NUMBER, S, 65534, false, "since the last change of the control state; 65534: that or more", .live = true),
	CONTROL(owner, "control_owner", TEXT, NONE, 0, false, "the client that asked for it; empty: nobody"),
};

static const struct pb_field gateway_fields[] = {
	GATEWAY(product, TEXT, NONE, 0, 0, "product name"),
	GATEWAY(version, TEXT, NONE, 0, 0, "packbridge's version"),
	GATEWAY(uptime_s, NUMBER, S, 0, UINT32_MAX, "time since the start"),
	GATEWAY(heartbeat, NUMBER, NONE, 1, 65535, "one more each second, 1..65535 and again from 1"),
	GATEWAY(packs, NUMBER, NONE, 0, PB_UNITS_MAX, "packs in the configuration"),
	GATEWAY(banks, NUMBER, NONE, 0, PB_UNITS_MAX, "banks in the configuration"),
	GATEWAY(online, NUMBER, NONE, 0, PB_UNITS_MAX, "packs with a good reading"),
	GATEWAY(stale, NUMBER, NONE, 0, PB_UNITS_MAX, "packs without one"),
	GATEWAY(warnings, NUMBER, NONE, 0, PB_UNITS_MAX, "packs with a warning or an alarm"),
	GATEWAY(alarms, NUMBER, NONE, 0, PB_UNITS_MAX, "packs with an alarm"),
	GATEWAY(clients, NUMBER, NONE, 0, 65534, "Modbus clients connected now"),
	GATEWAY(requests, NUMBER, NONE, 0, UINT32_MAX, "requests taken since the start"),
	GATEWAY(exceptions, NUMBER, NONE, 0, UINT32_MAX, "requests answered by an exception since the start"),
	GATEWAY(malformed, NUMBER, NONE, 0, UINT32_MAX, "connections closed since the start because their bytes were no Modbus, and frames with a wrong CRC"),
	GATEWAY(evicted, NUMBER, NONE, 0, UINT32_MAX, "idle clients closed since the start to let a new one in"),
	GATEWAY(refused, NUMBER, NONE, 0, UINT32_MAX, "connections refused since the start because `allow` does not have them"),
	GATEWAY(timeouts, NUMBER, NONE, 0, UINT32_MAX, "clients closed since the start over half a request, replies not taken, or idleness"),
	GATEWAY(log_left_out, NUMBER, NONE, 0, UINT32_MAX, "messages left out of the log since the start because nobody read it"),
	{
		.name = "unit_status", .kind = PB_KIND_ENUM, .min = 0, .max = PB_QUALITY_LOST + 1,
		.offset = offsetof(struct pb_gateway, unit_status), .size = 2, .indexed = true,
		.live = true, .count = PB_UNITS_MAX + 1, .has = -1, .element_has = -1,
		.description = "state of that unit: 0 no such unit, 1 never read, 2 good, 3 stale, 4 stale and link lost",
	},
};
/* clang-format on */

_Static_assert(sizeof(struct pb_battery) < INT16_MAX, "offsets in struct pb_field are 16 bit");

const struct pb_field *pb_fields(enum pb_scope scope, size_t *ret_count)
{
	if (scope == PB_SCOPE_GATEWAY) {
		*ret_count = PB_ARRAY_SIZE(gateway_fields);
		return gateway_fields;
	}
	*ret_count = PB_ARRAY_SIZE(battery_fields);
	return battery_fields;
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
	const char *names[PB_ARRAY_SIZE(battery_fields) + PB_ARRAY_SIZE(gateway_fields) + 1];
	size_t count;
	const struct pb_field *fields = pb_fields(scope, &count);

	for (size_t i = 0; i < count; i++)
		names[i] = fields[i].name;
	names[count] = NULL;
	return pb_nearest(name, names);
}

void pb_field_range(const struct pb_field *field, enum pb_scope scope, int64_t *ret_min,
		    int64_t *ret_max)
{
	int64_t packs = field->sum && scope != PB_SCOPE_PACK ? PB_MEMBERS_MAX : 1;

	*ret_min = field->min * packs;
	*ret_max = field->max * packs;
}

const char *pb_scope_name(enum pb_scope scope)
{
	static const char *const names[PB_SCOPE_COUNT] = {
		[PB_SCOPE_PACK] = "pack",
		[PB_SCOPE_BANK] = "bank",
		[PB_SCOPE_BATTERY] = "battery",
		[PB_SCOPE_GATEWAY] = "gateway",
	};

	return names[scope];
}
