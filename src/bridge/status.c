/* SPDX-License-Identifier: MIT */
#include "status.h"

#include "packbridge/json.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CLIENTS_A_PIECE = 8 };

static const char *const level_names[] = {"none", "warning", "alarm"};

/* "2026-11-28T21:14:03Z", by the clock as it is set now. */
static void say_time(uint64_t passed_s, char *out, size_t cap)
{
	time_t at = time(NULL) - (time_t)passed_s;
	struct tm utc;

	*out = '\0';
	if (gmtime_r(&at, &utc))
		strftime(out, cap, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static json_t *json_alarm(enum pb_alarm kind, const struct pb_plant_alarm *alarm, uint64_t now_ms)
{
	uint64_t passed_s = (now_ms - alarm->since_ms) / 1000;
	char text[PB_ALARM_TEXT_MAX + PB_NAME_MAX + 2], since[32];

	snprintf(text, sizeof(text), "%s%s%s", alarm->pack ? alarm->pack : "",
		 alarm->pack ? ": " : "", alarm->text);
	say_time(passed_s, since, sizeof(since));
	return json_pack("{s:s, s:s, s:s, s:s, s:I}", "alarm", pb_alarm_name(kind), "level",
			 level_names[alarm->level], "text", text, "since", since, "since_s",
			 (json_int_t)passed_s);
}

static json_t *json_alarms(const struct shown *shown, size_t battery)
{
	json_t *alarms = json_array();
	struct pb_plant_alarm alarm;

	for (int i = 0; i < PB_ALARM_COUNT; i++)
		if (pb_plant_alarm(shown->site->plant, battery, (enum pb_alarm)i, &alarm))
			json_array_append_new(alarms,
					      json_alarm((enum pb_alarm)i, &alarm, shown->now_ms));
	return alarms;
}

/* What packs and banks have alike. */
static json_t *json_battery(const struct shown *shown, size_t index, int32_t unit, const char *map)
{
	const struct pb_battery *data = pb_plant_battery(shown->site->plant, index, shown->now_ms);
	bool stale = data->quality != PB_QUALITY_GOOD;

	return json_pack("{s:s, s:i, s:s, s:s, s:o?, s:o, s:o}", "name", data->name, "unit", unit,
			 "map", map, "quality", pb_quality_text(data->quality), "age_s",
			 data->status.sequence ? json_integer(data->age_s) : NULL, "alarms",
			 json_alarms(shown, index), "fields", pb_json_battery(data, stale));
}

static json_t *json_pack_of(const struct shown *shown, size_t index)
{
	const struct pb_pack_config *config = &shown->config->packs[index];
	const struct pb_plant_pack *reader = pb_plant_pack(shown->site->plant, index);
	json_t *pack = json_battery(shown, index, config->unit, config->map);
	const struct pb_battery *data = pb_plant_battery(shown->site->plant, index, shown->now_ms);
	enum pb_error error = data->status.last_error;
	char text[64 + PB_REFUSAL_TEXT_MAX], message[PB_NOTE_MAX];

	pb_note_text(&reader->note, shown->now_ms, message, sizeof(message));
	pb_refusals_error_text(&reader->refusals, error, text, sizeof(text));
	json_object_set_new(pack, "link", json_string(config->link));
	json_object_set_new(pack, "protocol", json_string(data->protocol));
	json_object_set_new(pack, "state", json_string(reader->state));
	json_object_set_new(pack, "last_error",
			    error == PB_ERROR_NONE ? json_null() : json_string(text));
	json_object_set_new(pack, "impossible", pb_json_refusals(&reader->refusals));
	json_object_set_new(pack, "last_message", json_string(message));
	return pack;
}

static json_t *json_bank(const struct shown *shown, size_t index)
{
	const struct pb_bank_config *config = &shown->config->banks[index];
	json_t *bank =
		json_battery(shown, shown->config->pack_count + index, config->unit, config->map);
	json_t *packs = json_array();

	for (size_t i = 0; i < config->pack_count; i++)
		json_array_append_new(packs,
				      json_string(shown->config->packs[config->packs[i]].name));
	json_object_set_new(bank, "packs", packs);
	json_object_set_new(
		bank, "topology",
		json_string(config->setup.topology == PB_TOPOLOGY_SERIES ? "series" : "parallel"));
	return bank;
}

static json_t *json_units(const struct pb_listen_config *listen)
{
	json_t *units = json_array();

	for (size_t i = 0; i < listen->unit_count; i++) {
		const struct pb_show_config *unit = &listen->units[i];

		json_array_append_new(units,
				      json_pack("{s:i, s:s, s:s}", "unit", unit->unit, "battery",
						unit->pack[0] ? unit->pack : unit->bank, "map",
						unit->map));
	}
	return units;
}

/* Without its connections and units, which come behind it. */
static json_t *json_listener(const struct shown *shown, size_t index)
{
	const struct pb_listen_config *listen = &shown->config->listens[index];
	const struct listener *listener = &shown->listeners->all[index];
	struct pb_server_stats stats;
	json_t *object;

	listener_stats(listener, &stats);
	object = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "kind",
			   pb_listen_kind_name(listen->kind), "address", listen->address, "clients",
			   (json_int_t)stats.clients, "requests", (json_int_t)stats.requests,
			   "exceptions", (json_int_t)stats.exceptions, "malformed",
			   (json_int_t)stats.malformed, "evicted", (json_int_t)stats.evicted,
			   "refused", (json_int_t)stats.refused, "timeouts",
			   (json_int_t)stats.timeouts);
	if (listener->server)
		json_object_set_new(object, "port", json_integer(pb_server_port(listener->server)));
	return object;
}

static json_t *json_head(const struct shown *shown)
{
	const struct pb_gateway *gateway = pb_plant_gateway(shown->site->plant, shown->now_ms);

	return json_pack("{s:s, s:I, s:o}", "version", gateway->version, "uptime_s",
			 (json_int_t)gateway->uptime_s, "gateway", pb_json_gateway(gateway));
}

/* ---- piece by piece ---- */

enum part {
	PART_HEAD,
	PART_PACKS,
	PART_BANKS,
	PART_LISTENERS,
	PART_CONNECTIONS, /* of the listener at telling->at */
	PART_END,
};

/* Takes @value, which is an object that is @closed, or one to which more members come. */
static void write_value(struct telling *telling, json_t *value, bool closed)
{
	char *text = json_dumps(value, JSON_COMPACT);

	if (text)
		fwrite(text, 1, strlen(text) - !closed, telling->out);
	free(text);
	json_decref(value);
}

static bool go_to(struct telling *telling, enum part part, const char *text)
{
	fputs(text, telling->out);
	telling->part = part;
	telling->at = 0;
	return true;
}

static void begin_element(struct telling *telling)
{
	if (telling->at++ > 0)
		fputc(',', telling->out);
}

static bool tell_packs(struct telling *telling)
{
	size_t index = telling->at;

	if (index == telling->shown.config->pack_count)
		return go_to(telling, PART_BANKS, "],\"banks\":[");
	begin_element(telling);
	write_value(telling, json_pack_of(&telling->shown, index), true);
	return true;
}

static bool tell_banks(struct telling *telling)
{
	size_t index = telling->at;

	if (index == telling->shown.config->bank_count)
		return go_to(telling, PART_LISTENERS, "],\"listeners\":[");
	begin_element(telling);
	write_value(telling, json_bank(&telling->shown, index), true);
	return true;
}

static bool tell_listeners(struct telling *telling)
{
	size_t index = telling->at;

	if (index == telling->shown.config->listen_count)
		return go_to(telling, PART_END, "]}\n");
	begin_element(telling);
	write_value(telling, json_listener(&telling->shown, index), false);
	fputs(",\"connections\":[", telling->out);
	telling->part = PART_CONNECTIONS;
	telling->sub = 0;
	return true;
}

static void tell_client(void *userdata, const struct pb_client_info *info)
{
	struct telling *telling = userdata;

	if (telling->sub++ > 1)
		fputc(',', telling->out);
	write_value(telling,
		    json_pack("{s:s, s:I, s:I, s:I, s:I}", "peer", info->peer, "connected_s",
			      (json_int_t)info->connected_s, "idle_s", (json_int_t)info->idle_s,
			      "requests", (json_int_t)info->requests, "exceptions",
			      (json_int_t)info->exceptions),
		    true);
}

/* telling->sub: 0 before the first, then 1 + how many were told */
static bool tell_connections(struct telling *telling)
{
	const struct shown *shown = &telling->shown;
	size_t index = telling->at - 1;
	struct pb_server *server = shown->listeners->all[index].server;
	bool first = telling->sub == 0;

	telling->sub += first;
	if (server &&
	    pb_server_clients(server, first, CLIENTS_A_PIECE, shown->now_ms, tell_client, telling))
		return true;
	fputc(']', telling->out);
	if (shown->config->listens[index].unit_count) {
		fputs(",\"units\":", telling->out);
		write_value(telling, json_units(&shown->config->listens[index]), true);
	}
	fputc('}', telling->out);
	telling->part = PART_LISTENERS;
	return true;
}

static bool status_step(struct telling *telling)
{
	switch ((enum part)telling->part) {
	case PART_HEAD:
		write_value(telling, json_head(&telling->shown), false);
		return go_to(telling, PART_PACKS, ",\"packs\":[");
	case PART_PACKS:
		return tell_packs(telling);
	case PART_BANKS:
		return tell_banks(telling);
	case PART_LISTENERS:
		return tell_listeners(telling);
	case PART_CONNECTIONS:
		return tell_connections(telling);
	case PART_END:
		break;
	}
	return false;
}

const struct telling_kind telling_status = {"application/json", status_step};
