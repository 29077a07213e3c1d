/* SPDX-License-Identifier: MIT */
#include "map_text.h"
#include "suite.h"

#include <errno.h>

/* ---- one mistake, one error, at its place ---- */

#define CONTROL_PLAIN(field)                                                                       \
	"access control, expected " field " as it is, or by different 'values', in whole "         \
	"registers or a coil"

static const struct {
	struct map_text map;
	const char *error;
} errors[] = {
	/* names for exports */
	{{.rows = {"addr: 0, type: u16, field: soc_permille, name: 'Voltage'"}},
	 "f:13:57: name 'Voltage', expected small letters, digits and single underscores"},
	{{.rows = {"addr: 0, type: u16, field: soc_permille, name: 'a__b'"}},
	 "f:13:57: name 'a__b', expected small letters, digits and single underscores"},
	{{.rows = {"addr: 0, type: u16, field: soc_permille, name: 'a_'"}},
	 "f:13:57: name 'a_', expected small letters, digits and single underscores"},
	{{.rows = {"addr: 0, type: u16, field: soc_permille, name: '_a'"}},
	 "f:13:57: name '_a', expected small letters, digits and single underscores"},
	{{.rows = {"addr: 0, type: u16, field: soc_permille, name: '9a'"}},
	 "f:13:57: name '9a', expected small letters, digits and single underscores"},
	{{.rows = {"addr: 0, type: u16, field: soc_permille, name: 'the-cell'"}},
	 "f:13:57: name 'the-cell', expected small letters, digits and single underscores"},
	{{.rows = {"addr: 0, type: u16, field: soc_permille, name: 'two words'"}},
	 "f:13:57: name 'two words', expected small letters, digits and single underscores"},
	{{.rows = {"addr: 0, type: bits, bits: [{bit: 0, name: Charging, field: charge_fet}]"}},
	 "f:13:53: name 'Charging', expected small letters"},
	/* fields and elements */
	{{.rows = {"addr: 0, type: u16, field: soc_permile"}},
	 "f:13:37: no field 'soc_permile' of a pack, expected 'soc_permille' perhaps"},
	{{.rows = {"addr: 0, type: u16, field: zzzzzzzzzzzzzzzzz"}},
	 "f:13:37: no field 'zzzzzzzzzzzzzzzzz' of a pack, expected one of the catalogue"},
	{{.scope = "gateway", .rows = {"addr: 0, type: u16, field: soc_permille"}},
	 "f:13:37: no field 'soc_permille' of a gateway, expected "},
	{{.rows = {"addr: 0, type: u16"}}, "f:13:9: type u16, expected a field or a value"},
	{{.rows = {"addr: 0, type: u16, field: cycles, value: 1"}},
	 "f:13:52: a field and a value, expected one of them"},
	{{.rows = {"addr: 0, type: u16, field: cell_mv"}},
	 "f:13:37: cell_mv is an array, expected index, or count for several"},
	{{.count = 49, .rows = {"addr: 0, type: u16, field: cell_mv, count: 49"}},
	 "f:13:53: cell_mv has 48 elements, expected no more"},
	{{.count = 2, .rows = {"addr: 0, type: u16, field: cell_mv, index: 47, count: 2"}},
	 "f:13:64: cell_mv has 48 elements, expected no more"},
	{{.count = 2, .rows = {"addr: 0, type: u16, field: cycles, count: 2"}},
	 "f:13:52: cycles is no array, expected no index and count"},
	{{.rows = {"addr: 0, type: u16, field: cycles, index: 0"}},
	 "f:13:52: cycles is no array, expected no index and count"},

	/* widths and ranges */
	{{.rows = {"addr: 0, type: u16, field: device_name"}},
	 "f:13:25: device_name is text, expected type string"},
	{{.rows = {"addr: 0, type: string, words: 1, field: cycles"}},
	 "f:13:25: cycles is no text, expected a type for numbers"},
	{{.rows = {"addr: 0, type: u16, field: balance_mask"}},
	 "f:13:25: balance_mask needs registers from 0 to 281474976710655, but u16 holds 0 to "
	 "65534; expected a wider type, a coarser scale, or saturate: true"},
	{{.rows = {"addr: 0, type: u16, field: protection_mask"}},
	 "f:13:25: protection_mask needs registers from 0 to 65535, but u16 holds 0 to 65534; "},
	{{.rows = {"addr: 0, type: s16, field: voltage_mv, unit: V, scale: 0.01"}},
	 "f:13:25: voltage_mv needs registers from 0 to 60000, but s16 holds -32767 to 32767; "},
	{{.rows = {"addr: 0, type: u16, field: current_ma, unit: A"}},
	 "f:13:25: current_ma needs registers from -4000 to 4000, but u16 holds 0 to 65534; "},
	{{.rows = {"addr: 0, type: u16, field: voltage_mv, unit: V, scale: -0.01"}},
	 "f:13:25: voltage_mv needs registers from -60000 to 0, but u16 holds 0 to 65534; "},
	{{.rows = {"addr: 0, type: u16, field: voltage_mv, unit: V, scale: 0.01, offset: 10000"}},
	 "f:13:25: voltage_mv needs registers from 10000 to 70000, but u16 holds 0 to 65534; "},
	{{.rows = {"addr: 0, type: u16, field: soc_permille, na: 500"}},
	 "f:13:55: na 500 is a value that soc_permille can have (0 to 1000), expected one outside"},
	{{.rows = {"addr: 0, type: u16, field: soc_permille, na: 65536"}},
	 "f:13:55: na '65536', expected a register of type u16"},
	{{.rows = {"addr: 0, type: s16, field: soc_permille, na: -32769"}},
	 "f:13:55: na '-32769', expected a register of type s16"},
	{{.rows = {"addr: 0, type: u16, field: sequence, na: 0"}},
	 "f:13:51: na, but sequence is always there, expected no na"},

	{{.rows = {"addr: 0, type: u16, field: sequence, absent: old"}},
	 "f:13:55: absent: old, expected that of a field that can be missing, in a map with "},
	{{.head = "stale: last", .rows = {"addr: 0, type: u16, field: soc_permille, absent: old"}},
	 "f:13:59: absent: old, expected that of a field that can be missing, in a map with "},
	{{.rows = {"addr: 0, type: bits, bits: [{bit: 0, width: 2, field: activity, "
		   "absent: old}]"}},
	 "f:13:82: absent 'old', expected a register that fits"},

	/* units and scales */
	{{.rows = {"addr: 0, type: u16, field: soc_permille, unit: V"}},
	 "f:13:57: unit 'V' for soc_permille, expected one of permille, %"},
	{{.rows = {"addr: 0, type: u16, field: cycles, unit: V"}},
	 "f:13:51: unit 'V' for cycles, expected one of none"},
	{{.rows = {"addr: 0, type: u16, field: cycles, scale: 0"}},
	 "f:13:52: scale '0', expected a decimal number such as 0.1, not 0"},
	{{.rows = {"addr: 0, type: u16, field: cycles, scale: 1e3"}},
	 "f:13:52: scale '1e3', expected a decimal number such as 0.1, not 0"},
	{{.rows = {"addr: 0, type: u16, field: cycles, scale: 99999999"}},
	 "f:13:52: scale '99999999', expected a decimal number"},

	/* masks */
	{{.count = 2, .rows = {"addr: 0, type: u32, field: balance_mask, shift: 48, width: 8"}},
	 "f:13:58: balance_mask has no bit 48, expected a lower one"},
	{{.count = 2, .rows = {"addr: 0, type: u32, field: balance_mask, shift: 8"}},
	 "f:13:58: shift without width, expected both"},
	{{.rows = {"addr: 0, type: u16, field: balance_mask, width: 16"}},
	 "f:13:25: balance_mask needs registers from 0 to 65535, but u16 holds 0 to 65534; "},
	{{.rows = {"addr: 0, type: u16, field: cycles, width: 4"}},
	 "f:13:52: cycles is no mask, expected no shift and width"},
	{{.count = 2, .rows = {"addr: 0, type: u32, field: protection_mask, scale: 2"}},
	 "f:13:9: protection_mask is a mask, expected no scale, unit, offset or saturate"},

	/* bits and coils */
	{{.rows = {"addr: 0, type: bits"}}, "f:13:9: type bits, expected a list 'bits'"},
	{{.rows = {"addr: 0, type: bits, bits: [{bit: 16, field: charge_fet}]"}},
	 "f:13:44: bit '16', expected a whole number from 0 to 15"},
	{{.rows = {"addr: 0, type: bits, bits: [{bit: 0, field: charge_fte}]"}},
	 "f:13:54: no field 'charge_fte' of a pack, expected 'charge_fet' perhaps"},
	{{.rows = {"addr: 0, type: bits, bits: [{bit: 0, field: device_name, equals: 1}]"}},
	 "f:13:38: device_name is text, expected a truth value or a mask"},
	{{.rows = {"addr: 0, type: bits, bits: [{bit: 0, field: cell_mv, index: 48, equals: 1}]"}},
	 "f:13:38: cell_mv is an array, expected an index from 0 to 47"},
	{{.rows = {"addr: 0, type: bits, bits: [{bit: 0, field: cell_mv, equals: 1}]"}},
	 "f:13:38: cell_mv is an array, expected an index from 0 to 47"},
	{{.rows = {"addr: 0, type: bits, bits: [{bit: 0, field: charge_fet, index: 0}]"}},
	 "f:13:38: charge_fet is no array, expected no index"},
	{{.rows = {"addr: 0, type: bits, bits: [{bit: 0, field: cycles}]"}},
	 "f:13:38: cycles is a number, expected 'equals: N' to make a bit of it"},
	{{.rows = {"addr: 0, type: bits, bits: [{bit: 0, field: protection_mask, mask_bit: 16}]"}},
	 "f:13:38: protection_mask, expected the mask's bit that is shown, one that it can have"},
	{{.rows = {"addr: 0, type: bits, bits: [{bit: 0, field: protection_mask}]"}},
	 "f:13:38: protection_mask, expected the mask's bit that is shown, one that it can have"},
	{{.rows = {"addr: 0, type: bits, bits: [{bit: 0, field: alarm_mask, mask_bit: 0, "
		   "equals: 1}]"}},
	 "f:13:38: alarm_mask is a mask, expected its bit and no 'equals'"},
	{{.rows = {"addr: 0, type: bits, bits: [{bit: 0, field: charge_fet, mask_bit: 0}]"}},
	 "f:13:38: charge_fet, expected no bit, it is no mask"},
	{{.rows = {"addr: 0, type: bits, bits: [{bit: 1, field: charge_fet}, "
		   "{bit: 1, field: discharge_fet}]"}},
	 "f:13:67: bit 1 appears twice, expected once"},
	{{.tables = "[coil]", .rows = {"addr: 0, type: coil, field: cycles"}},
	 "f:13:38: cycles is a number, expected 'equals: N' to make a bit of it"},
	{{.tables = "[coil]", .rows = {"addr: 0, type: coil, field: device_name, equals: 1"}},
	 "f:13:38: device_name is text, expected a truth value or a mask"},
	{{.tables = "[coil]",
	  .count = 3,
	  .rows = {"addr: 0, type: coil, field: protection_mask, bit: 14, count: 3"}},
	 "f:13:71: protection_mask has no bit 16, expected fewer"},

	/* constants */
	{{.rows = {"addr: 0, type: u16, value: 65536"}},
	 "f:13:37: value '65536', expected a whole number that u16 holds"},
	{{.rows = {"addr: 0, type: u16, value: ten"}},
	 "f:13:37: value 'ten', expected a whole number that u16 holds"},
	{{.rows = {"addr: 0, type: u16, value: [1]"}},
	 "f:13:37: value, expected a number or a text"},
	{{.rows = {"addr: 0, type: u16, value: 1, scale: 2"}},
	 "f:13:47: scale has no meaning for a constant, expected none"},
	{{.rows = {"addr: 0, type: string, words: 1, value: abc"}},
	 "f:13:50: text of 3 characters, expected at most 2"},

	/* keys that would do nothing */
	{{.rows = {"addr: 0, type: u16, field: quality, equals: 1"}},
	 "f:13:54: equals has no meaning for type u16, expected none"},
	{{.rows = {"addr: 0, type: u16, field: cycles, bits: []"}},
	 "f:13:51: bits has no meaning for type u16, expected none"},
	{{.tables = "[coil]", .rows = {"addr: 0, type: coil, field: charge_fet, na: 1"}},
	 "f:13:54: na has no meaning for type coil, expected none"},
	{{.rows = {"addr: 0, type: reserved, words: 1, field: cycles"}},
	 "f:13:52: field has no meaning for type reserved, expected none"},
	{{.rows = {"addr: 0, type: u16, field: cycles, words: 1"}},
	 "f:13:52: type u16 has its own width, expected no words"},
	{{.rows = {"addr: 0, type: string, field: name"}},
	 "f:13:9: type string, expected its number of 'words'"},
	{{.rows = {"addr: 0, type: u16, field: cycles, colour: red"}},
	 "f:13:45: unknown key 'colour', expected "},
	{{.rows = {"addr: 0, type: u17, field: cycles"}},
	 "f:13:25: type 'u17', expected one of u16, s16, u32, s32, u64, f32, string, bits, coil, "
	 "reserved"},
	{{.rows = {"addr: 0, type: u16, field: cycles, access: rw"}},
	 "f:13:53: access rw, expected r, ignore or control: no field of a pack can be written"},
	{{.tables = "[input]", .rows = {"addr: 0, type: u16, value: 1, access: rw"}},
	 "f:13:48: access rw, expected a block of holding registers or coils"},
	{{.rows = {"addr: 0, type: u16, value: 1, min: 1"}},
	 "f:13:45: a limit without access rw, expected both"},
	{{.rows = {"addr: 0, type: u16, value: 1, access: control"}},
	 "f:13:48: access control, expected a field that can be asked for: inhibit_charge, "
	 "inhibit_discharge, inhibit_both, control_lease_s or control_reset"},
	{{.rows = {"addr: 0, type: u16, field: control_state, access: control"}},
	 "f:13:60: access control, expected a field that can be asked for: inhibit_charge, "
	 "inhibit_discharge, inhibit_both, control_lease_s or control_reset"},
	{{.rows = {"addr: 0, type: u16, field: control_lease_s, unit: min, access: control"}},
	 "f:13:9: " CONTROL_PLAIN("control_lease_s")},
	{{.rows = {"addr: 0, type: u16, field: inhibit_charge, offset: 1, access: control"}},
	 "f:13:9: " CONTROL_PLAIN("inhibit_charge")},
	{{.rows = {"addr: 0, type: u16, field: inhibit_both, values: [2, 2], access: control"}},
	 "f:13:9: " CONTROL_PLAIN("inhibit_both")},
	{{.count = 2, .rows = {"addr: 0, type: f32, field: inhibit_charge, access: control"}},
	 "f:13:9: " CONTROL_PLAIN("inhibit_charge")},
	{{.rows = {"addr: 0, type: u16, field: inhibit_charge, or: inhibit_discharge, access: "
		   "control"}},
	 "f:13:9: " CONTROL_PLAIN("inhibit_charge")},
	{{.rows = {"addr: 0, type: u16, field: control_reset, saturate: true, access: control"}},
	 "f:13:9: " CONTROL_PLAIN("control_reset")},
	{{.tables = "[coil]",
	  .rows = {"addr: 0, type: coil, field: control_lease_s, equals: 0, access: control"}},
	 "f:13:9: " CONTROL_PLAIN("control_lease_s")},
	{{.tables = "[input]",
	  .rows = {"addr: 0, type: u16, field: inhibit_charge, access: control"}},
	 "f:13:61: access control, expected a block of holding registers or coils"},
	{{.rows = {"addr: 0, type: u16, field: inhibit_charge, access: control, max: 1"}},
	 "f:13:75: a limit without access rw, expected both"},
	{{.rows = {"addr: 0, type: u16, field: inhibit_charge, access: ignore"}},
	 "f:13:61: access ignore for inhibit_charge, expected r or control: a client would believe "
	 "that it has asked for it"},
	{{.scope = "gateway",
	  .rows = {"addr: 0, type: u16, field: inhibit_charge, access: control"}},
	 "f:13:37: no field 'inhibit_charge' of a gateway, expected one of the catalogue"},
	{{.rows = {"addr: 0, type: u16, value: 1, access: rw, min: 2"}},
	 "f:13:9: limits 2 to 65535, expected them around the value 1"},

	/* what foreign maps need */
	{{.rows = {"addr: 0, type: u16, field: soc_permille, na: 0"}},
	 "f:13:25: soc_permille needs registers from 0 to 1000, but u16 holds 1 to 65535"},
	{{.rows = {"addr: 0, type: u16, field: soc_permille, na: 9999, absent: 0"}},
	 "f:13:55: na and absent, expected one of them"},
	{{.rows = {"addr: 0, type: u16, field: soc_permille, absent: 65536"}},
	 "f:13:59: absent '65536', expected a register that fits"},
	{{.rows = {"addr: 0, type: u16, field: sequence, absent: 0"}},
	 "f:13:55: absent, but sequence is always there, expected no absent"},
	{{.rows = {"addr: 0, type: u16, field: activity, values: [1, 2]"}},
	 "f:13:55: values of activity, expected a list of 3"},
	{{.rows = {"addr: 0, type: u16, field: activity, values: [1, 2, 70000]"}},
	 "f:13:62: value '70000', expected a register that fits"},
	{{.rows = {"addr: 0, type: u16, field: cycles, values: [1, 2]"}},
	 "f:13:53: values, expected a field that is a number with names or a truth value"},
	{{.rows = {"addr: 0, type: u16, field: activity, scale: 2, values: [1, 2, 3]"}},
	 "f:13:65: values, expected a field that is a number with names or a truth value"},
	{{.rows = {"addr: 0, type: u16, field: cycles, or: voltage_mv"}},
	 "f:13:49: voltage_mv, expected a single value like cycles"},
	{{.rows = {"addr: 0, type: u16, field: cell_min_mv, or: cell_mv"}},
	 "f:13:54: cell_mv, expected a single value like cell_min_mv"},
	{{.rows = {"addr: 0, type: u16, value: 1, or: cycles"}},
	 "f:13:44: or has no meaning for a constant, expected none"},
	{{.rows = {"addr: 0, type: bits, bits: [{bit: 15, width: 2, field: activity}]"}},
	 "f:13:38: bits 15 to 16, expected them up to 15"},
	{{.rows = {"addr: 0, type: bits, bits: [{bit: 0, width: 1, field: activity}]"}},
	 "f:13:38: activity needs registers from 0 to 2, but its width holds 0 to 1; expected more "
	 "bits"},
	{{.rows = {"addr: 0, type: bits, bits: [{bit: 0, width: 4, field: activity, equals: 1}]"}},
	 "f:13:38: several bits are a number, expected no mask_bit, any, equals or not"},
	{{.rows = {"addr: 0, type: bits, bits: [{bit: 0, field: charge_fet, unit: V}]"}},
	 "f:13:72: unit is for numbers, expected a width too"},
	{{.rows = {"addr: 0, type: bits, bits: [{bit: 0}]"}},
	 "f:13:38: a bit with neither field nor value, expected one of field and value"},
	{{.rows = {"addr: 0, type: bits, bits: [{bit: 0, field: charge_fet, value: 1}]"}},
	 "f:13:38: a bit with a field and a value, expected one of field and value"},
	{{.rows = {"addr: 0, type: bits, bits: [{bit: 0, value: 2}]"}},
	 "f:13:38: value 2, expected one of 1 bits"},
	{{.rows = {"addr: 0, type: bits, bits: [{bit: 0, width: 3, value: 4}, {bit: 2, value: "
		   "1}]"}},
	 "f:13:68: bit 2 appears twice, expected once"},
	{{.tables = "[input]", .rows = {"addr: 0, type: u16, value: 1, access: ignore"}},
	 "f:13:48: access ignore, expected a block of holding registers or coils"},
	{{.rows = {"addr: 0, type: u16, value: 1, access: ignore, min: 1"}},
	 "f:13:61: a limit without access rw, expected both"},
	{{.head = "options: [upside-down]", .rows = {"addr: 0, type: reserved, words: 1"}},
	 "f:5:10: options, expected [other-sign]"},
	{{.head = "reply_format: short", .rows = {"addr: 0, type: reserved, words: 1"}},
	 "f:5:15: reply_format 'short', expected one of modbus, word-count"},
	{{.scope = "battery",
	  .rows = {"addr: 0, type: u16, field: voltage_mv, unit: V, scale: 0.01"}},
	 "f:13:25: voltage_mv needs registers from 0 to 3840000, but u16 holds 0 to 65534"},

	{{.rows = {"addr: 0, type: u16, field: cycles, absent: old, na: 7"}},
	 "f:13:62: na 7 is a value that cycles can have (0 to 65534), expected one outside"},
	{{.rows = {"addr: 0, type: u16, field: cycles, absent: 0, na: 7"}},
	 "f:13:60: na and absent, expected one of them"},
	{{.rows = {"addr: 0, type: u16, field: cycles, within: cell_count"}},
	 "f:13:53: within cell_count, expected a number of elements, for an array that has 'or'"},
	{{.rows = {"addr: 0, type: s16, field: temperature_mc, index: 0, unit: degC, or: "
		   "temperature_avg_mc, within: voltage_mv"}},
	 "f:13:107: within voltage_mv, expected a number of elements"},
	{{.rows = {"addr: 0, type: s16, field: temperature_mc, index: 0, unit: degC, or: "
		   "temperature_avg_mc, within: cells"}},
	 "f:13:107: no field 'cells' of a pack"},
	{{.rows = {"addr: 0, type: u16, value: 1, within: cell_count"}},
	 "f:13:48: within has no meaning for a constant, expected none"},
	{{.rows = {"addr: 0, type: u16, field: cycles, coarse: [1]"}},
	 "f:13:53: coarse '', expected a scale, or the constant beside 'value'"},
	{{.rows = {"addr: 0, type: u16, field: cycles, coarse: many"}},
	 "f:13:9: scale 'many', expected a decimal number such as 0.1, not 0"},
	{{.rows = {"addr: 0, type: u16, field: charge_fet, values: [1, 2], coarse: 2"}},
	 "f:13:73: coarse '2', expected a scale, or the constant beside 'value'"},
	{{.rows = {"addr: 0, type: u16, value: 1, coarse: 65536"}},
	 "f:13:48: value '65536', expected a whole number that u16 holds"},
	{{.tables = "[coil]", .rows = {"addr: 0, type: coil, field: charge_fet, coarse: 1"}},
	 "f:13:58: coarse has no meaning for type coil, expected none"},

	/* places */
	{{.rows = {"addr: 1, type: u16, field: cycles"}},
	 "f:13:16: addresses 1 to 1, expected them in the block, 0 to 0"},
	{{.addr = 5, .rows = {"addr: 4, type: u16, field: cycles"}},
	 "f:13:16: addresses 4 to 4, expected them in the block, 5 to 5"},
	{{.addr = 10, .count = 3, .rows = {"addr: 10, type: u16, field: cell_mv, count: 4"}},
	 "f:13:16: addresses 10 to 13, expected them in the block, 10 to 12"},
	{{.addr = 1, .count = 2, .rows = {"addr: 1, type: u32, field: polls"}},
	 "f:13:16: u32 at odd address 1, expected an even one (or unaligned: true for the map)"},
	{{.rows = {"addr: 0, type: coil, field: charge_fet"}},
	 "f:13:25: type coil in a block of registers, expected a type of registers"},
	{{.tables = "[coil]", .rows = {"addr: 0, type: u16, field: cycles"}},
	 "f:13:25: type u16 in a block of bits, expected coil"},
	{{.count = 3,
	  .rows = {"addr: 0, type: u32, field: polls", "addr: 1, type: u16, field: cycles",
		   "addr: 2, type: u16, field: cycles"}},
	 "f:14:9: address 1 is taken by another row of block 'b', expected a free one"},
	{{.rows = {"addr: 0, type: u16, field: cycles", "addr: 0, type: u16, field: cycles"}},
	 "f:14:9: address 0 is taken by another row of block 'b', expected a free one"},
	{{.count = 2, .rows = {"addr: 1, type: u16, field: cycles"}},
	 "f:7:5: block 'b': nothing at 0 to 0, expected rows without holes (type: reserved fills "
	 "one)"},
	{{.count = 9,
	  .rows = {"addr: 0, type: u16, field: cycles", "addr: 5, type: reserved, words: 4"}},
	 "f:7:5: block 'b': nothing at 1 to 4, "},
	{{.count = 9, .rows = {"addr: 0, type: reserved, words: 7"}},
	 "f:7:5: block 'b': nothing at 7 to 8, "},
	{{.always = true, .rows = {"addr: 0, type: u16, field: soc_permille"}},
	 "f:13:37: part of the reading in a block that is always shown, expected a block without "
	 "'always': stale values would look live"},
	{{.always = true, .rows = {"addr: 0, type: bits, bits: [{bit: 3, field: charge_fet}]"}},
	 "f:13:9: part of the reading in a block that is always shown, "},

	/* the block and the head */
	{{.count = 121, .rows = {"addr: 0, type: reserved, words: 121"}},
	 "f:10:12: 121, expected at most 120, so that one request reads the block"},
	{{.tables = "[coil]", .count = 2001, .rows = {"addr: 0, type: reserved, words: 2000"}},
	 "f:10:12: count '2001', expected a whole number from 1 to 2000"},
	{{.addr = 65530, .count = 7, .rows = {"addr: 65530, type: reserved, words: 7"}},
	 "f:10:12: the block ends at 65536, expected at most 65535"},
	{{.tables = "[inputs]", .rows = {"addr: 0, type: reserved, words: 1"}},
	 "f:8:14: table 'inputs', expected input, holding, discrete or coil"},
	{{.tables = "[input, coil]", .rows = {"addr: 0, type: reserved, words: 1"}},
	 "f:8:13: tables, expected [input, holding], [discrete, coil] or one of a pair"},
	{{.tables = "[]", .rows = {"addr: 0, type: reserved, words: 1"}},
	 "f:8:13: tables, expected [input, holding], [discrete, coil] or one of a pair"},
	{{.head = "stale: never", .rows = {"addr: 0, type: reserved, words: 1"}},
	 "f:5:8: stale 'never', expected one of exception, not-available, last, silence"},
	{{.head = "word_order: middle", .rows = {"addr: 0, type: reserved, words: 1"}},
	 "f:5:13: word_order 'middle', expected one of high-first, low-first"},
	{{.scope = "cell", .rows = {"addr: 0, type: reserved, words: 1"}},
	 "f:4:8: scope 'cell', expected one of pack, bank, battery, gateway"},
	{{.head = "titel: t", .rows = {"addr: 0, type: reserved, words: 1"}},
	 "f:5:1: unknown key 'titel', expected 'title' perhaps"},
	{{.head = "description: [x]", .rows = {"addr: 0, type: reserved, words: 1"}},
	 "f:5:14: description, expected a text"},
};

