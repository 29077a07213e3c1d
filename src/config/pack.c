/* SPDX-License-Identifier: MIT */
/*
 * `packs:`: the keys of a pack, and what holds for it of the limits and alarms of all. Secret.c has
 * its password and PIN, control.c the keys of control.
 */
#include "packbridge/model/gateway.h"

#include "part.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	STALE_POLLS = 3,
	STALE_LEAST_S = 15,
	POLL_REQUESTS = 2, /* of the codecs that ask least */
};

#define PACK(member)                                                                               \
	offsetof(struct pack, config.member), sizeof(((struct pb_pack_config *)0)->member)

/* One of `packs:`, before its sections are read. */
struct pack {
	struct pb_pack_config config;
	const struct pb_yaml *limits, *alarms;
};

_Static_assert(offsetof(struct pack, config) == 0, "rows fill and compare at the same offsets");

/* whether the file names it counts, too: sessions lengthen what is a preset */
static const struct pb_yaml_kept kept_stale = {
	.offset = offsetof(struct pb_pack_config, stale_after_s),
	.size = offsetof(struct pb_pack_config, stale_fixed) + sizeof(bool) -
		offsetof(struct pb_pack_config, stale_after_s),
};
static const struct pb_yaml_kept kept_limits = {
	.offset = offsetof(struct pb_pack_config, limits),
	.rows = config_limit_rows,
};
static const struct pb_yaml_kept kept_alarms = CONFIG_KEPT(struct pb_pack_config, alarms);

/* clang-format off */
const struct pb_yaml_row config_pack_rows[] = {
	{"name", PB_YAML_TEXT, PACK(name), .required = true,
	 .change = PB_CHANGE_REPLACES, .doc = "name in logs and registers: a-z, 0-9 and -, unique"},
	{"link", PB_YAML_TEXT, PACK(link), .required = true,
	 .change = PB_CHANGE_RECONNECTS, .doc = "how to reach the pack: ble:ADDRESS, ble:name=PATTERN, tcp:HOST:PORT, serial:DEVICE@BAUD or sim:PROFILE"},
	{"protocol", PB_YAML_TEXT, PACK(protocol), .preset = "jbd",
	 .change = PB_CHANGE_RECONNECTS, .doc = "protocol of the pack: jbd, daly, jk, or auto to detect it"},
	{"address", PB_YAML_INT, PACK(address), .min = 1, .max = 247,
	 .change = PB_CHANGE_RECONNECTS, .doc = "board address on a serial: or tcp: line that several packs share; without it, the pack has the line for itself"},
	{"unit", PB_YAML_INT, PACK(unit), .required = true, .min = 1, .max = 247,
	 .change = PB_CHANGE_APPLIES, .doc = "Modbus unit id of the pack, unique"},
	{"map", PB_YAML_TEXT, PACK(map), .preset = "packbridge",
	 .change = PB_CHANGE_APPLIES, .doc = "register map, by name"},
	{"poll_ms", PB_YAML_INT, PACK(poll_ms), .min = 100, .max = 3600000, .preset = "5000",
	 .change = PB_CHANGE_RECONNECTS, .doc = "from the start of one poll to the next"},
	{"gap_ms", PB_YAML_INT, PACK(gap_ms), .min = 0, .max = 60000, .preset = "500",
	 .change = PB_CHANGE_RECONNECTS, .doc = "pause between a reply and the next request; the default is at most a quarter of poll_ms"},
	{"settle_ms", PB_YAML_INT, PACK(settle_ms), .min = 0, .max = 60000, .preset = "300",
	 .change = PB_CHANGE_RECONNECTS, .doc = "pause between connecting and the first request"},
	{"reply_timeout_ms", PB_YAML_INT, PACK(reply_timeout_ms), .min = 50, .max = 60000, .preset = "1000",
	 .change = PB_CHANGE_RECONNECTS, .doc = "how long to wait for a reply"},
	{"tries", PB_YAML_INT, PACK(tries), .min = 1, .max = 20, .preset = "3",
	 .change = PB_CHANGE_RECONNECTS, .doc = "how often a request is sent before its poll counts as failed"},
	{"connect_timeout_ms", PB_YAML_INT, PACK(connect_timeout_ms), .min = 100, .max = 600000, .preset = "20000",
	 .change = PB_CHANGE_RECONNECTS, .doc = "longest time to connect; over Bluetooth it starts when it is the pack's turn"},
	{"password", PB_YAML_TEXT, PACK(password), .secret = true,
	 .change = PB_CHANGE_RECONNECTS, .doc = "of the pack's radio module, up to 6 characters, if the maker's app asks for one"},
	{"password_file", PB_YAML_TEXT, PACK(password_file),
	 .change = PB_CHANGE_APPLIES, .doc = "a file with the password in its first line, instead of password"},
	{"passkey", PB_YAML_INT, PACK(passkey), .secret = true, .min = 0, .max = 999999, .preset = "-1",
	 .change = PB_CHANGE_RECONNECTS, .doc = "number for Bluetooth pairing, if the pack needs it"},
	{"chemistry", PB_YAML_ENUM, PACK(chemistry), .words = pb_chemistry_names, .preset = "lifepo4",
	 .change = PB_CHANGE_APPLIES, .doc = "selects the presets of limits and alarms: lifepo4, nmc, lto or lead"},
	{"limits", PB_YAML_NODE, offsetof(struct pack, limits), sizeof(const struct pb_yaml *),
	 .change = PB_CHANGE_APPLIES, .kept = &kept_limits, .doc = "its own charge and discharge limits; they override those of the file"},
	{"alarms", PB_YAML_NODE, offsetof(struct pack, alarms), sizeof(const struct pb_yaml *),
	 .change = PB_CHANGE_APPLIES, .kept = &kept_alarms, .doc = "its own alarms; they override those of the file"},
	{"control", PB_YAML_ENUM, PACK(control.mode), .words = config_control_modes, .preset = "off",
	 .change = PB_CHANGE_RECONNECTS, .doc = "what clients may inhibit by the switches of the pack: off, charge, or charge+discharge; see docs/control.md"},
	{"lease_s", PB_YAML_INT, PACK(control.lease_s), .min = 0, .max = PB_LEASE_NONE_S - 1, .preset = "60",
	 .change = PB_CHANGE_APPLIES, .doc = "with control: after this time without a renewal a client's inhibit ends; 0: it does not end by itself"},
	{"lease_end", PB_YAML_ENUM, PACK(control.lease_end), .words = config_lease_ends, .preset = "release",
	 .change = PB_CHANGE_APPLIES, .doc = "with control: what happens to the switches when a lease ends and when the daemon stops: release, they are closed again, or keep"},
	{"control_min_s", PB_YAML_INT, PACK(control.min_s), .min = 0, .max = 3600, .preset = "10",
	 .change = PB_CHANGE_APPLIES, .doc = "with control: shortest time from a change to the next change that closes a switch"},
	{"control_per_hour", PB_YAML_INT, PACK(control.per_hour), .min = 2, .max = 60, .preset = "12",
	 .change = PB_CHANGE_APPLIES, .doc = "with control: changes of the switches in any hour, at most"},
	{"pin", PB_YAML_TEXT, PACK(pin), .secret = true,
	 .change = PB_CHANGE_RECONNECTS, .doc = "with control: hardware PIN of a JBD board, 6 digits, if the maker's app asks for one before it switches"},
	{"pin_file", PB_YAML_TEXT, PACK(pin_file),
	 .change = PB_CHANGE_APPLIES, .doc = "a file with the PIN in its first line, instead of pin"},
	{"stale_after_s", PB_YAML_INT, PACK(stale_after_s), .min = 1, .max = 65534,
	 .change = PB_CHANGE_RECONNECTS, .kept = &kept_stale, .doc = "age from which a reading is stale; default: 3 polls, at least 15 s, longer for slow boards and packs that take turns"},
	{0},
};
/* clang-format on */

