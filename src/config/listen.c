/* SPDX-License-Identifier: MIT */
/*
 * `listen:`: what the daemon answers on, and which units it shows there.
 */
#include "packbridge/model/gateway.h"

#include "part.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTEN(member)                                                                             \
	offsetof(struct listen, config.member), sizeof(((struct pb_listen_config *)0)->member)
#define KIND(kind)   offsetof(struct listen, address[kind]), PB_CONFIG_LINK
#define NODE(member) offsetof(struct listen, member), sizeof(const struct pb_yaml *)
#define SHOW(member)                                                                               \
	offsetof(struct pb_show_config, member), sizeof(((struct pb_show_config *)0)->member)

enum { LISTENS_MAX = 100 };
enum { SOCKETS = 1 << PB_LISTEN_TCP | 1 << PB_LISTEN_RTU_TCP, LINES = 1 << PB_LISTEN_RTU };

/* What is filled from the file, before its lists are made arrays. */
struct listen {
	struct pb_listen_config config;
	char address[PB_LISTEN_KINDS][PB_CONFIG_LINK];
	const struct pb_yaml *allow, *write, *units;
};

static const char *const parities[] = {"none", "even", "odd", NULL};
static const char *const rts_levels[] = {"high", "low", NULL};

_Static_assert(offsetof(struct listen, config) == 0, "rows fill and compare at the same offsets");

/* clang-format off */
static const struct pb_yaml_row show_rows[] = {
	{"unit", PB_YAML_INT, SHOW(unit), .required = true, .min = 1, .max = 247,
	 .doc = "Modbus unit id on this listener"},
	{"pack", PB_YAML_TEXT, SHOW(pack), .doc = "name of the pack"},
	{"bank", PB_YAML_TEXT, SHOW(bank), .doc = "instead of pack: name of the bank"},
	{"map", PB_YAML_TEXT, SHOW(map), .doc = "register map; default: that of the pack or bank"},
	{0},
};

/* which listener it is */
static const struct pb_yaml_kept kept_place = {
	.offset = offsetof(struct pb_listen_config, kind),
	.size = offsetof(struct pb_listen_config, address) + PB_CONFIG_LINK - offsetof(struct pb_listen_config, kind),
};
static const struct pb_yaml_kept kept_units = CONFIG_KEPT_ITEMS(struct pb_listen_config, units, unit_count, show_rows);
static const struct pb_yaml_kept kept_allow = CONFIG_KEPT_TEXTS(struct pb_listen_config, allow, allow_count);
static const struct pb_yaml_kept kept_write_line = CONFIG_KEPT(struct pb_listen_config, write_line);
static const struct pb_yaml_kept kept_write = {
	.shape = PB_YAML_TEXTS, .offset = offsetof(struct pb_listen_config, write),
	.count = offsetof(struct pb_listen_config, write_count), .also = &kept_write_line,
};

