/* SPDX-License-Identifier: MIT */
#include "packbridge/model/gateway.h"

#include "inner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	STALE_POLLS = 3,
	STALE_LEAST_S = 15,
	POLL_REQUESTS = 2, /* of the codecs that ask least */
	PASSWORD_MAX = 6,
	PASSWORD_FILE_MAX = 4096,
	ADAPTERS_MAX = 64,
	TEXTS_MAX = 1000, /* networks or names in a list */
};

#define PACK(member)                                                                               \
	offsetof(struct pack, config.member), sizeof(((struct pb_pack_config *)0)->member)
#define BLUETOOTH(member)                                                                          \
	offsetof(struct bluetooth, config.member), sizeof(((struct pb_bluetooth_config *)0)->member)
#define ADAPTER(member)                                                                            \
	offsetof(struct pb_adapter_config, member), sizeof(((struct pb_adapter_config *)0)->member)
#define FILE_MEMBER(member)                                                                        \
	offsetof(struct sections, member), sizeof(((struct sections *)0)->member)

/* One of `packs:`, before its sections are read. */
struct pack {
	struct pb_pack_config config;
	const struct pb_yaml *limits, *alarms;
};

/* The section as it stands in the file. */
struct bluetooth {
	struct pb_bluetooth_config config;
	const struct pb_yaml *adapters;
};

/* The whole file, before its sections are read. */
struct sections {
	const struct pb_yaml *packs, *banks, *listen, *bluetooth, *limits, *alarms, *http;
	struct sockets {
		char path[PB_SOCKETS][PB_CONFIG_LINK];
	} sockets;
};

/* clang-format off */
static const struct pb_yaml_row pack_rows[] = {
	{"name", PB_YAML_TEXT, PACK(name), .required = true,
	 .doc = "name in logs and registers: a-z, 0-9 and -, unique"},
	{"link", PB_YAML_TEXT, PACK(link), .required = true,
	 .doc = "where the pack is: ble:ADDRESS, ble:name=PATTERN, tcp:HOST:PORT, serial:DEVICE@BAUD or sim:PROFILE"},
	{"protocol", PB_YAML_TEXT, PACK(protocol), .preset = "jbd",
	 .doc = "what the pack speaks: jbd, daly, jk, or auto to find out"},
	{"unit", PB_YAML_INT, PACK(unit), .required = true, .min = 1, .max = 247,
	 .doc = "Modbus unit id that shows the pack, unique"},
	{"map", PB_YAML_TEXT, PACK(map), .preset = "packbridge",
	 .doc = "register map, by name"},
	{"poll_ms", PB_YAML_INT, PACK(poll_ms), .min = 100, .max = 3600000, .preset = "5000",
	 .doc = "from the start of one poll to the next"},
	{"gap_ms", PB_YAML_INT, PACK(gap_ms), .min = 0, .max = 60000, .preset = "500",
	 .doc = "silence between a reply and the next request; when not given, at most a quarter of poll_ms"},
	{"settle_ms", PB_YAML_INT, PACK(settle_ms), .min = 0, .max = 60000, .preset = "300",
	 .doc = "silence between connecting and the first request"},
	{"reply_timeout_ms", PB_YAML_INT, PACK(reply_timeout_ms), .min = 50, .max = 60000, .preset = "1000",
	 .doc = "how long to wait for a reply"},
	{"tries", PB_YAML_INT, PACK(tries), .min = 1, .max = 20, .preset = "3",
	 .doc = "times that a request is sent before its poll counts as failed"},
	{"connect_timeout_ms", PB_YAML_INT, PACK(connect_timeout_ms), .min = 100, .max = 600000, .preset = "20000",
	 .doc = "how long connecting may take; over Bluetooth from the moment that it is the pack's turn"},
	{"password", PB_YAML_TEXT, PACK(password), .secret = true,
	 .doc = "of the pack's radio module, up to 6 characters, when the maker's app asks for one"},
	{"password_file", PB_YAML_TEXT, PACK(password_file),
	 .doc = "a file with the password in its first line, instead of password"},
	{"passkey", PB_YAML_INT, PACK(passkey), .secret = true, .min = 0, .max = 999999, .preset = "-1",
	 .doc = "number for Bluetooth pairing, when the pack wants that"},
	{"chemistry", PB_YAML_ENUM, PACK(chemistry), .words = pb_chemistry_names, .preset = "lifepo4",
	 .doc = "what the presets of limits and alarms are for: lifepo4, nmc, lto or lead"},
	{"limits", PB_YAML_NODE, offsetof(struct pack, limits), sizeof(const struct pb_yaml *),
	 .doc = "its own charge and discharge limits, over the file's"},
	{"alarms", PB_YAML_NODE, offsetof(struct pack, alarms), sizeof(const struct pb_yaml *),
	 .doc = "its own alarms, over the file's"},
	{"stale_after_s", PB_YAML_INT, PACK(stale_after_s), .min = 1, .max = 65534,
	 .doc = "age from which a reading counts as old; 3 polls, at least 15 s, "
		"longer for boards and turns that take longer, when not given"},
	{0},
};

