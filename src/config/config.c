/* SPDX-License-Identifier: MIT */
/*
 * packbridge.yaml as a whole: its sections are read by a file each, in an order in which each finds
 * what it refers to. Part.c has what they share, so none of them needs this file.
 *
 *   text -- yaml --> tree -- config.c --> packs (pack.c, battery.c) --> banks (bank.c)
 *                                     --> listeners (listen.c), bluetooth.c, http.c
 */
#include "packbridge/model/gateway.h"

#include "part.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MEMBER(member)                                                                        \
	offsetof(struct sections, member), sizeof(((struct sections *)0)->member)

/* The whole file, before its sections are read. */
struct sections {
	struct config_common common;
	const struct pb_yaml *packs, *banks, *listen, *bluetooth, *http, *history;
	struct sockets {
		char path[PB_SOCKETS][PB_CONFIG_LINK];
	} sockets;
};

/* clang-format off */
static const struct pb_yaml_kept kept_packs = CONFIG_KEPT_ITEMS(struct pb_config, packs, pack_count, config_pack_rows);
static const struct pb_yaml_kept kept_banks = CONFIG_KEPT_ITEMS(struct pb_config, banks, bank_count, config_bank_rows);
static const struct pb_yaml_kept kept_listens = CONFIG_KEPT_ITEMS(struct pb_config, listens, listen_count, config_listen_rows);
static const struct pb_yaml_kept kept_bluetooth = {.offset = offsetof(struct pb_config, bluetooth), .rows = config_bluetooth_rows};
static const struct pb_yaml_kept kept_http = {.offset = offsetof(struct pb_config, http), .rows = config_http_rows};
static const struct pb_yaml_kept kept_history = {.offset = offsetof(struct pb_config, history), .rows = config_history_rows};
static const struct pb_yaml_kept kept_control = CONFIG_KEPT(struct pb_config, sockets[PB_SOCKET_CONTROL].path);
static const struct pb_yaml_kept kept_status = CONFIG_KEPT(struct pb_config, sockets[PB_SOCKET_STATUS].path);

static const struct pb_yaml_row file_rows[] = {
	{"packs", PB_YAML_NODE, FILE_MEMBER(packs), .required = true, .kept = &kept_packs, .doc = "the packs to poll"},
	{"banks", PB_YAML_NODE, FILE_MEMBER(banks), .kept = &kept_banks, .doc = "packs that are served as one battery"},
	{"limits", PB_YAML_NODE, FILE_MEMBER(common.limits), .kept = &kept_packs, .change = PB_CHANGE_APPLIES, .doc = "charge and discharge limits of all packs"},
	{"alarms", PB_YAML_NODE, FILE_MEMBER(common.alarms), .kept = &kept_packs, .change = PB_CHANGE_APPLIES, .doc = "alarms of all packs"},
	{"bluetooth", PB_YAML_NODE, FILE_MEMBER(bluetooth), .kept = &kept_bluetooth, .doc = "limits of the Bluetooth adapters"},
	{"control", PB_YAML_TEXT, FILE_MEMBER(sockets.path[PB_SOCKET_CONTROL]),
	 .kept = &kept_control, .change = PB_CHANGE_REPLACES, .doc = "path of the socket for `packbridge release`, `switch`, `reset` and `reload`; default: " PB_CONFIG_CONTROL},
	{"status", PB_YAML_TEXT, FILE_MEMBER(sockets.path[PB_SOCKET_STATUS]),
	 .kept = &kept_status, .change = PB_CHANGE_REPLACES, .doc = "path of the socket for `packbridge status`; default: " PB_CONFIG_STATUS},
	{"http", PB_YAML_NODE, FILE_MEMBER(http),
	 .kept = &kept_http, .doc = "address of the status page, such as 127.0.0.1:8502, or a section; default: no page"},
	{"history", PB_YAML_NODE, FILE_MEMBER(history),
	 .kept = &kept_history, .doc = "where counted energy and extremes are remembered, or off"},
	{"listen", PB_YAML_NODE, FILE_MEMBER(listen), .kept = &kept_listens, .doc = "where Modbus clients connect; default: - tcp: 0.0.0.0:502"},
	{0},
};
/* clang-format on */

const struct pb_yaml_row *pb_config_file_rows(void)
{
	return file_rows;
}

/* Each has a unit of its own. */
static int check_number(const struct sections *all, struct pb_report *report)
{
	size_t packs = all->packs ? pb_yaml_count(all->packs) : 0;
	size_t banks = all->banks ? pb_yaml_count(all->banks) : 0;

	if (packs + banks <= PB_UNITS_MAX)
		return 0;
	pb_yaml_error(report, packs > banks ? all->packs : all->banks,
		      "%zu packs and %zu banks, expected at most %d in all: each is a unit", packs,
		      banks, PB_UNITS_MAX);
	return -EINVAL;
}

const char *pb_socket_name(enum pb_socket socket)
{
	return socket == PB_SOCKET_CONTROL ? "control" : "status";
}

static void config_read_socket(struct pb_socket_config *ret, enum pb_socket socket,
			       const char *path, const struct pb_yaml *root)
{
	static const char *const usual[PB_SOCKETS] = {
		[PB_SOCKET_CONTROL] = PB_CONFIG_CONTROL,
		[PB_SOCKET_STATUS] = PB_CONFIG_STATUS,
	};

	ret->fixed = *path;
	if (ret->fixed)
		ret->mark = config_mark(root, pb_socket_name(socket));
	snprintf(ret->path, sizeof(ret->path), "%s", ret->fixed ? path : usual[socket]);
}

