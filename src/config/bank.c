/* SPDX-License-Identifier: MIT */
/*
 * `banks:`: packs that are shown as one battery.
 */
#include "packbridge/model/gateway.h"

#include "part.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MISSING_USUAL = -1 };

/* One of `banks:`, before its lists are read. */
struct bank {
	struct pb_bank_config config;
	int missing;
	const struct pb_yaml *packs, *alarms;
};

#define BANK(member)                                                                               \
	offsetof(struct bank, config.member), sizeof(((struct pb_bank_config *)0)->member)
#define HERE(member) offsetof(struct bank, member), sizeof(((struct bank *)0)->member)

static const char *const topologies[] = {"parallel", "series", NULL};
static const char *const missings[] = {"exclude", "fault", NULL};

_Static_assert(offsetof(struct bank, config) == 0, "rows fill and compare at the same offsets");

/* by name: places move with other packs */
static const struct pb_yaml_kept kept_members = CONFIG_KEPT(struct pb_bank_config, pack_names);
static const struct pb_yaml_kept kept_missing = CONFIG_KEPT(struct pb_bank_config, setup.missing);
static const struct pb_yaml_kept kept_alarms = CONFIG_KEPT(struct pb_bank_config, alarms);

/* clang-format off */
const struct pb_yaml_row config_bank_rows[] = {
	{"name", PB_YAML_TEXT, BANK(name), .required = true,
	 .change = PB_CHANGE_REPLACES, .doc = "name in logs and registers: a-z, 0-9 and -, unique among packs and banks"},
	{"packs", PB_YAML_NODE, HERE(packs), .required = true, .change = PB_CHANGE_APPLIES, .kept = &kept_members, .doc = "list of the packs' names"},
	{"unit", PB_YAML_INT, BANK(unit), .required = true, .min = 1, .max = 247,
	 .change = PB_CHANGE_APPLIES, .doc = "Modbus unit id of the bank, unique among packs and banks"},
	{"map", PB_YAML_TEXT, BANK(map), .preset = "packbridge-bank", .change = PB_CHANGE_APPLIES, .doc = "register map, by name"},
	{"topology", PB_YAML_ENUM, BANK(setup.topology), .words = topologies, .preset = "parallel",
	 .change = PB_CHANGE_APPLIES, .doc = "parallel or series"},
	{"missing", PB_YAML_ENUM, HERE(missing), .words = missings,
	 .change = PB_CHANGE_APPLIES, .kept = &kept_missing, .doc = "if a pack has no reading: exclude, the bank is the other packs; fault, the bank has no reading either. Default: exclude in parallel, fault in series"},
	{"charge_max_a", PB_YAML_DECIMAL, BANK(setup.charge_max_ma), .factor = 1000, .min = 100, .max = 256000000,
	 .change = PB_CHANGE_APPLIES, .doc = "largest charge current of the whole bank, besides the limits of its packs"},
	{"discharge_max_a", PB_YAML_DECIMAL, BANK(setup.discharge_max_ma), .factor = 1000, .min = 100, .max = 256000000,
	 .change = PB_CHANGE_APPLIES, .doc = "the same for discharging"},
	{"keep_closed", PB_YAML_INT, BANK(keep_closed), .min = 0, .max = PB_MEMBERS_MAX, .preset = "0",
	 .change = PB_CHANGE_APPLIES, .doc = "with control of its packs: so many packs, at least, must stay closed in each direction; a client cannot inhibit the others"},
	{"alarms", PB_YAML_NODE, HERE(alarms), .change = PB_CHANGE_APPLIES, .kept = &kept_alarms, .doc = "alarms of the whole bank, besides those of its packs"},
	{0},
};
/* clang-format on */

const struct pb_yaml_row *pb_config_bank_rows(void)
{
	return config_bank_rows;
}

static void taken(const struct pb_yaml *node, const char *key, const char *of, const char *name,
		  struct pb_report *report)
{
	const struct pb_yaml *member = pb_yaml_at(node, key);

	pb_yaml_error(report, member, "%s '%s' is taken by %s '%s', expected another", key,
		      member->text, of, name);
}

static void bank_check_unique(const struct pb_config *config, size_t count,
			      const struct pb_yaml *node, struct pb_report *report)
{
	const struct pb_bank_config *bank = &config->banks[count];

	/* missing or invalid entries are reported already */
	for (size_t i = 0; i < config->pack_count; i++) {
		const struct pb_pack_config *pack = &config->packs[i];

		if (*bank->name && strcmp(pack->name, bank->name) == 0)
			taken(node, "name", "pack", pack->name, report);
		if (bank->unit && pack->unit == bank->unit)
			taken(node, "unit", "pack", pack->name, report);
	}
	for (size_t i = 0; i < count; i++) {
		const struct pb_bank_config *other = &config->banks[i];

		if (*bank->name && strcmp(other->name, bank->name) == 0)
			taken(node, "name", "bank", other->name, report);
		if (bank->unit && other->unit == bank->unit)
			taken(node, "unit", "bank", other->name, report);
	}
}

/* @return its place, or the number of packs: there is no such pack */
static size_t bank_find_pack(const struct pb_config *config, const struct pb_yaml *item,
			     struct pb_report *report)
{
	const char *name = item->type == PB_YAML_SCALAR ? item->text : "...";
	const char **names;
	size_t i = 0;

