/* SPDX-License-Identifier: MIT */
/*
 * A person on this machine switches a pack: the line becomes a request to the plant, which treats
 * it as any client's, but with the right to take over (pb_control_request.local). The answer only
 * says that it was accepted. What becomes of it is in the state, which the command asks for again
 * and again.
 */
#include "switch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEASE_MAX_S = PB_LEASE_NONE_S - 1 };

/* ---- what there is to see ---- */

/* @return enum pb_control_mode */
static int mode_of(const struct pb_config *config, size_t battery)
{
	if (battery < config->pack_count)
		return config->packs[battery].control.mode;
	return pb_bank_control(config, &config->banks[battery - config->pack_count]);
}

static json_t *text_or_null(const char *text)
{
	return *text ? json_string(text) : json_null();
}

static json_t *json_control(int mode, const struct pb_control *control)
{
	enum pb_control_reason reason = (enum pb_control_reason)control->reason;

	return json_pack("{s:s, s:b, s:b, s:s, s:o, s:o, s:o, s:i}", "allowed",
			 pb_control_mode_name(mode), "inhibit_charge", control->inhibit_charge,
			 "inhibit_discharge", control->inhibit_discharge, "state",
			 pb_control_state_text((enum pb_control_state)control->state), "reason",
			 text_or_null(pb_control_reason_text(reason)), "owner",
			 text_or_null(control->owner), "lease_s",
			 control->lease_s == PB_LEASE_NONE_S ? json_null()
							     : json_integer(control->lease_s),
			 "age_s", control->age_s);
}

json_t *switch_json(const struct snapshot *snapshot, size_t battery)
{
	int mode = mode_of(snapshot->config, battery);
	const struct pb_battery *data =
		pb_plant_battery(snapshot->site->plant, battery, snapshot->now_ms);

	if (mode == PB_CONTROL_OFF)
		return json_object();
	return json_pack("{s:o}", "control", json_control(mode, &data->control));
}

static json_t *json_fet(const struct pb_battery *data, enum pb_has has, bool on)
{
	bool known = data->quality == PB_QUALITY_GOOD && pb_battery_has(data, has);

	return known ? json_boolean(on) : json_null();
}

/* As in the status, but with what belongs to control only. @return NULL: it has no control */
static json_t *json_switch(const struct snapshot *snapshot, size_t battery)
{
	const struct pb_battery *data =
		pb_plant_battery(snapshot->site->plant, battery, snapshot->now_ms);
	json_t *object;

	if (mode_of(snapshot->config, battery) == PB_CONTROL_OFF)
		return NULL;
	object = json_pack("{s:s, s:s, s:{s:o, s:o}}", "name", data->name, "quality",
			   pb_quality_text(data->quality), "fields", "charge_fet",
			   json_fet(data, PB_HAS_CHARGE_FET, data->sample.charge_fet),
			   "discharge_fet",
			   json_fet(data, PB_HAS_DISCHARGE_FET, data->sample.discharge_fet));
	json_object_update_new(object, switch_json(snapshot, battery));
	return object;
}

/* @name: "": all that have control */
static void switch_tell(const struct pb_bridge *bridge, const char *name, FILE *answer)
{
	const struct snapshot all = {bridge->site->config, bridge->site, &bridge->listeners,
				     pb_now_ms()};
	size_t count = all.config->pack_count + all.config->bank_count;
	json_t *list = json_array(), *object;
	int found = *name ? pb_plant_find(all.site->plant, name) : -1;

	for (size_t i = 0; i < count; i++) {
		object = found >= 0 && i != (size_t)found ? NULL : json_switch(&all, i);
		if (object)
			json_array_append_new(list, object);
	}
	object = json_pack("{s:o}", "switches", list);
	json_dumpf(object, answer, JSON_COMPACT);
	fputc('\n', answer);
	json_decref(object);
}

/* ---- orders ---- */

/* The words of a line behind "switch". */
struct words {
	char name[PB_CONFIG_NAME], what[16], state[16], seconds[16];
	int count;
};

/* @return 0; -EINVAL: the words make no order */
static int make_request(const struct words *words, struct pb_control_request *ret)
{
	bool charge = strcmp(words->what, "charge") == 0;
	bool off = strcmp(words->state, "off") == 0;
	int64_t seconds = 0;

	*ret = (struct pb_control_request){.owner = "local", .local = true};
	if (words->count == 2 && strcmp(words->what, "release") == 0) {
		ret->give_back = true;
		return 0;
	}
	if (words->count < 3 || words->count > 4 ||
	    (!charge && strcmp(words->what, "discharge") != 0) ||
	    (!off && strcmp(words->state, "on") != 0) ||
	    (words->count == 4 && pb_int_parse(words->seconds, 1, LEASE_MAX_S, &seconds) < 0))
		return -EINVAL;
	/* the pack's lease_s is for clients that can die; a person's order holds until another */
	ret->has_lease = true;
	ret->lease_s = (uint16_t)seconds;
	ret->has_charge = charge;
	ret->has_discharge = !charge;
	ret->inhibit_charge = charge && off;
	ret->inhibit_discharge = !charge && off;
	return 0;
}

static void say_not_enabled(const struct pb_bridge *bridge, const char *name, FILE *answer)
{
	const struct pb_config *config = bridge->site->config;
	int battery = pb_plant_find(bridge->site->plant, name);
	bool bank = battery >= (int)config->pack_count;

	if (mode_of(config, (size_t)battery) == PB_CONTROL_CHARGE)
		fprintf(answer,
			"error: only charging of %s may be switched, expected control: "
			"charge+discharge in the configuration of %s\n",
			name, bank ? "all its packs" : "the pack");
	else
		fprintf(answer,
			"error: %s has no control, expected control: charge or charge+discharge in "
			"the configuration of %s\n",
			name, bank ? "all its packs" : "the pack");
}

static void give_order(struct pb_bridge *bridge, const char *name,
		       const struct pb_control_request *request, FILE *answer)
{
	int r = site_control(bridge->site, name, request);

	if (r == PB_EXCEPTION_NONE)
		fputs("ok\n", answer);
	else if (r == PB_EXCEPTION_ILLEGAL_ADDRESS)
		say_not_enabled(bridge, name, answer);
	else
		fprintf(answer, "error: %s is being given up, nothing can be asked for now\n",
			name);
}

void switch_command(struct pb_bridge *bridge, const char *line, FILE *answer)
{
	struct words words = {0};
	struct pb_control_request request;
	char extra[2];

	words.count = sscanf(line, "switch %31s %15s %15s %15s %1s", words.name, words.what,
			     words.state, words.seconds, extra);
	if (words.count >= 1 && pb_plant_find(bridge->site->plant, words.name) < 0)
		fprintf(answer, "error: there is no pack or bank '%s'\n", words.name);
	else if (words.count <= 1)
		switch_tell(bridge, words.name, answer);
	else if (make_request(&words, &request) < 0)
		fprintf(answer,
			"error: expected 'switch NAME charge|discharge off|on [SECONDS]' with 1 to "
			"%d s, 'switch NAME release' or 'switch [NAME]'\n",
			LEASE_MAX_S);
	else
		give_order(bridge, words.name, &request, answer);
}