START_TEST(refused)
{
	struct pb_map *map = NULL;
	struct pb_report report = {0};
	const char *error = errors[_i].error;

	ck_assert_int_eq(map_compile(&map, &errors[_i].map, &report), -EINVAL);
	ck_assert_ptr_null(map);
	ck_assert_msg(strncmp(report.lines[0], error, strlen(error)) == 0, "'%s', expected '%s'",
		      report.lines[0], error);
	ck_assert_msg(report.count == 1, "and then '%s'",
		      report.count > 1 ? report.lines[1] : "nothing");
	pb_report_clear(&report);
}
END_TEST

#define HEAD "map: m\nversion: 1\ntitle: t\nscope: pack\nblocks:\n"

static const struct {
	const char *text, *error;
} whole[] = {
	{"map: m\n", "f:1:1: no 'version', expected a number"},
	{HEAD "  []\n", "f:6:3: blocks, expected a list of 1 to 64"},
	{HEAD "  - {name: a, tables: [input], addr: 0, count: 1, rows: x}\n",
	 "f:6:57: rows, expected a list"},
	{HEAD "  - {name: a, tables: [input], addr: 0, count: 2,\n"
	      "     rows: [{addr: 0, type: reserved, words: 2}]}\n"
	      "  - {name: b, tables: [input, holding], addr: 1, count: 1,\n"
	      "     rows: [{addr: 1, type: reserved, words: 1}]}\n",
	 "f:8:47: addresses 1 to 1 overlap block 'a' (0 to 1)"},
	{HEAD "  - {name: a, tables: [input], addr: 0, count: 1,\n"
	      "     rows: [{addr: 0, type: reserved, words: 1}]}\n"
	      "  - {name: a, tables: [holding], addr: 0, count: 1,\n"
	      "     rows: [{addr: 0, type: reserved, words: 1}]}\n",
	 "f:8:12: block 'a' appears twice, expected another name"},
	{"map: [1\n", "f:1:6: this '[' has no ']'"},
};