const struct pb_yaml_row *pb_config_pack_rows(void)
{
	return config_pack_rows;
}

static uint32_t default_stale_s(uint32_t poll_ms)
{
	uint32_t polls_s = (STALE_POLLS * poll_ms + 999) / 1000;

	return polls_s > STALE_LEAST_S ? polls_s : STALE_LEAST_S;
}

/* @return the pack before @count that has the same name or unit; @count: none has. */
static size_t pack_find_same(const struct pb_config *config, size_t count, bool name)
{
	const struct pb_pack_config *pack = &config->packs[count];
	size_t i = 0;

	if (name ? !*pack->name : !pack->unit) /* already reported */
		return count;
	for (; i < count; i++) {
		const struct pb_pack_config *other = &config->packs[i];

		if (name ? strcmp(other->name, pack->name) == 0 : other->unit == pack->unit)
			break;
	}
	return i;
}

/* The error of a pack names the first pack that it conflicts with. */
static void pack_check_unique(const struct pb_config *config, size_t count,
			      const struct pb_yaml *node, struct pb_report *report)
{
	const struct pb_pack_config *pack = &config->packs[count];
	size_t name = pack_find_same(config, count, true),
	       unit = pack_find_same(config, count, false);

	if (name < count)
		pb_yaml_error(report, pb_yaml_at(node, "name"),
			      "name '%s' is taken by pack %zu, expected another", pack->name,
			      name + 1);
	if (unit < count)
		pb_yaml_error(report, pb_yaml_at(node, "unit"),
			      "unit %d already belongs to pack '%s', expected another", pack->unit,
			      config->packs[unit].name);
}

/* What holds for all packs, then what a pack says itself; and what results, by its own chemistry.
 */
