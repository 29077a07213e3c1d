/* SPDX-License-Identifier: MIT */
/*
 * The status as one JSON object, written in pieces (document.h):
 *
 *	head ──▶ each pack ──▶ each bank ──▶ each listener ──▶ its connections
 *
 * A piece is one battery, or at most CLIENTS_A_PIECE clients, so a step stays short however many
 * there are.
 */
#include "document.h"
#include "switch.h"

#include "packbridge/events.h"
#include "packbridge/json.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CLIENTS_A_PIECE = 8 };

static json_t *json_alarm(enum pb_alarm kind, const struct pb_plant_alarm *alarm, uint64_t now_ms)
{
	uint64_t passed_s = (now_ms - alarm->since_ms) / 1000;
	char text[PB_ALARM_TEXT_MAX + PB_NAME_MAX + 2], since[32];

	snprintf(text, sizeof(text), "%s%s%s", alarm->pack ? alarm->pack : "",
		 alarm->pack ? ": " : "", alarm->text);
	pb_utc_text(time(NULL) - (time_t)passed_s, since, sizeof(since));
	return json_pack("{s:s, s:s, s:s, s:s, s:I}", "alarm", pb_alarm_name(kind), "level",
			 pb_level_name(alarm->level), "text", text, "since", since, "since_s",
			 (json_int_t)passed_s);
}

static json_t *json_alarms(const struct snapshot *snapshot, size_t battery)
{
	json_t *alarms = json_array();
	struct pb_plant_alarm alarm;

	for (int i = 0; i < PB_ALARM_COUNT; i++)
		if (pb_plant_alarm(snapshot->site->plant, battery, (enum pb_alarm)i, &alarm))
			json_array_append_new(
				alarms, json_alarm((enum pb_alarm)i, &alarm, snapshot->now_ms));
	return alarms;
}

/* What packs and banks have alike. */
static json_t *json_battery(const struct snapshot *snapshot, size_t index, int32_t unit,
			    const char *map)
{
	const struct pb_battery *data =
		pb_plant_battery(snapshot->site->plant, index, snapshot->now_ms);
	bool stale = data->quality != PB_QUALITY_GOOD;
	json_t *battery =
		json_pack("{s:s, s:i, s:s, s:s, s:o?, s:o, s:o}", "name", data->name, "unit", unit,
			  "map", map, "quality", pb_quality_text(data->quality), "age_s",
			  data->status.sequence ? json_integer(data->age_s) : NULL, "alarms",
			  json_alarms(snapshot, index), "fields", pb_json_battery(data, stale));

	json_object_update_new(battery, switch_json(snapshot, index));
	return battery;
}

static json_t *json_pack_of(const struct snapshot *snapshot, size_t index)
{
	const struct pb_pack_config *config = &snapshot->config->packs[index];
	const struct pb_plant_pack *reader = pb_plant_pack(snapshot->site->plant, index);
	json_t *pack = json_battery(snapshot, index, config->unit, config->map);
	const struct pb_battery *data =
		pb_plant_battery(snapshot->site->plant, index, snapshot->now_ms);
	enum pb_error error = data->status.last_error;
	char text[64 + PB_REFUSAL_TEXT_MAX], message[PB_NOTE_MAX];

	pb_note_text(&reader->note, snapshot->now_ms, message, sizeof(message));
	pb_refusals_error_text(reader->refusals, error, text, sizeof(text));
	json_object_set_new(pack, "link", json_string(config->link));
	json_object_set_new(pack, "protocol", json_string(data->protocol));
	json_object_set_new(pack, "state", json_string(reader->state));
	json_object_set_new(pack, "last_error",
			    error == PB_ERROR_NONE ? json_null() : json_string(text));
	json_object_set_new(pack, "impossible", pb_json_refusals(reader->refusals));
	json_object_set_new(pack, "last_message", json_string(message));
	return pack;
}