START_TEST(whole_refused)
{
	struct pb_map *map = NULL;
	struct pb_report report = {0};
	const char *error = whole[_i].error;

	ck_assert_int_eq(pb_map_parse(&map, "f", whole[_i].text, strlen(whole[_i].text), &report),
			 -EINVAL);
	ck_assert_uint_ge(report.count, 1);
	ck_assert_msg(strncmp(report.lines[0], error, strlen(error)) == 0, "'%s', expected '%s'",
		      report.lines[0], error);
	pb_report_clear(&report);
}
END_TEST

START_TEST(all_errors_at_once)
{
	const struct map_text text = {
		.head = "stale: never",
		.count = 4,
		.rows = {"addr: 0, type: u16, field: soc", "addr: 1, type: u17, field: cycles",
			 "addr: 9, type: u16, field: cycles", "addr: 3, type: string, words: 1"},
	};
	struct pb_map *map = NULL;
	struct pb_report report = {0};

	ck_assert_int_eq(map_compile(&map, &text, &report), -EINVAL);
	ck_assert_uint_eq(report.count, 5);
	for (unsigned int i = 1; i < 5; i++) {
		char where[16];

		snprintf(where, sizeof(where), "f:%u:", 12 + i);
		ck_assert_ptr_eq(strstr(report.lines[i], where), report.lines[i]);
	}
	pb_report_clear(&report);
}
END_TEST

