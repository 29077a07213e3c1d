/* SPDX-License-Identifier: MIT */
/* What the page shows of a unit's registers: what a client would get, and no stale value. */
#include "packbridge/bridge.h"
#include "packbridge/yaml.h"
#include "suite.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <unistd.h>

static sd_event *event;
static struct pb_bridge *bridge;

static void setup(void)
{
	static const char *const dirs[] = {PB_SOURCE_DIR "/maps", NULL};
	struct pb_config *config = NULL;
	struct pb_maps *maps = NULL;
	struct pb_report report = {0};
	char text[512];

	snprintf(text, sizeof(text),
		 "packs: [{name: house, link: 'sim:lfp-4s', unit: 1, poll_ms: 1000}]\n"
		 "listen: [{tcp: '127.0.0.1:0'}]\n"
		 "control: /tmp/test-bridge-page-%d.control\n"
		 "status: /tmp/test-bridge-page-%d.status\n",
		 (int)getpid(), (int)getpid());
	ck_assert_int_eq(pb_config_parse(&config, "f", text, strlen(text), &report), 0);
	ck_assert_int_eq(pb_maps_new(&maps, dirs), 0);
	ck_assert_int_ge(sd_event_new(&event), 0);
	ck_assert_int_eq(pb_bridge_check(config, maps, &report), 0);
	ck_assert_int_eq(pb_bridge_new(&bridge, event, config, maps, "0", &report), 0);
}

static void teardown(void)
{
	bridge = pb_bridge_free(bridge);
	event = sd_event_unref(event);
}

static const char *argument(void *query, const char *name)
{
	return strcmp(name, "unit") == 0 ? query : NULL;
}

static unsigned int get(const char *path, char *unit, json_t **ret)
{
	char *text = NULL;
	const char *type = "";
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	unsigned int status = pb_bridge_page(bridge, path, argument, unit, out, &type);

	fclose(out);
	*ret = json_loadb(text, len, 0, NULL);
	free(text);
	return status;
}

/* @return the row of that field, borrowed from @page */
static json_t *row_of(json_t *page, const char *field)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(page, "rows"), i, row)
	{
		if (strcmp(json_string_value(json_object_get(row, "name")), field) == 0)
			return row;
	}
	ck_abort_msg("no row of %s", field);
	return NULL;
}

static json_int_t quality(void)
{
	json_t *page;
	json_int_t value;

	ck_assert_uint_eq(get("/registers.json", (char[]){"1"}, &page), 200);
	value = (json_int_t)json_number_value(json_object_get(row_of(page, "quality"), "value"));
	json_decref(page);
	return value;
}

/* The quality is shown however old the reading is; a value of the reading is not. */
START_TEST(no_stale_register)
{
	json_t *page;

	ck_assert_int_eq(quality(), PB_QUALITY_NEVER);
	ck_assert_uint_eq(get("/registers.json", (char[]){"1"}, &page), 200);
	ck_assert_str_eq(json_string_value(json_object_get(page, "map")), "packbridge");
	ck_assert_ptr_null(json_object_get(row_of(page, "voltage_mv"), "raw"));
	ck_assert_ptr_null(json_object_get(row_of(page, "voltage_mv"), "value"));
	json_decref(page);
}
END_TEST

START_TEST(a_reading)
{
	json_t *page;

	ck_assert_int_ge(pb_bridge_start(bridge), 0);
	while (quality() != PB_QUALITY_GOOD)
		ck_assert_int_ge(sd_event_run(event, UINT64_MAX), 0);
	ck_assert_uint_eq(get("/registers.json", (char[]){"1"}, &page), 200);
	ck_assert(json_number_value(json_object_get(row_of(page, "voltage_mv"), "value")) > 10);
	json_decref(page);
}
END_TEST

START_TEST(no_such_unit)
{
	json_t *page;

	ck_assert_uint_eq(get("/registers.json", (char[]){"2"}, &page), 404);
	ck_assert_uint_eq(get("/registers.json", (char[]){"x"}, &page), 400);
	ck_assert_uint_eq(get("/registers.json", (char[]){"0"}, &page), 200);
	ck_assert_str_eq(json_string_value(json_object_get(page, "map")), "packbridge-gateway");
	json_decref(page);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("page");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, no_stale_register);
	tcase_add_test(tcase, a_reading);
	tcase_add_test(tcase, no_such_unit);
	return pb_run_suite("bridge/page", tcase);
}