const struct pb_yaml_row config_listen_rows[] = {
	{"tcp", PB_YAML_TEXT, KIND(PB_LISTEN_TCP),
	 .change = PB_CHANGE_REPLACES, .kept = &kept_place, .doc = "Modbus TCP on HOST:PORT, e.g. 0.0.0.0:502 or [::]:502"},
	{"rtu", PB_YAML_TEXT, KIND(PB_LISTEN_RTU),
	 .change = PB_CHANGE_REPLACES, .kept = &kept_place, .doc = "instead of tcp: Modbus RTU on this serial line, e.g. /dev/ttyUSB0"},
	{"rtu-over-tcp", PB_YAML_TEXT, KIND(PB_LISTEN_RTU_TCP),
	 .change = PB_CHANGE_REPLACES, .kept = &kept_place, .doc = "instead of tcp: RTU frames over TCP on HOST:PORT, as serial device servers send them"},
	{"units", PB_YAML_NODE, NODE(units),
	 .change = PB_CHANGE_APPLIES, .kept = &kept_units, .doc = "list of {unit: 1, pack: house, map: packbridge} or {unit: 1, bank: all, map: pace}: units of this listener, instead of the usual ones"},
	{"max_clients", PB_YAML_INT, LISTEN(max_clients), .min = 1, .max = 4096, .preset = "64",
	 .change = PB_CHANGE_APPLIES, .doc = "connections at a time; one more closes one that never sent a request, or else the longest idle one of the address with the most"},
	{"allow", PB_YAML_NODE, NODE(allow),
	 .change = PB_CHANGE_APPLIES, .kept = &kept_allow, .doc = "list of networks that may connect, e.g. [192.168.1.0/24, 10.0.0.5]; default: everyone"},
	{"write", PB_YAML_NODE, NODE(write),
	 .change = PB_CHANGE_APPLIES, .kept = &kept_write, .doc = "list of networks whose clients may switch packs that have control, e.g. [192.168.1.20]; with rtu: true or false, whether the line's master may. Default: nobody may"},
	{"frame_timeout_ms", PB_YAML_INT, LISTEN(frame_timeout_ms), .min = 100, .max = 600000, .preset = "5000",
	 .change = PB_CHANGE_APPLIES, .doc = "time for the rest of a request, and for a client to take its replies"},
	{"idle_timeout_s", PB_YAML_INT, LISTEN(idle_timeout_s), .min = 0, .max = 604800, .preset = "0",
	 .change = PB_CHANGE_APPLIES, .doc = "a client is closed after this time without a request; 0: never"},
	{"baud", PB_YAML_INT, LISTEN(baud), .min = 1200, .max = 230400, .preset = "9600",
	 .change = PB_CHANGE_REOPENS, .doc = "1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200 or 230400"},
	{"parity", PB_YAML_ENUM, LISTEN(parity), .words = parities, .preset = "none",
	 .change = PB_CHANGE_REOPENS, .doc = "none, even or odd"},
	{"data_bits", PB_YAML_INT, LISTEN(data_bits), .min = 7, .max = 8, .preset = "8", .change = PB_CHANGE_REOPENS, .doc = "7 or 8"},
	{"stop_bits", PB_YAML_INT, LISTEN(stop_bits), .min = 1, .max = 2, .preset = "1", .change = PB_CHANGE_REOPENS, .doc = "1 or 2"},
	{"gap_ms", PB_YAML_INT, LISTEN(gap_ms), .min = 1, .max = 1000,
	 .change = PB_CHANGE_REOPENS, .doc = "pause that ends a frame of unknown length; default: 20 and at least 3.5 characters, over TCP 100"},
	{"reply_delay_ms", PB_YAML_INT, LISTEN(reply_delay_ms), .min = 0, .max = 1000, .preset = "0",
	 .change = PB_CHANGE_REOPENS, .doc = "wait before a reply, beyond 3.5 characters, for masters that need time to switch to receiving"},
	{"rs485", PB_YAML_BOOL, LISTEN(rs485), .preset = "false",
	 .change = PB_CHANGE_REOPENS, .doc = "let the kernel's driver switch the direction; most USB adapters do that themselves"},
	{"rts", PB_YAML_ENUM, LISTEN(rts), .words = rts_levels, .preset = "high",
	 .change = PB_CHANGE_REOPENS, .doc = "rs485: RTS while sending, high or low"},
	{"rts_before_ms", PB_YAML_INT, LISTEN(rts_before_ms), .min = 0, .max = 100, .preset = "0",
	 .change = PB_CHANGE_REOPENS, .doc = "rs485: from switching RTS to the first bit"},
	{"rts_after_ms", PB_YAML_INT, LISTEN(rts_after_ms), .min = 0, .max = 100, .preset = "0",
	 .change = PB_CHANGE_REOPENS, .doc = "rs485: from the last bit to switching RTS back"},
	{"echo", PB_YAML_BOOL, LISTEN(echo), .preset = "false",
	 .change = PB_CHANGE_REOPENS, .doc = "the adapter receives what it sends"},
	{0},
};