/* ---- what a good map says of itself ---- */

START_TEST(rows_of_a_map)
{
	const struct map_text text = {
		.head = "word_order: low-first",
		.addr = 10,
		.count = 8,
		.rows = {"addr: 12, type: s16, field: temperature_mc, index: 3, count: 2, unit: K, "
			 "scale: 0.1, saturate: true, na: 0x8000, description: warm",
			 "addr: 10, type: u32, field: balance_mask, shift: 24, width: 24",
			 "addr: 14, type: s16, field: current_ma, unit: A, scale: 0.5, offset: -7",
			 "addr: 15, type: reserved, words: 3"},
	};
	PB_CLEANUP(pb_map_freep) struct pb_map *map = map_good(&text);
	struct pb_block_info block;
	struct pb_row_info row;

	ck_assert_str_eq(pb_map_name(map), "m");
	ck_assert_str_eq(pb_map_title(map), "t");
	ck_assert_str_eq(pb_map_description(map), "");
	ck_assert_int_eq(pb_map_version(map), 1);
	ck_assert_int_eq(pb_map_scope(map), PB_SCOPE_PACK);
	ck_assert_int_eq(pb_map_stale(map), PB_STALE_EXCEPTION);
	ck_assert(pb_map_low_word_first(map));
	ck_assert_uint_eq(pb_map_block_count(map), 1);
	pb_map_block(map, 0, &block);
	ck_assert_str_eq(block.name, "b");
	ck_assert_uint_eq(block.tables, PB_TABLE_INPUT | PB_TABLE_HOLDING);
	ck_assert_uint_eq(block.addr, 10);
	ck_assert_uint_eq(block.count, 8);
	ck_assert(!block.always);

	ck_assert_uint_eq(pb_map_row_count(map), 5);
	pb_map_row(map, 0, &row);
	ck_assert_uint_eq(row.addr, 10);
	ck_assert_uint_eq(row.words, 2);
	ck_assert_int_eq(row.bit, 24);
	ck_assert_int_eq(row.width, 24);
	ck_assert_int_eq(row.index, -1);
	ck_assert_int_eq(row.na, 0xFFFFFFFF);
	ck_assert_str_eq(row.description, row.field->description);
	pb_map_row(map, 2, &row);
	ck_assert_uint_eq(row.addr, 13);
	ck_assert_str_eq(row.field->name, "temperature_mc");
	ck_assert_int_eq(row.index, 4);
	ck_assert_int_eq(row.bit, -1);
	ck_assert_int_eq(row.width, -1);
	ck_assert_str_eq(row.unit, "K");
	ck_assert_str_eq(row.scale, "0.1");
	ck_assert(row.has_na);
	ck_assert_int_eq(row.na, INT16_MIN);
	ck_assert_str_eq(row.description, "warm");
	pb_map_row(map, 3, &row);
	ck_assert_int_eq(row.offset, -7);
	pb_map_row(map, 4, &row);
	ck_assert_int_eq(row.type, PB_ROW_RESERVED);
	ck_assert_ptr_null(row.field);
	ck_assert_uint_eq(row.words, 3);
	ck_assert(!row.has_na);
}
END_TEST

