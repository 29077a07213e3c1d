/* SPDX-License-Identifier: MIT */
/*
 * What comes in beside Modbus: lines of the control and the status socket, and requests for pages.
 * The first byte chooses the door, the rest is a line, or a path, a NUL and the value of ?unit=.
 */
#include "packbridge/bridge.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pb_bridge *bridge;

static void set_up(void)
{
	static const char text[] =
		"packs: [{name: house, link: 'sim:lfp-16s', unit: 1}, "
		"{name: store, link: 'sim:lfp-16s', unit: 2, map: sunspec}]\n"
		"banks: [{name: all, packs: [house, store], unit: 100}]\n"
		"listen: [{tcp: '127.0.0.1:0', units: [{unit: 9, bank: all, map: pace}]}]\n";
	static const char *const dirs[] = {PB_FUZZ_MAPS, NULL};
	static struct pb_config *config;
	static struct pb_maps *maps;
	struct pb_report report = {0};
	sd_event *event = NULL;

	pb_log_set_level(PB_LOG_ERR);
	if (sd_event_default(&event) < 0 ||
	    pb_config_parse(&config, "f", text, strlen(text), &report) < 0 ||
	    pb_maps_new(&maps, dirs) < 0 || pb_bridge_check(config, maps, &report) < 0 ||
	    pb_bridge_new(&bridge, event, config, maps, "0", &report) < 0 ||
	    pb_bridge_start(bridge) < 0)
		abort();
	/* a few turns, so that there are readings to be told of */
	for (int i = 0; i < 200; i++)
		sd_event_run(event, 10000);
}

static const char *argument(void *query, const char *name)
{
	return strcmp(name, "unit") == 0 ? query : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[512] = "", *answer = NULL;
	const char *type = "";
	size_t len = 0;
	FILE *out;

	if (!bridge)
		set_up();
	if (size < 1 || size >= sizeof(text))
		return 0;
	memcpy(text, data + 1, size - 1);
	out = open_memstream(&answer, &len);
	assert(out);
	switch (data[0] % 3) {
	case 0:
		pb_bridge_command(bridge, text, out);
		break;
	case 1:
		pb_bridge_tell(bridge, text, out);
		break;
	default: {
		unsigned int status = pb_bridge_page(
			bridge, text, argument,
			strlen(text) + 1 < size ? text + strlen(text) + 1 : NULL, out, &type);

		assert(status == 200 || status == 400 || status == 404);
		break;
	}
	}
	fclose(out);
	/* lines of an answer are text, whatever came in */
	assert(data[0] % 3 == 2 || (len > 0 && answer[len - 1] == '\n'));
	free(answer);
	return 0;
}