static json_t *json_bank(const struct snapshot *snapshot, size_t index)
{
	const struct pb_bank_config *config = &snapshot->config->banks[index];
	json_t *bank = json_battery(snapshot, snapshot->config->pack_count + index, config->unit,
				    config->map);
	json_t *packs = json_array();

	for (size_t i = 0; i < config->pack_count; i++)
		json_array_append_new(packs,
				      json_string(snapshot->config->packs[config->packs[i]].name));
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
static json_t *json_listener(const struct snapshot *snapshot, size_t index)
{
	const struct pb_listen_config *listen = &snapshot->config->listens[index];
	const struct listener *listener = &snapshot->listeners->all[index];
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

static json_t *json_head(const struct snapshot *snapshot)
{
	const struct pb_gateway *gateway =
		pb_plant_gateway(snapshot->site->plant, snapshot->now_ms);

	return json_pack("{s:s, s:I, s:I, s:o}", "version", gateway->version, "uptime_s",
			 (json_int_t)gateway->uptime_s, "event",
			 (json_int_t)pb_events_newest(snapshot->site->events), "gateway",
			 pb_json_gateway(gateway));
}

/* ---- piece by piece ---- */

enum part {
	PART_HEAD,
	PART_PACKS,
	PART_BANKS,
	PART_LISTENERS,
	PART_CONNECTIONS, /* of the listener at document->at */
	PART_END,
};

/* Takes @value, which is an object that is @closed, or one to which more members come. */
static void status_value(struct document *document, json_t *value, bool closed)
{
	char *text = json_dumps(value, JSON_COMPACT);

	if (text)
		fwrite(text, 1, strlen(text) - !closed, document->out);
	free(text);
	json_decref(value);
}

static bool go_to(struct document *document, enum part part, const char *text)
{
	fputs(text, document->out);
	document->part = part;
	document->at = 0;
	return true;
}

static void begin_element(struct document *document)
{
	if (document->at++ > 0)
		fputc(',', document->out);
}

static bool status_packs(struct document *document)
{
	size_t index = document->at;

	if (index == document->snapshot.config->pack_count)
		return go_to(document, PART_BANKS, "],\"banks\":[");
	begin_element(document);
	status_value(document, json_pack_of(&document->snapshot, index), true);
	return true;
}

static bool status_banks(struct document *document)
{
	size_t index = document->at;

	if (index == document->snapshot.config->bank_count)
		return go_to(document, PART_LISTENERS, "],\"listeners\":[");
	begin_element(document);
	status_value(document, json_bank(&document->snapshot, index), true);
	return true;
}

static bool status_listeners(struct document *document)
{
	size_t index = document->at;

	if (index == document->snapshot.config->listen_count)
		return go_to(document, PART_END, "]}\n");
	begin_element(document);
	status_value(document, json_listener(&document->snapshot, index), false);
	fputs(",\"connections\":[", document->out);
	document->part = PART_CONNECTIONS;
	document->sub = 0;
	return true;
}

static void status_client(void *userdata, const struct pb_client_info *info)
{
	struct document *document = userdata;

	if (document->sub++ > 1)
		fputc(',', document->out);
	status_value(document,
		     json_pack("{s:s, s:I, s:I, s:I, s:I}", "peer", info->peer, "connected_s",
			       (json_int_t)info->connected_s, "idle_s", (json_int_t)info->idle_s,
			       "requests", (json_int_t)info->requests, "exceptions",
			       (json_int_t)info->exceptions),
		     true);
}

/* document->sub: 0 before the first, then 1 + number of clients written */
static bool status_connections(struct document *document)
{
	const struct snapshot *snapshot = &document->snapshot;
	size_t index = document->at - 1;
	struct pb_server *server = snapshot->listeners->all[index].server;
	bool first = document->sub == 0;

	document->sub += first;
	if (server && pb_server_clients(server, first, CLIENTS_A_PIECE, snapshot->now_ms,
					status_client, document))
		return true;
	fputc(']', document->out);
	if (snapshot->config->listens[index].unit_count) {
		fputs(",\"units\":", document->out);
		status_value(document, json_units(&snapshot->config->listens[index]), true);
	}
	fputc('}', document->out);
	document->part = PART_LISTENERS;
	return true;
}

static bool status_step(struct document *document)
{
	switch ((enum part)document->part) {
	case PART_HEAD:
		status_value(document, json_head(&document->snapshot), false);
		return go_to(document, PART_PACKS, ",\"packs\":[");
	case PART_PACKS:
		return status_packs(document);
	case PART_BANKS:
		return status_banks(document);
	case PART_LISTENERS:
		return status_listeners(document);
	case PART_CONNECTIONS:
		return status_connections(document);
	case PART_END:
		break;
	}
	return false;
}

const struct document_kind document_status = {"application/json", status_step};