static const struct pb_yaml_row bluetooth_rows[] = {
	{"max_connections", PB_YAML_INT, BLUETOOTH(max_connections), .min = 1, .max = 64, .preset = "5",
	 .doc = "packs that one adapter holds at a time; more take turns"},
	{"power_cycle_after", PB_YAML_INT, BLUETOOTH(power_cycle_after), .min = 0, .max = 1000, .preset = "0",
	 .doc = "failed connects in a row after which an adapter is switched off and on; 0: never"},
	{"acquire", PB_YAML_BOOL, BLUETOOTH(acquire), .preset = "true",
	 .doc = "move bytes through descriptors; false: through D-Bus messages"},
	{"adapters", PB_YAML_NODE, offsetof(struct bluetooth, adapters), sizeof(const struct pb_yaml *),
	 .doc = "list of {name: hci0, max_connections: 3}, for adapters with a limit of their own"},
	{0},
};

static const struct pb_yaml_row adapter_rows[] = {
	{"name", PB_YAML_TEXT, ADAPTER(name), .required = true, .doc = "hci0, hci1..."},
	{"max_connections", PB_YAML_INT, ADAPTER(max_connections), .required = true, .min = 1, .max = 64,
	 .doc = "packs that it holds at a time"},
	{0},
};

static const struct pb_yaml_row file_rows[] = {
	{"packs", PB_YAML_NODE, FILE_MEMBER(packs), .required = true, .doc = "the packs to poll"},
	{"banks", PB_YAML_NODE, FILE_MEMBER(banks), .doc = "packs that are shown as one battery"},
	{"limits", PB_YAML_NODE, FILE_MEMBER(limits), .doc = "charge and discharge limits of all packs"},
	{"alarms", PB_YAML_NODE, FILE_MEMBER(alarms), .doc = "alarms of all packs"},
	{"bluetooth", PB_YAML_NODE, FILE_MEMBER(bluetooth), .doc = "limits of the Bluetooth adapters"},
	{"control", PB_YAML_TEXT, FILE_MEMBER(sockets.path[PB_SOCKET_CONTROL]),
	 .doc = "path of the socket for `packbridge release`, `reset` and `reload`; " PB_CONFIG_CONTROL " when not given"},
	{"status", PB_YAML_TEXT, FILE_MEMBER(sockets.path[PB_SOCKET_STATUS]),
	 .doc = "path of the socket for `packbridge status`; " PB_CONFIG_STATUS " when not given"},
	{"http", PB_YAML_NODE, FILE_MEMBER(http),
	 .doc = "where the status page is, such as 127.0.0.1:8502, or a section; nowhere when not given"},
	{"listen", PB_YAML_NODE, FILE_MEMBER(listen), .doc = "where Modbus clients connect; - tcp: 0.0.0.0:502 when not given"},
	{0},
};
/* clang-format on */

const struct pb_yaml_row *pb_config_file_rows(void)
{
	return file_rows;
}

const struct pb_yaml_row *pb_config_pack_rows(void)
{
	return pack_rows;
}

const struct pb_yaml_row *pb_config_bluetooth_rows(void)
{
	return bluetooth_rows;
}

struct pb_mark config_mark(const struct pb_yaml *node, const char *key)
{
	const struct pb_yaml *at = pb_yaml_at(node, key);

	return (struct pb_mark){at->line, at->col};
}