static int read_file(struct pb_config **ret, const char *file, const struct pb_yaml *root,
		     struct pb_report *report)
{
	PB_CLEANUP(pb_config_freep) struct pb_config *config = calloc(1, sizeof(*config));
	struct sections sections = {0};
	int r;

	if (!config)
		return -ENOMEM;
	config->file = strdup(file);
	if (!config->file)
		return -ENOMEM;
	pb_yaml_fill(root, file_rows, &sections, report);
	if (check_number(&sections, report) < 0)
		return -EINVAL;
	config_check_defaults(&sections.common, report);
	r = sections.packs ? config_read_packs(config, sections.packs, &sections.common, report)
			   : 0;
	if (r == 0 && sections.banks)
		r = config_read_banks(config, sections.banks, sections.common.alarms, report);
	if (r == 0)
		r = config_read_listens(config, sections.listen, report);
	if (r == 0)
		r = config_read_bluetooth(config, sections.bluetooth, report);
	if (r == 0)
		r = config_read_http(config, sections.http, report);
	config_read_history(config, sections.history, report);
	for (int i = 0; i < PB_SOCKETS; i++)
		config_read_socket(&config->sockets[i], (enum pb_socket)i, sections.sockets.path[i],
				   root);
	if (r < 0)
		return r;
	*ret = config;
	config = NULL;
	return report->count ? -EINVAL : 0;
}

/* ---- keys that stand in the wrong section ---- */

static bool has_key(const struct pb_yaml_row *rows, const char *key)
{
	while (rows->key && strcmp(rows->key, key) != 0)
		rows++;
	return rows->key;
}

/* What other programs call it. @return NULL: no other name is known */
static const char *other_name(const char *key)
{
	static const struct {
		const char *names, *meant;
	} others[] = {
		{" slave slave_id unit_id id modbus_id device_id ", "'unit' perhaps"},
		{" mac device host ip port tty ",
		 "'link' perhaps, such as ble:ADDRESS, tcp:HOST:PORT "
		 "or serial:DEVICE@BAUD"},
		{" interval poll poll_s poll_interval scan_interval ", "'poll_ms' perhaps"},
		{" type bms driver ", "'protocol' perhaps"},
		{" modbus server ", "'listen' perhaps"},
		{" baudrate speed ",
		 "'baud' perhaps; a pack has it in its link: serial:DEVICE@BAUD"},
		{" baud ", "it in `listen:`; a pack has it in its link: serial:DEVICE@BAUD"},
	};
	char word[64];

	snprintf(word, sizeof(word), " %s ", key);
	for (size_t i = 0; i < PB_ARRAY_SIZE(others); i++)
		if (strstr(others[i].names, word))
			return others[i].meant;
	return NULL;
}

static void elsewhere(const char *key, char *out, size_t cap)
{
	const struct {
		const struct pb_yaml_row *rows;
		const char *where;
	} sections[] = {
		{pb_config_pack_rows(), "in `packs:`"},
		{pb_config_bank_rows(), "in `banks:`"},
		{pb_config_limit_rows(), "in `limits:`"},
		{pb_config_listen_rows(), "in `listen:`"},
		{pb_config_bluetooth_rows(), "in `bluetooth:`"},
		{pb_config_history_rows(), "in `history:`"},
		{file_rows, "without an indent"},
	};
	const char *other = other_name(key);
	size_t at = 0;

	snprintf(out, cap, "%s", other ? other : "");
	for (size_t i = 0; !other && i < PB_ARRAY_SIZE(sections) && at < cap; i++)
		if (has_key(sections[i].rows, key))
			at += (size_t)snprintf(out + at, cap - at, "%s%s", at ? " or " : "it ",
					       sections[i].where);
	if (!other && at < cap && config_is_alarm(key))
		snprintf(out + at, cap - at, "%sin `alarms:`", at ? " or " : "it ");
}

/* Takes @root, which is NULL after an error that ended reading. @r: of the parser */
static int read_root(struct pb_config **ret, const char *file, struct pb_yaml *root, int r,
		     struct pb_report *report)
{
	if (root)
		r = read_file(ret, file, root, report);
	pb_yaml_free(root);
	report->elsewhere = NULL;
	report->sample = NULL;
	return r;
}

static void advise(struct pb_report *report)
{
	report->elsewhere = elsewhere;
	report->sample = "/usr/share/doc/packbridge/examples/packbridge.yaml";
}

int pb_config_read(struct pb_config **ret, const char *path, struct pb_report *report)
{
	struct pb_yaml *root = NULL;
	int r;

	advise(report);
	r = pb_yaml_load(&root, path, report);
	return read_root(ret, path, root, r, report);
}

/* @r: of reading, which may have left something behind */
static int whole_or_nothing(struct pb_config **ret, struct pb_config *config, int r)
{
	if (r < 0)
		pb_config_free(config);
	else
		*ret = config;
	return r;
}

int pb_config_parse(struct pb_config **ret, const char *file, const char *text, size_t len,
		    struct pb_report *report)
{
	struct pb_yaml *root = NULL;
	struct pb_config *config = NULL;
	int r;

	advise(report);
	r = pb_yaml_parse(&root, file, text, len, report);
	r = read_root(&config, file, root, r, report);
	return whole_or_nothing(ret, config, r);
}

int pb_config_load(struct pb_config **ret, const char *path, struct pb_report *report)
{
	struct pb_config *config = NULL;
	int r = pb_config_read(&config, path, report);

	return whole_or_nothing(ret, config, r);
}

struct pb_config *pb_config_free(struct pb_config *config)
{
	if (!config)
		return NULL;
	free(config->file);
	free(config->packs);
	free(config->banks);
	config_free_listens(config);
	config_free_http(config);
	free(config->bluetooth.adapters);
	free(config);
	return NULL;
}