START_TEST(unaligned_when_asked_for)
{
	const struct map_text text = {.head = "unaligned: true",
				      .addr = 1,
				      .count = 2,
				      .rows = {"addr: 1, type: u32, field: polls"}};
	PB_CLEANUP(pb_map_freep) struct pb_map *map = map_good(&text);

	ck_assert_uint_eq(pb_map_row_count(map), 1);
}
END_TEST

/* Registers come before bits, each by address, whatever their order in the file. */
START_TEST(order_of_blocks)
{
	static const char text[] = HEAD "  - {name: c, tables: [coil], addr: 3, count: 1,\n"
					"     rows: [{addr: 3, type: coil, value: 1}]}\n"
					"  - {name: z, tables: [input], addr: 9, count: 1,\n"
					"     rows: [{addr: 9, type: u16, value: 9}]}\n"
					"  - {name: a, tables: [input], addr: 2, count: 1,\n"
					"     rows: [{addr: 2, type: u16, value: 2}]}\n";
	PB_CLEANUP(pb_map_freep) struct pb_map *map = NULL;
	static const uint16_t addrs[] = {2, 9, 3};
	struct pb_report report = {0};

	ck_assert_int_eq(pb_map_parse(&map, "f", text, strlen(text), &report), 0);
	for (size_t i = 0; i < 3; i++) {
		struct pb_block_info block;
		struct pb_row_info row;

		pb_map_block(map, i, &block);
		pb_map_row(map, i, &row);
		ck_assert_uint_eq(block.addr, addrs[i]);
		ck_assert_uint_eq(row.addr, addrs[i]);
		ck_assert_str_eq(row.block, block.name);
	}
}
END_TEST