static void read_settings(struct pb_pack_config *pack, const struct pack *source,
			  const struct config_common *all, struct pb_report *report)
{
	struct pb_report said = {0}; /* by config_check_defaults() already */

	pb_limit_preset(&pack->limits, (enum pb_chemistry)pack->chemistry);
	pb_alarm_preset(&pack->alarms, (enum pb_chemistry)pack->chemistry);
	config_read_limits(&pack->limits, all->limits, &said);
	config_read_alarms(&pack->alarms, all->alarms, &said);
	pb_report_clear(&said);
	config_read_limits(&pack->limits, source->limits, report);
	config_read_alarms(&pack->alarms, source->alarms, report);
	config_check_limits(pack, source->limits, all->limits, report);
	config_check_alarms(&pack->alarms, pack->name, source->alarms, all->alarms, report);
}

/* Whether a value can be built upon: it is not there, so the preset counts, or it is right. */
static bool is_good(const struct pb_yaml *node, const char *key, const struct pb_report *report)
{
	const struct pb_yaml *member = pb_yaml_get(node, key);

	return !member || !pb_yaml_told(report, member);
}

static void read_times(struct pb_pack_config *pack, const struct pb_yaml *node,
		       struct pb_report *report)
{
	/* a poll is two requests, and the next one keeps its distance, too */
	if (!pb_yaml_get(node, "gap_ms") && pack->gap_ms > pack->poll_ms / 4)
		pack->gap_ms = pack->poll_ms / 4;
	pack->stale_fixed = pack->stale_after_s != 0;
	if (pack->stale_after_s == 0)
		pack->stale_after_s = default_stale_s(pack->poll_ms);
	else if (is_good(node, "poll_ms", report) &&
		 (uint64_t)pack->stale_after_s * 1000 <= pack->poll_ms)
		pb_yaml_error(report, pb_yaml_at(node, "stale_after_s"),
			      "stale_after_s %u, expected more than one poll interval (%u ms)",
			      pack->stale_after_s, pack->poll_ms);
	if (is_good(node, "poll_ms", report) && is_good(node, "stale_after_s", report) &&
	    (uint64_t)pack->gap_ms * POLL_REQUESTS >= (uint64_t)pack->stale_after_s * 1000)
		pb_yaml_error(
			report, pb_yaml_at(node, "gap_ms"),
			"gap_ms %u, expected less than a half of stale_after_s (%u s): a poll is "
			"two requests, and all readings would be stale when they arrive",
			pack->gap_ms, pack->stale_after_s);
}

static void read_pack(struct pb_config *config, size_t index, const struct pb_yaml *node,
		      const struct config_common *all, struct pb_report *report)
{
	struct pb_pack_config *pack = &config->packs[index];
	struct pack source = {0};

	pb_yaml_fill(node, config_pack_rows, &source,
		     report); /* and what it could not fill is left out */
	*pack = source.config;
	pack->link_mark = config_mark(node, "link");
	pack->protocol_mark = config_mark(node, "protocol");
	pack->map_mark = config_mark(node, "map");
	pack->unit_mark = config_mark(node, "unit");
	if (pb_yaml_get(node, "control"))
		pack->control_mark = config_mark(node, "control");
	if (*pack->name && !config_good_name(pack->name))
		pb_yaml_error(report, pb_yaml_at(node, "name"),
			      "name '%s', expected only a-z, 0-9 and -", pack->name);
	if (node->type != PB_YAML_MAPPING)
		return;
	config_read_password(pack, node, report);
	config_read_pin(pack, node, report);
	config_check_control(node, report);
	read_times(pack, node, report);
	read_settings(pack, &source, all, report);
	pack_check_unique(config, index, node, report);
}

void config_check_defaults(struct config_common *all, struct pb_report *report)
{
	size_t before = report->count;
	struct pb_limit_setup limits;
	struct pb_alarm_setup alarms;

	/* any chemistry: what is read is compared with no preset */
	pb_limit_preset(&limits, PB_CHEMISTRY_LIFEPO4);
	pb_alarm_preset(&alarms, PB_CHEMISTRY_LIFEPO4);
	config_read_limits(&limits, all->limits, report);
	config_read_alarms(&alarms, all->alarms, report);
	if (report->count > before)
		all->limits = all->alarms = NULL;
}

int config_read_packs(struct pb_config *config, const struct pb_yaml *node,
		      const struct config_common *all, struct pb_report *report)
{
	size_t index = 0;

	config->packs = config_items(node, sizeof(*config->packs), PB_UNITS_MAX,
				     &config->pack_count, "packs", report);
	if (!config->packs)
		return config->pack_count ? -ENOMEM : 0;
	for (const struct pb_yaml *item = node->child; item; item = item->next)
		read_pack(config, index++, item, all, report);
	return 0;
}