void *config_items(const struct pb_yaml *node, size_t size, size_t max, size_t *ret_count,
		   const char *what, struct pb_report *report)
{
	size_t count = pb_yaml_count(node);

	if (node->type != PB_YAML_SEQUENCE || !node->child) {
		pb_yaml_error(report, node, "%s, expected a list (lines that start with '- ')",
			      what);
		return NULL;
	}
	if (count > max) {
		pb_yaml_error(report, node, "%s, %zu in the list, expected at most %zu", what,
			      count, max);
		return NULL;
	}
	*ret_count = count;
	return calloc(count, size);
}

int config_texts(char ***ret, struct pb_mark **ret_marks, size_t *ret_count,
		 const struct pb_yaml *node, const char *what, const char *expected,
		 struct pb_report *report)
{
	size_t count = 0;
	char **texts;

	*ret = NULL;
	*ret_marks = NULL;
	*ret_count = 0;
	if (node->type == PB_YAML_SCALAR && *node->text) {
		pb_yaml_error(report, node, "%s '%s', expected a list: [%s]", what, node->text,
			      node->text);
		return 0;
	}
	texts = config_items(node, sizeof(*texts), TEXTS_MAX, &count, what, report);

	*ret = texts;
	*ret_count = 0;
	if (!texts)
		return count ? -ENOMEM : 0;
	*ret_marks = calloc(count, sizeof(**ret_marks));
	if (!*ret_marks)
		return -ENOMEM;
	for (const struct pb_yaml *item = node->child; item; item = item->next) {
		if (item->type != PB_YAML_SCALAR) {
			pb_yaml_error(report, item, "%s, expected %s", what, expected);
			continue;
		}
		texts[*ret_count] = strdup(item->text);
		if (!texts[*ret_count])
			return -ENOMEM;
		(*ret_marks)[*ret_count] = (struct pb_mark){item->line, item->col};
		++*ret_count;
	}
	return 0;
}

void config_free_texts(char **texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	free(texts);
}

bool config_good_name(const char *name)
{
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0' && *name;
}

static uint32_t default_stale_s(uint32_t poll_ms)
{
	uint32_t polls_s = (STALE_POLLS * poll_ms + 999) / 1000;

	return polls_s > STALE_LEAST_S ? polls_s : STALE_LEAST_S;
}

/* @return the pack before @count that has the same name or unit; @count: none has. */
static size_t find_same(const struct pb_config *config, size_t count, bool name)
{
	const struct pb_pack_config *pack = &config->packs[count];
	size_t i = 0;

	if (name ? !*pack->name : !pack->unit) /* that is told */
		return count;
	for (; i < count; i++) {
		const struct pb_pack_config *other = &config->packs[i];

		if (name ? strcmp(other->name, pack->name) == 0 : other->unit == pack->unit)
			break;
	}
	return i;
}

/* Each is told of the first that it collides with. */
static void check_unique(const struct pb_config *config, size_t count, const struct pb_yaml *node,
			 struct pb_report *report)
{
	const struct pb_pack_config *pack = &config->packs[count];
	size_t name = find_same(config, count, true), unit = find_same(config, count, false);

	if (name < count)
		pb_yaml_error(report, pb_yaml_at(node, "name"),
			      "name '%s' is taken by pack %zu, expected another", pack->name,
			      name + 1);
	if (unit < count)
		pb_yaml_error(report, pb_yaml_at(node, "unit"),
			      "unit %d already shows pack '%s', expected another", pack->unit,
			      config->packs[unit].name);
}

/* Where a pack's password comes from, which is where errors in it stand. */
static const struct pb_yaml *password_at(const struct pb_pack_config *pack,
					 const struct pb_yaml *node)
{
	return pb_yaml_at(node, pack->password_file[0] ? "password_file" : "password");
}

/* What a radio module takes. The password itself is nobody's business: no message shows it. */
static int check_password(struct pb_pack_config *pack, const char *text, size_t len,
			  const struct pb_yaml *node, struct pb_report *report)
{
	const struct pb_yaml *at = password_at(pack, node);

	if (len < 1 || len > PASSWORD_MAX) {
		pb_yaml_error(report, at, "a password of %zu characters, expected 1 to %d", len,
			      PASSWORD_MAX);
		return -EINVAL;
	}
	for (size_t i = 0; i < len; i++) {
		if (text[i] > ' ' && text[i] <= '~')
			continue;
		pb_yaml_error(report, at,
			      "a password with %s as character %zu, expected letters, digits and "
			      "signs of ASCII",
			      text[i] == ' '		     ? "a blank"
			      : (unsigned char)text[i] < ' ' ? "a control character"
							     : "a foreign character",
			      i + 1);
		return -EINVAL;
	}
	memmove(pack->password, text, len);
	pack->password[len] = '\0';
	return 0;
}