/* Keys that only make sense for some kinds of listeners. */
static const struct { const char *key; unsigned int kinds; } only[] = {
	{"max_clients", SOCKETS},      {"allow", SOCKETS},
	{"frame_timeout_ms", SOCKETS}, {"idle_timeout_s", SOCKETS},
	{"baud", LINES},	       {"parity", LINES},
	{"data_bits", LINES},	       {"stop_bits", LINES},
	{"reply_delay_ms", LINES},     {"rs485", LINES},
	{"rts", LINES},		       {"rts_before_ms", LINES},
	{"rts_after_ms", LINES},
	{"echo", LINES},	       {"gap_ms", LINES | 1 << PB_LISTEN_RTU_TCP},
};
/* clang-format on */

const char *pb_listen_kind_name(enum pb_listen_kind kind)
{
	static const char *const names[PB_LISTEN_KINDS] = {
		[PB_LISTEN_TCP] = "tcp",
		[PB_LISTEN_RTU] = "rtu",
		[PB_LISTEN_RTU_TCP] = "rtu-over-tcp",
	};

	return names[kind];
}

void pb_listen_name(const struct pb_listen_config *listen, char *out, size_t cap)
{
	snprintf(out, cap, "%s %s", pb_listen_kind_name(listen->kind), listen->address);
}

const struct pb_yaml_row *pb_config_listen_rows(void)
{
	return config_listen_rows;
}

const struct pb_yaml_row *pb_config_show_rows(void)
{
	return show_rows;
}

/* ---- what it listens on ---- */

/* @return how many kinds it is of, which should be one */
static int set_kind(struct listen *listen, const struct pb_yaml *item)
{
	int found = 0;

	for (int kind = 0; kind < PB_LISTEN_KINDS; kind++) {
		if (!listen->address[kind][0])
			continue;
		found++;
		listen->config.kind = (enum pb_listen_kind)kind;
		memcpy(listen->config.address, listen->address[kind], PB_CONFIG_LINK);
		listen->config.mark =
			config_mark(item, pb_listen_kind_name((enum pb_listen_kind)kind));
	}
	return found;
}

static void listen_check_keys(const struct pb_listen_config *listen, const struct pb_yaml *item,
			      struct pb_report *report)
{
	for (size_t i = 0; i < PB_ARRAY_SIZE(only); i++) {
		const struct pb_yaml *key = pb_yaml_get(item, only[i].key);

		if (key && !(only[i].kinds & 1U << listen->kind))
			pb_yaml_error(report, key, "%s has no effect on %s, expected %s with it",
				      only[i].key, pb_listen_kind_name(listen->kind),
				      (only[i].kinds & LINES) ? "rtu" : "tcp");
	}
}

/* ---- what it shows ---- */

static void listen_find_pack(const struct pb_config *config, struct pb_show_config *show,
			     const struct pb_yaml *item, struct pb_report *report)
{
	const char **names;

	for (size_t i = 0; i < config->pack_count; i++) {
		if (strcmp(config->packs[i].name, show->pack) != 0)
			continue;
		show->index = i;
		if (!show->map[0])
			memcpy(show->map, config->packs[i].map, sizeof(show->map));
		return;
	}
	names = config_pack_names(config);
	config_no_such(pb_yaml_at(item, "pack"), "pack", show->pack, names, report);
	free(names);
}

static void listen_find_bank(const struct pb_config *config, struct pb_show_config *show,
			     const struct pb_yaml *item, struct pb_report *report)
{
	const char **names = calloc(config->bank_count + 1, sizeof(*names));

	for (size_t i = 0; i < config->bank_count; i++) {
		if (names)
			names[i] = config->banks[i].name;
		if (strcmp(config->banks[i].name, show->bank) != 0)
			continue;
		show->index = i;
		if (!show->map[0])
			memcpy(show->map, config->banks[i].map, sizeof(show->map));
		free(names);
		return;
	}
	config_no_such(pb_yaml_at(item, "bank"), "bank", show->bank, names, report);
	free(names);
}

static void find_battery(const struct pb_config *config, struct pb_show_config *show,
			 const struct pb_yaml *item, struct pb_report *report)
{
	if (!show->pack[0] == !show->bank[0])
		pb_yaml_error(report, item, "a unit with %s, expected one of pack and bank",
			      show->pack[0] ? "a pack and a bank" : "neither a pack nor a bank");
	else if (show->pack[0])
		listen_find_pack(config, show, item, report);
	else
		listen_find_bank(config, show, item, report);
}