	while (i < config->pack_count && strcmp(config->packs[i].name, name) != 0)
		i++;
	if (i < config->pack_count)
		return i;
	names = config_pack_names(config);
	config_no_such(item, "pack", name, names, report);
	free(names);
	return i;
}

static void read_members(const struct pb_config *config, struct pb_bank_config *bank,
			 const struct pb_yaml *node, struct pb_report *report)
{
	bool alone = node->type == PB_YAML_SCALAR && *node->text;

	if (node->type != PB_YAML_SEQUENCE || !node->child ||
	    pb_yaml_count(node) > PB_MEMBERS_MAX) {
		pb_yaml_error(report, node,
			      "packs, expected a list of 1 to %d names of packs%s%s%s",
			      PB_MEMBERS_MAX, alone ? ": [" : "", alone ? node->text : "",
			      alone ? "]" : "");
		return;
	}
	for (const struct pb_yaml *item = node->child; item; item = item->next) {
		size_t place = bank_find_pack(config, item, report);

		if (place == config->pack_count) /* already reported */
			continue;
		for (size_t i = 0; i < bank->pack_count; i++)
			if (bank->packs[i] == place)
				pb_yaml_error(report, item,
					      "pack '%s' appears twice, expected once", item->text);
		memcpy(bank->pack_names[bank->pack_count], config->packs[place].name,
		       PB_CONFIG_NAME);
		bank->packs[bank->pack_count++] = place;
	}
}

/* Packs in parallel have one voltage, so they are of one kind. */
static void check_chemistry(const struct pb_config *config, const struct pb_bank_config *bank,
			    const struct pb_yaml *node, struct pb_report *report)
{
	const struct pb_pack_config *first = NULL;

	for (size_t i = 0; i < bank->pack_count; i++) {
		const struct pb_pack_config *pack = &config->packs[bank->packs[i]];

		if (!first)
			first = pack;
		if (pack->chemistry == first->chemistry)
			continue;
		pb_yaml_error(report, node,
			      "pack '%s' is %s and '%s' %s, expected packs in parallel with the "
			      "same chemistry",
			      first->name, pb_chemistry_names[first->chemistry], pack->name,
			      pb_chemistry_names[pack->chemistry]);
		return;
	}
}

/* Its packs have their own alarms; that there is no reading is for the bank to say, when the file
 * says of all. */
static void usual_alarms(struct pb_alarm_setup *setup, const struct pb_yaml *of_all)
{
	struct pb_report said = {0}; /* when the packs were read */
	struct pb_alarm_setup usual;

	pb_alarm_preset(&usual, PB_CHEMISTRY_LIFEPO4);
	config_read_alarms(&usual, of_all, &said);
	pb_report_clear(&said);
	setup->rules[PB_ALARM_SILENT] = usual.rules[PB_ALARM_SILENT];
	setup->latch = usual.latch;
}

static void read_bank(struct pb_config *config, size_t index, const struct pb_yaml *node,
		      const struct pb_yaml *alarms, struct pb_report *report)
{
	struct pb_bank_config *bank = &config->banks[index];
	struct bank source = {.missing = MISSING_USUAL};

	pb_yaml_fill(node, config_bank_rows, &source, report);
	if (node->type != PB_YAML_MAPPING)
		return;
	*bank = source.config;
	if (source.missing == MISSING_USUAL)
		source.missing = bank->setup.topology == PB_TOPOLOGY_SERIES ? PB_MISSING_FAULT
									    : PB_MISSING_EXCLUDE;
	bank->setup.missing = (enum pb_missing)source.missing;
	if (bank->setup.topology == PB_TOPOLOGY_SERIES && bank->setup.missing == PB_MISSING_EXCLUDE)
		pb_yaml_error(report, pb_yaml_at(node, "missing"),
			      "missing 'exclude' in series, expected fault: without one of its "
			      "packs the voltage is not known");
	if (*bank->name && !config_good_name(bank->name))
		pb_yaml_error(report, pb_yaml_at(node, "name"),
			      "name '%s', expected only a-z, 0-9 and -", bank->name);
	bank_check_unique(config, index, node, report);
	if (source.packs)
		read_members(config, bank, source.packs, report);
	if (source.packs && bank->setup.topology == PB_TOPOLOGY_PARALLEL)
		check_chemistry(config, bank, source.packs, report);
	config_check_keep_closed(config, bank, node, report);
	usual_alarms(&bank->alarms, alarms);
	config_read_alarms(&bank->alarms, source.alarms, report);
	config_check_alarms(&bank->alarms, bank->name, source.alarms, alarms, report);
	bank->map_mark = config_mark(node, "map");
	bank->packs_mark = config_mark(node, "packs");
}

int config_read_banks(struct pb_config *config, const struct pb_yaml *node,
		      const struct pb_yaml *alarms, struct pb_report *report)
{
	size_t index = 0;

	config->banks = config_items(node, sizeof(*config->banks), PB_UNITS_MAX,
				     &config->bank_count, "banks", report);
	if (!config->banks)
		return config->bank_count ? -ENOMEM : 0;
	for (const struct pb_yaml *item = node->child; item; item = item->next)
		read_bank(config, index++, item, alarms, report);
	return 0;
}