/* The first line of a file, which others should not be able to read. */
static void read_password_file(struct pb_pack_config *pack, const struct pb_yaml *node,
			       struct pb_report *report)
{
	static const char mark[] = "\xEF\xBB\xBF";
	const struct pb_yaml *at = password_at(pack, node);
	char *text = NULL, why[160];
	size_t len, line = 0;

	if (pb_file_read(pack->password_file, PASSWORD_FILE_MAX, &text, &len, why, sizeof(why)) <
	    0) {
		pb_yaml_error(report, at, "'%s' %s, expected a regular file with a password",
			      pack->password_file, why);
		return;
	}
	if (len >= strlen(mark) && memcmp(text, mark, strlen(mark)) == 0) {
		pb_yaml_error(report, at, "'%s' begins with a byte order mark, expected plain text",
			      pack->password_file);
	} else {
		while (line < len && text[line] != '\n')
			line++;
		if (line > 0 && text[line - 1] == '\r')
			line--;
		check_password(pack, text, line, node, report);
	}
	explicit_bzero(text, len);
	free(text);
}

static void read_password(struct pb_pack_config *pack, const struct pb_yaml *node,
			  struct pb_report *report)
{
	if (pack->password_file[0] && pack->password[0])
		pb_yaml_error(report, password_at(pack, node),
			      "password and password_file, expected one of them");
	else if (pack->password_file[0])
		read_password_file(pack, node, report);
	else if (pack->password[0])
		check_password(pack, pack->password, strlen(pack->password), node, report);
	else if (pack->passkey < 0)
		return;
	if (*pack->link && strncmp(pack->link, "ble:", 4) != 0)
		pb_yaml_error(report,
			      pack->passkey >= 0 ? pb_yaml_at(node, "passkey")
						 : password_at(pack, node),
			      "link %s has no radio module to log in to, expected a ble: link",
			      pack->link);
}

/* What holds for all packs, then what a pack says itself; and what results, by its own chemistry.
 */
static void read_settings(struct pb_pack_config *pack, const struct pack *source,
			  const struct sections *all, struct pb_report *report)
{
	struct pb_report said = {0}; /* by check_defaults() already */

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
			"two requests, and all readings would be old when they come",
			pack->gap_ms, pack->stale_after_s);
}

static void read_pack(struct pb_config *config, size_t index, const struct pb_yaml *node,
		      const struct sections *all, struct pb_report *report)
{
	struct pb_pack_config *pack = &config->packs[index];
	struct pack source = {0};

	pb_yaml_fill(node, pack_rows, &source, report); /* and what it could not fill is left out */
	*pack = source.config;
	pack->link_mark = config_mark(node, "link");
	pack->protocol_mark = config_mark(node, "protocol");
	pack->map_mark = config_mark(node, "map");
	pack->unit_mark = config_mark(node, "unit");
	if (*pack->name && !config_good_name(pack->name))
		pb_yaml_error(report, pb_yaml_at(node, "name"),
			      "name '%s', expected only a-z, 0-9 and -", pack->name);
	if (node->type != PB_YAML_MAPPING)
		return;
	read_password(pack, node, report);
	read_times(pack, node, report);
	read_settings(pack, &source, all, report);
	check_unique(config, index, node, report);
}

/*
 * Errors in what holds for all are told once, however many packs there are; and what has errors is
 * not read again for each of them. Whether the values fit together is a question for each pack.
 */