static int read_units(const struct pb_config *config, struct pb_listen_config *listen,
		      const struct pb_yaml *node, struct pb_report *report)
{
	size_t index = 0;

	listen->units = config_items(node, sizeof(*listen->units), PB_UNITS_MAX,
				     &listen->unit_count, "units", report);
	if (!listen->units)
		return listen->unit_count ? -ENOMEM : 0;
	for (const struct pb_yaml *item = node->child; item; item = item->next, index++) {
		struct pb_show_config *show = &listen->units[index];

		if (pb_yaml_fill(item, show_rows, show, report) < 0 && !show->pack[0] &&
		    !show->bank[0])
			continue;
		show->map_mark = config_mark(item, pb_yaml_get(item, "map") ? "map"
						   : show->pack[0]	    ? "pack"
									    : "bank");
		find_battery(config, show, item, report);
		for (size_t i = 0; i < index; i++)
			if (show->unit && listen->units[i].unit == show->unit)
				pb_yaml_error(
					report, pb_yaml_at(item, "unit"),
					"unit %d already belongs to '%s' here, expected another",
					show->unit,
					listen->units[i].pack[0] ? listen->units[i].pack
								 : listen->units[i].bank);
	}
	return 0;
}

/* ---- the list ---- */

static int read_listen(struct pb_config *config, size_t index, const struct pb_yaml *item,
		       struct pb_report *report)
{
	struct pb_listen_config *config_listen = &config->listens[index];
	struct listen listen = {0};
	bool good = pb_yaml_fill(item, config_listen_rows, &listen, report) == 0;
	int found = set_kind(&listen, item), r = 0;

	if (good && found != 1)
		pb_yaml_error(report, item,
			      "a listener with %s, expected one of tcp, rtu and rtu-over-tcp",
			      found ? "several of tcp, rtu and rtu-over-tcp"
				    : "neither tcp nor rtu nor rtu-over-tcp");
	if (!listen.config.gap_ms)
		listen.config.gap_ms = listen.config.kind == PB_LISTEN_RTU ? 20 : 100;
	*config_listen = listen.config;
	config_listen->baud_mark = config_mark(item, "baud");
	if (found == 1)
		listen_check_keys(config_listen, item, report);
	if (listen.allow)
		r = config_texts(&config_listen->allow, &config_listen->allow_marks,
				 &config_listen->allow_count, listen.allow, "allow",
				 "networks like 192.168.1.0/24", report);
	if (r == 0 && listen.write && found == 1)
		r = config_read_write(config_listen, listen.write, report);
	if (r == 0 && listen.units)
		r = read_units(config, config_listen, listen.units, report);
	return r;
}

static int read_list(struct pb_config *config, const struct pb_yaml *node, struct pb_report *report)
{
	size_t index = 0;
	int r = 0;

	config->listens = config_items(node, sizeof(*config->listens), LISTENS_MAX,
				       &config->listen_count, "listen", report);
	if (!config->listens)
		return config->listen_count ? -ENOMEM : 0;
	for (const struct pb_yaml *item = node->child; item && r == 0; item = item->next)
		r = read_listen(config, index++, item, report);
	return r;
}

int config_read_listens(struct pb_config *config, const struct pb_yaml *node,
			struct pb_report *report)
{
	static const char usual[] = "[{tcp: '0.0.0.0:502'}]";
	PB_CLEANUP(pb_yaml_freep) struct pb_yaml *missing = NULL;
	int r = 0;

	if (!node)
		r = pb_yaml_parse(&missing, "(built in)", usual, strlen(usual), report);
	if (r == 0)
		r = read_list(config, node ? node : missing, report);
	if (missing && r == 0)
		config->listens[0].mark = (struct pb_mark){0};
	return r;
}

void config_free_listens(struct pb_config *config)
{
	for (size_t i = 0; config->listens && i < config->listen_count; i++) {
		struct pb_listen_config *listen = &config->listens[i];

		config_free_texts(listen->allow, listen->allow_count);
		free(listen->allow_marks);
		config_free_texts(listen->write, listen->write_count);
		free(listen->write_marks);
		free(listen->units);
	}
	free(config->listens);
}
