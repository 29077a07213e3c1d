/* SPDX-License-Identifier: MIT */
/*
 * What a battery does not report is no number: every map, also with each of its options, with every
 * field missing in turn, with all of them, and old. Where a foreign protocol has no other word than
 * a number, the number was decided on, and stands here with the reason.
 */
#include "packbridge/model/battery.h"
#include "packbridge/model/gateway.h"
#include "packbridge/regmap.h"
#include "packbridge/yaml.h"
#include "suite.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
static const struct decision {
	const char *map, *field;
	int64_t shown;
} decisions[] = {
	/* limits that there are not: nothing may flow */
	{"growatt", "charge_current_ma", 0}, {"growatt", "discharge_current_ma", 0},
	{"growatt", "charge_voltage_mv", 0},
	{"victron", "charge_current_ma", 0}, {"victron", "discharge_current_ma", 0},
	{"victron", "charge_voltage_mv", 0},
	{"victron", "charge_allowed", 0}, {"victron", "discharge_allowed", 0},
	{"voltronic", "charge_current_ma", 0}, {"voltronic", "discharge_current_ma", 0},
	{"voltronic", "charge_voltage_mv", 0},
	{"yambms", "charge_current_ma", 0}, {"yambms", "discharge_current_ma", 0},
	{"yambms", "charge_allowed", 0}, {"yambms", "discharge_allowed", 0},
	/* health, which these inverters want: 100 % as from packs that do not count it */
	{"growatt", "soh_permille", 100}, {"pace", "soh_permille", 100}, {"yambms", "soh_permille", 100},
	/* "if the parameter doesn't exist, return 0" (Voltronic 2020); a number of cells and probes tells how many are there */
	{"voltronic", "cell_count", 0}, {"voltronic", "cell_mv", 0},
	{"voltronic", "temperature_mc", 0}, {"voltronic", "full_mah", 0},
	{"voltronic", "nominal_mah", 0}, {"voltronic", "remaining_mah", 0},
	{"voltronic", "discharge_voltage_mv", 0}, {"voltronic", "time_to_empty_s", 0},
	/* a bank: the hottest and the coldest; without these there is no reply at all */
	{"voltronic", "temperature_count", 2},
	/* real packs show 0 in places of cells that they do not have (captures) */
	{"growatt", "cell_mv", 0}, {"growatt", "cell_count", 0}, {"pace", "cell_mv", 0},
	/* no value means "unknown" there, and none of these makes an inverter act: it goes by the state of charge */
	{"growatt", "energy_mwh", 0}, {"growatt", "remaining_mah", 0}, {"growatt", "full_mah", 0},
	{"growatt", "cycles", 0}, {"pace", "remaining_mah", 0}, {"pace", "full_mah", 0},
	{"pace", "nominal_mah", 0}, {"pace", "cycles", 0}, {"pace", "balance_mask", 0},
	{"yambms", "full_mah", 0}, {"yambms", "remaining_mah", 0}, {"yambms", "cycles", 0},
	{"yambms", "balancing", 0},
	/* parameters that a pack need not have: 0, as those that packbridge does not know */
	{"pace", "cell_high_mv", 0}, {"pace", "cell_low_mv", 0}, {"pace", "charge_max_ma", 0},
	{"pace", "discharge_max_ma", 0}, {"pace", "full_voltage_mv", 0},
	{"yambms", "cell_high_mv", 0}, {"yambms", "cell_low_mv", 0},
	/* 0 is "unknown" (balancer's status) */
	{"victron", "balancing", 0},
	/* events are mandatory points: none */
	{"sunspec", "protection_mask", 0}, {"sunspec", "alarm_mask", 0},
};
/* clang-format on */

static union data {
	struct pb_battery battery;
	struct pb_gateway gateway;
} full, lacking;
static struct pb_map *map;
static struct pb_unit_image *image;
static bool met[PB_ARRAY_SIZE(decisions)];