START_TEST(name_is_the_files)
{
	PB_CLEANUP(pb_map_freep) struct pb_map *map = NULL;
	const struct map_text text = {.rows = {"addr: 0, type: u16, field: cycles"}};
	struct pb_report report = {0};
	char yaml[1024], folder[] = "test_regmap.XXXXXX", good[64], bad[64];

	map_write(&text, yaml, sizeof(yaml));
	ck_assert_ptr_nonnull(mkdtemp(folder));
	for (int i = 0; i < 2; i++) {
		char *path = i ? bad : good;
		FILE *file;

		snprintf(path, 64, "%s/%s.yaml", folder, i ? "other" : "m");
		file = fopen(path, "w");
		ck_assert_ptr_nonnull(file);
		fputs(yaml, file);
		fclose(file);
	}
	ck_assert_int_eq(pb_map_load(&map, good, &report), 0);
	map = pb_map_free(map);
	ck_assert_int_eq(pb_map_load(&map, bad, &report), -EINVAL);
	ck_assert_uint_eq(report.count, 1);
	ck_assert_ptr_nonnull(strstr(report.lines[0], ":1:6: map 'm', expected 'other'"));
	pb_report_clear(&report);
	remove(good);
	remove(bad);
	remove(folder);
	ck_assert_int_eq(pb_map_load(&map, good, &report), -ENOENT);
	pb_report_clear(&report);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("compile");

	tcase_add_loop_test(tcase, refused, 0, PB_ARRAY_SIZE(errors));
	tcase_add_loop_test(tcase, whole_refused, 0, PB_ARRAY_SIZE(whole));
	tcase_add_test(tcase, all_errors_at_once);
	tcase_add_test(tcase, rows_of_a_map);
	tcase_add_test(tcase, unaligned_when_asked_for);
	tcase_add_test(tcase, order_of_blocks);
	tcase_add_test(tcase, name_is_the_files);
	return pb_run_suite("regmap/compile", tcase);
}
