/* SPDX-License-Identifier: MIT */
/* Each map of a battery shows each protection of the BMS that is a fault, the limits aside. */
#include "packbridge/bank.h"
#include "packbridge/base.h"
#include "packbridge/regmap.h"
#include "packbridge/yaml.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

static const char *const maps[] = {
	"packbridge",	   "packbridge-float",
	"packbridge-bank", "packbridge-bank-float",
	"growatt",	   "pace",
	"sunspec",	   "victron",
	"voltronic",	   "yambms",
};

enum { BYTES_MAX = 4096 };

struct shown {
	size_t len;
	uint8_t bytes[BYTES_MAX];
};

/* A battery that is well but for @protections; its alarms with it. */
static void make(struct pb_battery *battery, uint32_t protections)
{
	struct pb_alarm_setup setup;
	struct pb_alarm_state state = {0};
	struct pb_sample *s = &battery->sample;
	uint64_t next_ms;

	pb_alarm_preset(&setup, PB_CHEMISTRY_LIFEPO4);
	*battery = (struct pb_battery){.quality = PB_QUALITY_GOOD};
	s->has = PB_HAS(PB_HAS_COUNTERS) - 1;
	s->voltage_mv = 52800;
	s->soc_permille = 500;
	s->charge_fet = s->discharge_fet = true;
	s->cell_min_mv = s->cell_max_mv = 3300;
	s->cell_count = 16;
	s->temperature_min_mc = s->temperature_max_mc = 20000;
	s->protection_mask = protections;
	pb_sample_derive(s);
	pb_alarm_step(&setup, &state, battery, false, 1000, &next_ms);
}

static void show(struct pb_unit_image *image, const struct pb_battery *battery, struct shown *ret)
{
	const struct pb_image *shown;

	pb_unit_image_encode(image, battery, false);
	shown = pb_unit_image_get(image);
	ret->len = 0;
	for (size_t i = 0; i < shown->block_count; i++) {
		const struct pb_block *block = &shown->blocks[i];
		size_t len = block->tables & (PB_TABLE_INPUT | PB_TABLE_HOLDING)
				     ? 2 * (size_t)block->count
				     : (block->count + 7) / 8;

		ck_assert_uint_le(ret->len + len, BYTES_MAX);
		memcpy(ret->bytes + ret->len, block->bytes, len);
		ret->len += len;
	}
}

START_TEST(each_protection)
{
	static struct shown well, tripped;
	struct pb_report report = {0};
	struct pb_unit_image *image;
	struct pb_battery battery;
	struct pb_map *map;
	char path[512];

	snprintf(path, sizeof(path), PB_SOURCE_DIR "/maps/%s.yaml", maps[_i]);
	ck_assert_int_eq(pb_map_load(&map, path, &report), 0);
	ck_assert_int_eq(pb_unit_image_new(&image, map), 0);
	make(&battery, 0);
	ck_assert_uint_eq(battery.alarms.warnings, 0);
	show(image, &battery, &well);
	for (int i = 0; i < PB_PROTECT_COUNT; i++) {
		if (!(PB_PROTECT_FAULTS >> i & 1))
			continue;
		make(&battery, UINT32_C(1) << i);
		show(image, &battery, &tripped);
		ck_assert_msg(memcmp(well.bytes, tripped.bytes, well.len) != 0,
			      "map %s: nothing shows '%s'", maps[_i],
			      pb_protection_name((enum pb_protection)i));
	}
	pb_unit_image_free(image);
	pb_map_free(map);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("protections");

	tcase_add_loop_test(tcase, each_protection, 0, PB_ARRAY_SIZE(maps));
	return pb_run_suite("bridge/protections", tcase);
}