static void set_all(union data *ret)
{
	size_t count;
	const struct pb_field *fields = pb_fields(pb_map_scope(map), &count);

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < count; i++) {
		const struct pb_field *field = &fields[i];
		int64_t middle = field->min + (field->max - field->min) / 2 + 1;

		if (field->kind == PB_KIND_TEXT) {
			snprintf((char *)ret + field->offset, field->size, "text");
			if (field->has >= 0)
				pb_battery_mark(&ret->battery, (enum pb_has)field->has);
			continue;
		}
		for (unsigned int n = 0; n < field->count; n++)
			pb_field_set(field, ret, n, middle < field->max ? middle : field->max);
	}
}

/* @return whether the field can be without a value by itself */
static bool remove_field(union data *data, const struct pb_field *field)
{
	uint64_t mask;

	if (field->has >= 0) {
		data->battery.sample.has &= ~PB_HAS(field->has);
		data->battery.has &= ~PB_HAS(field->has);
	}
	if (field->element_has >= 0) {
		memcpy(&mask, (char *)data + field->element_has, sizeof(mask));
		mask &= field->indexed ? 0 : ~(UINT64_C(1) << field->element_bit);
		memcpy((char *)data + field->element_has, &mask, sizeof(mask));
	}
	if (field->has_none)
		for (unsigned int n = 0; n < field->count; n++)
			pb_field_set(field, data, n, field->none);
	return field->has >= 0 || field->element_has >= 0 || field->has_none;
}

static bool reported(const struct pb_field *field, const union data *data, int index, bool old)
{
	int64_t value;

	if (old && field->data)
		return false;
	if (field->kind == PB_KIND_TEXT)
		return pb_field_text(field, data) != NULL;
	return pb_field_get(field, data, index < 0 ? 0 : (unsigned int)index, &value);
}

static bool shown(const struct pb_row_info *row, const union data *data, bool old)
{
	int64_t there = INT64_MAX;

	if (reported(row->field, data, row->index, old))
		return true;
	if (!row->other || (row->within && !pb_field_get(row->within, data, 0, &there)))
		return false;
	return (row->index < 0 || row->index < there) && reported(row->other, data, -1, old);
}

static const uint8_t *bytes_of(const struct pb_row_info *row)
{
	const struct pb_image *unit = pb_unit_image_get(image);
	const struct pb_block *block = unit->blocks;

	while (!(block->tables & row->tables) || row->addr < block->addr ||
	       row->addr >= block->addr + block->count)
		ck_assert(++block < unit->blocks + unit->block_count);
	return block->bytes + 2 * (size_t)(row->addr - block->addr);
}

static int64_t raw_of(const struct pb_row_info *row)
{
	const uint8_t *p = bytes_of(row);
	uint32_t first = pb_get_be16(p), second;

	if (row->words == 1)
		return row->type == PB_ROW_S16 ? (int16_t)first : (int64_t)first;
	second = pb_get_be16(p + 2);
	first = pb_map_low_word_first(map) ? second << 16 | first : first << 16 | second;
	return row->type == PB_ROW_S32 ? (int32_t)first : (int64_t)first;
}

/* A number that could be a value was decided on. */
static void check_decided(const struct pb_row_info *row)
{
	size_t len = strcspn(pb_map_name(map), "+");

	for (size_t i = 0; i < PB_ARRAY_SIZE(decisions); i++) {
		const struct decision *d = &decisions[i];

		if (strlen(d->map) != len || strncmp(d->map, pb_map_name(map), len) != 0 ||
		    strcmp(d->field, row->field->name) != 0)
			continue;
		ck_assert_msg(d->shown == row->na, "%s %u: %lld, decided %lld", pb_map_name(map),
			      row->addr, (long long)row->na, (long long)d->shown);
		met[i] = true;
		return;
	}
	ck_abort_msg("%s %u: %s is shown as %lld when it is not reported, which nobody decided",
		     pb_map_name(map), row->addr, row->field->name, (long long)row->na);
}

static void check_text(const struct pb_row_info *row)
{
	const uint8_t *p = bytes_of(row);

	for (unsigned int i = 0; i < 2U * row->words; i++)
		ck_assert_int_eq(p[i], pb_map_pads_blanks(map) ? ' ' : 0);
}