static void check_defaults(struct sections *all, struct pb_report *report)
{
	size_t before = report->count;
	struct pb_limit_setup limits;
	struct pb_alarm_setup alarms;

	pb_limit_preset(&limits, PB_CHEMISTRY_LIFEPO4);
	pb_alarm_preset(&alarms, PB_CHEMISTRY_LIFEPO4);
	config_read_limits(&limits, all->limits, report);
	config_read_alarms(&alarms, all->alarms, report);
	if (report->count > before)
		all->limits = all->alarms = NULL;
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

static int read_packs(struct pb_config *config, const struct sections *all,
		      struct pb_report *report)
{
	size_t index = 0;

	config->packs = config_items(all->packs, sizeof(*config->packs), PB_UNITS_MAX,
				     &config->pack_count, "packs", report);
	if (!config->packs)
		return config->pack_count ? -ENOMEM : 0;
	for (const struct pb_yaml *item = all->packs->child; item; item = item->next)
		read_pack(config, index++, item, all, report);
	return 0;
}

const char **config_pack_names(const struct pb_config *config)
{
	const char **names = calloc(config->pack_count + 1, sizeof(*names));

	for (size_t i = 0; names && i < config->pack_count; i++)
		names[i] = config->packs[i].name;
	return names;
}

void config_no_such(const struct pb_yaml *node, const char *what, const char *name,
		    const char *const *names, struct pb_report *report)
{
	const char *near = names && !pb_report_is_full(report) ? pb_nearest(name, names) : NULL;

	for (size_t i = 0; names && names[i]; i++)
		if (!*names[i]) /* one has no name, which is told: it may be this one */
			return;
	pb_yaml_error(report, node, "no %s '%s', expected %s%s%s%s", what, name,
		      near ? "'" : "one of `", near ? near : what, near ? "'" : "s:`",
		      near ? " perhaps" : "");
}

static int read_adapters(struct pb_bluetooth_config *bluetooth, const struct pb_yaml *node,
			 struct pb_report *report)
{
	size_t index = 0;

	bluetooth->adapters = config_items(node, sizeof(*bluetooth->adapters), ADAPTERS_MAX,
					   &bluetooth->adapter_count, "adapters", report);
	if (!bluetooth->adapters)
		return bluetooth->adapter_count ? -ENOMEM : 0;
	for (const struct pb_yaml *item = node->child; item; item = item->next, index++) {
		struct pb_adapter_config *adapter = &bluetooth->adapters[index];

		if (pb_yaml_fill(item, adapter_rows, adapter, report) < 0 && !*adapter->name)
			continue;
		for (size_t i = 0; i < index; i++)
			if (strcmp(bluetooth->adapters[i].name, adapter->name) == 0)
				pb_yaml_error(report, pb_yaml_at(item, "name"),
					      "'%s' stands twice, expected another adapter",
					      adapter->name);
	}
	return 0;
}

static int read_bluetooth(struct pb_config *config, const struct pb_yaml *node,
			  struct pb_report *report)
{
	/* without the section, its presets count */
	const struct pb_yaml empty = {.type = PB_YAML_MAPPING, .file = config->file};
	struct bluetooth section = {0};
	int r = 0;

	pb_yaml_fill(node ? node : &empty, bluetooth_rows, &section, report);
	config->bluetooth = section.config;
	if (section.adapters)
		r = read_adapters(&config->bluetooth, section.adapters, report);
	return r;
}

const char *pb_socket_name(enum pb_socket socket)
{
	return socket == PB_SOCKET_CONTROL ? "control" : "status";
}

static void read_socket(struct pb_socket_config *ret, enum pb_socket socket, const char *path,
			const struct pb_yaml *root)
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
	check_defaults(&sections, report);
	r = sections.packs ? read_packs(config, &sections, report) : 0;
	if (r == 0 && sections.banks)
		r = config_read_banks(config, sections.banks, sections.alarms, report);
	if (r == 0)
		r = config_read_listens(config, sections.listen, report);
	if (r == 0)
		r = read_bluetooth(config, sections.bluetooth, report);
	if (r == 0)
		r = config_read_http(config, sections.http, report);
	for (int i = 0; i < PB_SOCKETS; i++)
		read_socket(&config->sockets[i], (enum pb_socket)i, sections.sockets.path[i], root);
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
		{pack_rows, "in `packs:`"},
		{pb_config_bank_rows(), "in `banks:`"},
		{pb_config_limit_rows(), "in `limits:`"},
		{pb_config_listen_rows(), "in `listen:`"},
		{bluetooth_rows, "in `bluetooth:`"},
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