/* @return whether the row makes the whole reading old */
static bool check_absent(size_t index, const struct pb_row_info *row)
{
	struct pb_row_value value;

	if (row->needed)
		return true;
	if (row->type == PB_ROW_STRING) {
		check_text(row);
		return false;
	}
	ck_assert_msg(raw_of(row) == row->na, "%s %u: %lld, expected %lld", pb_map_name(map),
		      row->addr, (long long)raw_of(row), (long long)row->na);
	if (!row->has_na)
		check_decided(row);
	pb_map_decode(map, index, bytes_of(row), &value);
	ck_assert(!row->has_na || !value.available);
	return false;
}

/* Registers of bits and coils have no value for it: 0, as all pages say. */
static bool is_single(const struct pb_row_info *row)
{
	return row->field && row->type != PB_ROW_COIL;
}

static void check_faults(bool old)
{
	const struct pb_image *unit = pb_unit_image_get(image);

	for (size_t i = 0; i < unit->block_count; i++) {
		struct pb_block_info block;

		pb_map_block(map, i, &block);
		ck_assert_msg((unit->blocks[i].fault != PB_FAULT_NONE) == (old && !block.always),
			      "%s: block %s", pb_map_name(map), block.name);
	}
}

static void check_map(bool old)
{
	bool refuses = old && pb_map_stale(map) != PB_STALE_NOT_AVAILABLE;

	pb_unit_image_encode(image, &lacking, old);
	for (size_t i = 0; i < pb_map_row_count(map); i++) {
		struct pb_row_info row;

		pb_map_row(map, i, &row);
		if (is_single(&row) && !shown(&row, &lacking, old))
			refuses |= check_absent(i, &row);
	}
	check_faults(refuses);
}

static void check_all(void)
{
	size_t count;
	const struct pb_field *fields = pb_fields(pb_map_scope(map), &count);

	set_all(&full);
	lacking = full;
	check_map(false);
	check_map(pb_map_scope(map) != PB_SCOPE_GATEWAY);
	for (size_t i = 0; i < count; i++) {
		lacking = full;
		if (remove_field(&lacking, &fields[i]))
			check_map(false);
	}
	lacking = full;
	for (size_t i = 0; i < count; i++)
		remove_field(&lacking, &fields[i]);
	check_map(false);
}

/* @return the options that the map can be had with */
static size_t open_map(const char *file, const char *option, const char **ret_options)
{
	struct pb_report report = {0};
	char path[512];

	snprintf(path, sizeof(path), PB_SOURCE_DIR "/maps/%s%s%s", file, *option ? "+" : "",
		 option);
	ck_assert_msg(pb_map_load(&map, path, &report) == 0, "%s",
		      report.count ? report.lines[0] : path);
	ck_assert_int_eq(pb_unit_image_new(&image, map), 0);
	check_all();
	return pb_map_options(map, ret_options);
}

static void close_map(void)
{
	image = pb_unit_image_free(image);
	map = pb_map_free(map);
}

static void check_file(const char *file)
{
	const char *options[PB_MAP_OPTIONS_MAX], *more[PB_MAP_OPTIONS_MAX];
	size_t count = open_map(file, "", options);

	close_map();
	for (size_t i = 0; i < count; i++) {
		open_map(file, options[i], more);
		close_map();
	}
}

START_TEST(no_number)
{
	DIR *dir = opendir(PB_SOURCE_DIR "/maps");
	struct dirent *file;
	int seen = 0;

	ck_assert_ptr_nonnull(dir);
	while ((file = readdir(dir))) {
		if (!strstr(file->d_name, ".yaml"))
			continue;
		check_file(file->d_name);
		seen++;
	}
	closedir(dir);
	ck_assert_int_ge(seen, 11);
	for (size_t i = 0; i < PB_ARRAY_SIZE(decisions); i++)
		ck_assert_msg(met[i], "%s %s: decided, but not shown", decisions[i].map,
			      decisions[i].field);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("absent");

	tcase_add_test(tcase, no_number);
	return pb_run_suite("regmap/absent", tcase);
}
