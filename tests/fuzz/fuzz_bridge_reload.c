/* SPDX-License-Identifier: MIT */
/*
 * From one configuration to the next, and on: what is shown after a reload is what a fresh start of
 * the same text shows; a reload is refused when a start is, and then what was shown before is still
 * shown. The input chooses among what a file may hold. Nothing waits: packs are simulated, answer
 * at once and are polled once an hour; sockets have port 0.
 */
#include "packbridge/bridge.h"
#include "packbridge/yaml.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 8192, UNITS = 25, TURNS = 4, SETTLE_MAX = 100000 };

/* ---- a configuration from bytes ---- */

struct choices {
	const uint8_t *next;
	size_t len;
};

/* @return 0..@below - 1; 0 when the input is over. */
static unsigned int choose(struct choices *choices, unsigned int below)
{
	if (choices->len == 0)
		return 0;
	choices->len--;
	return *choices->next++ % below;
}

static bool one_in(struct choices *choices, unsigned int count)
{
	return choose(choices, count) == count - 1;
}

static const char *const names[] = {"a", "b", "c", "d"};
static const char *const links[] = {
	"sim:lfp-4s,seed=1",  "sim:lfp-4s,seed=1",   "sim:lfp-8s,seed=2",
	"sim:lfp-16s,seed=3", "sim:lfp-4s,lost=100", "sim:nothing", /* a mistake */
};
static const char *const maps[] = {"mini", "mini+low-first", "other", "both", "nomap"};
static const char *const bank_maps[] = {"bank", "bank+low-first", "both", "mini" /* a mistake */};

/* Most take one of the first, few the last, which is a mistake. */
static const char *pick(struct choices *c, const char *const *from, unsigned int count)
{
	return one_in(c, 200) ? from[count - 1] : from[choose(c, count - 1)];
}

static void write_pack(struct choices *c, unsigned int name, unsigned int unit, FILE *out)
{
	fprintf(out, "  - {name: %s, link: '%s', unit: %u, map: %s, poll_ms: 3600000, settle_ms: 0",
		names[name % 4], pick(c, links, PB_ARRAY_SIZE(links)), unit,
		pick(c, maps, PB_ARRAY_SIZE(maps)));
	fprintf(out, ", gap_ms: %u, tries: %u", choose(c, 2), 1 + choose(c, 3));
	if (one_in(c, 4))
		fprintf(out, ", stale_after_s: %u", 3700 + choose(c, 2));
	if (one_in(c, 6))
		fprintf(out, ", protocol: auto");
	if (one_in(c, 4))
		fprintf(out, ", chemistry: %s", choose(c, 2) ? "lto" : "nmc");
	if (one_in(c, 4))
		fprintf(out, ", alarms: {latch: %s, cell_high: {warning: 1.%u}}",
			choose(c, 2) ? "true" : "false", choose(c, 3));
	if (one_in(c, 4))
		fprintf(out, ", limits: {charge_max_a: %u}", 1 + choose(c, 3));
	fprintf(out, "}\n");
}

/* What is there: so that others can name it. */
struct there {
	unsigned int packs, first; /* the first one's name */
	unsigned int banks, first_bank;
};

static void write_bank(struct choices *c, const struct there *there, unsigned int index, FILE *out)
{
	unsigned int members = 1 + choose(c, there->packs), name = there->first_bank + index;

	fprintf(out, "  - {name: bank%u, unit: %u, map: %s", name % 3,
		one_in(c, 200) ? 1 : 10 + name % 4, pick(c, bank_maps, PB_ARRAY_SIZE(bank_maps)));
	fprintf(out, ", topology: %s, packs: [", one_in(c, 4) ? "series" : "parallel");
	for (unsigned int i = 0; i < members; i++)
		fprintf(out, "%s%s", i ? ", " : "", names[(there->first + i) % 4]);
	fprintf(out, "]%s}\n", one_in(c, 4) ? ", alarms: {latch: true}" : "");
}

static void write_units(struct choices *c, const struct there *there, FILE *out)
{
	fprintf(out, ", units: [{unit: %u, pack: %s, map: %s}", 1 + choose(c, 9),
		names[(there->first + choose(c, there->packs)) % 4],
		pick(c, maps, PB_ARRAY_SIZE(maps)));
	if (there->banks && choose(c, 2))
		fprintf(out, ", {unit: %u, bank: bank%u, map: %s}", 20 + choose(c, 2),
			(there->first_bank + choose(c, there->banks)) % 3,
			pick(c, bank_maps, PB_ARRAY_SIZE(bank_maps)));
	fprintf(out, "]");
}

static void write_listener(struct choices *c, const struct there *there, unsigned int index,
			   FILE *out)
{
	static const char *const sockets[] = {"tcp: '127.0.0.1:0'", "tcp: '127.0.0.2:0'",
					      "rtu-over-tcp: '127.0.0.1:0'"};
	bool line = one_in(c, 5);

	if (line)
		fprintf(out, "  - {rtu: /nowhere/tty%u%s", index,
			one_in(c, 3) ? ", baud: 19200" : "");
	else
		fprintf(out, "  - {%s", sockets[choose(c, PB_ARRAY_SIZE(sockets))]);
	if (!line && one_in(c, 3))
		fprintf(out, ", max_clients: %u, allow: [127.0.0.0/8]", 1 + choose(c, 3));
	if (choose(c, 2))
		write_units(c, there, out);
	fprintf(out, "}\n");
}

/* @folder: of the sockets. Whatever is chosen, the same choices give the same text. */
static void write_config(struct choices *c, const char *folder, char *text)
{
	FILE *out = fmemopen(text, TEXT_MAX, "w");
	struct there there = {.packs = 1 + choose(c, 4), .first = choose(c, 4)};
	unsigned int listens = 1 + choose(c, 4), step = 1 + choose(c, 2);

	assert(out);
	there.banks = choose(c, 3);
	there.first_bank = choose(c, 3);
	fprintf(out, "packs:\n");
	for (unsigned int i = 0; i < there.packs; i++)
		write_pack(c, there.first + i,
			   one_in(c, 200) ? 1 : 1 + (there.first + i * step) % 8, out);
	fprintf(out, there.banks ? "banks:\n" : "");
	for (unsigned int i = 0; i < there.banks; i++)
		write_bank(c, &there, i, out);
	if (choose(c, 2))
		fprintf(out, "control: %s/%s%u\n", folder, one_in(c, 20) ? "file" : "control",
			choose(c, 2));
	if (choose(c, 2))
		fprintf(out, "status: %s/%s%u\n", folder, one_in(c, 20) ? "file" : "status",
			choose(c, 2));
	if (one_in(c, 8))
		fprintf(out, "http: 127.0.0.%u:0\n", 1 + choose(c, 2));
	fprintf(out, "listen:\n");
	for (unsigned int i = 0; i < listens; i++)
		write_listener(c, &there, i, out);
	fclose(out);
}

/* ---- a bridge ---- */

struct made {
	sd_event *event;
	struct pb_config *config; /* with maps: until the bridge has taken them */
	struct pb_maps *maps;
	struct pb_bridge *bridge;
};

static char folder[] = "/tmp/packbridge-fuzz-XXXXXX", beside[64];

/* Small ones, so that an input takes milliseconds; the first folder's maps count. */
#define MAP(name, scope, field)                                                                    \
	"map: " name "\nversion: 1\ntitle: t\nscope: " scope "\nblocks:\n"                         \
	"- {name: b, tables: [holding], addr: 0, count: 2, rows: [\n"                              \
	"  {addr: 0, type: u16, field: " field "},\n"                                              \
	"  {addr: 1, type: u16, value: 7, access: rw, min: 0, max: 99}]}\n"

static const struct {
	const char *file, *text;
} own_maps[] = {
	{"mini.yaml", MAP("mini", "pack", "cell_count, na: 0xFFFF")},
	{"other.yaml", MAP("other", "pack", "temperature_count, na: 0xFFFF")},
	{"both.yaml", MAP("both", "battery", "cell_count, na: 0xFFFF")},
	{"bank.yaml", MAP("bank", "bank", "cell_count, na: 0xFFFF")},
	{"packbridge-gateway.yaml", MAP("packbridge-gateway", "gateway", "online")},
};

static void remove_folder(void)
{
	static const char *const left[] = {"file0", "file1", "beside/file0", "beside/file1",
					   "beside"};
	char path[96];

	for (size_t i = 0; i < PB_ARRAY_SIZE(own_maps) + PB_ARRAY_SIZE(left); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder,
			 i < PB_ARRAY_SIZE(own_maps) ? own_maps[i].file
						     : left[i - PB_ARRAY_SIZE(own_maps)]);
		remove(path);
	}
	rmdir(folder);
}

static void write_file(const char *name, const char *text)
{
	char path[96];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	out = fopen(path, "w");
	assert(out);
	fputs(text, out);
	fclose(out);
}

static int load(struct made *made, const char *text, struct pb_report *report)
{
	const char *dirs[] = {folder, NULL};
	int r;

	if (pb_maps_new(&made->maps, dirs) < 0)
		abort();
	r = pb_config_parse(&made->config, "f", text, strlen(text), report);
	return r < 0 ? r : pb_bridge_check(made->config, made->maps, report);
}

static void unload(struct made *made)
{
	made->config = pb_config_free(made->config);
	made->maps = pb_maps_free(made->maps);
}

static json_t *parse(char *text)
{
	json_t *all = json_loads(text, 0, NULL);

	assert(all);
	free(text);
	return all;
}

static json_t *ask_status(struct pb_bridge *bridge)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	pb_bridge_tell(bridge, "status", out);
	fclose(out);
	return parse(text);
}

static const char *argument(void *query, const char *name)
{
	return strcmp(name, "unit") == 0 ? query : NULL;
}

static json_t *ask_unit(struct pb_bridge *bridge, int unit)
{
	char *text = NULL, query[8];
	const char *type;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	unsigned int status;

	snprintf(query, sizeof(query), "%d", unit);
	status = pb_bridge_page(bridge, "/registers.json", argument, query, out, &type);
	fclose(out);
	assert(status == 200 || status == 404);
	if (status == 200)
		return parse(text);
	free(text);
	return json_null();
}

/* Every pack has a reading, but those whose every reply is lost. The gateway counts them. */
static bool is_settled(const struct made *made)
{
	const struct pb_config *config = pb_bridge_config(made->bridge);
	json_t *gateway = ask_unit(made->bridge, 0);
	json_t *online = json_array_get(json_object_get(gateway, "rows"), 0);
	double missing = json_number_value(json_object_get(online, "value"));

	for (size_t i = 0; i < config->pack_count; i++)
		missing -= !strstr(config->packs[i].link, "lost=100");
	json_decref(gateway);
	return missing == 0;
}

/* A few milliseconds: nobody waits for anything but the loop's own turns. */
static void settle(const struct made *made)
{
	for (int i = 0; i < SETTLE_MAX; i++) {
		if (sd_event_run(made->event, 0) > 0)
			continue;
		if (is_settled(made))
			return;
		sd_event_run(made->event, 1000);
	}
	assert(is_settled(made));
}

static int start(struct made *made, const char *text)
{
	struct pb_report report = {0};
	int r = load(made, text, &report);

	if (sd_event_new(&made->event) < 0)
		abort();
	if (r >= 0)
		r = pb_bridge_new(&made->bridge, made->event, made->config, made->maps, "0",
				  &report);
	if (r >= 0) {
		made->config = NULL;
		made->maps = NULL;
	}
	assert((r < 0) == (report.count > 0));
	if (getenv("PB_FUZZ_VERBOSE"))
		pb_report_print(&report, stderr);
	pb_report_clear(&report);
	if (r >= 0)
		r = pb_bridge_start(made->bridge);
	if (r >= 0)
		settle(made);
	return r;
}

static void end(struct made *made)
{
	pb_bridge_free(made->bridge);
	unload(made);
	sd_event_unref(made->event);
}

static void set_up(void)
{
	static const char good[] =
		"packs: [{name: a, link: 'sim:lfp-4s', unit: 1, map: mini, gap_ms: 0}]\n"
		"banks: [{name: all, unit: 2, packs: [a], map: bank}]\n"
		"listen: [{tcp: '127.0.0.1:0', units: [{unit: 1, pack: a, map: both}, "
		"{unit: 2, pack: a, map: other}]}]\n";
	struct made made = {0};

	pb_log_set_level((enum pb_log_level)0);
	if (!mkdtemp(folder))
		abort();
	atexit(remove_folder);
	snprintf(beside, sizeof(beside), "%s/beside", folder);
	if (mkdir(beside, 0700) < 0)
		abort();
	write_file("file0", "");
	write_file("file1", "");
	write_file("beside/file0", "");
	write_file("beside/file1", "");
	for (size_t i = 0; i < PB_ARRAY_SIZE(own_maps); i++)
		write_file(own_maps[i].file, own_maps[i].text);
	/* else nothing would be compared at all */
	if (start(&made, good) < 0)
		abort();
	end(&made);
}

static int reload(struct made *made, const char *text)
{
	struct made next = {0};
	struct pb_report report = {0};
	int r = load(&next, text, &report);

	if (r >= 0)
		r = pb_bridge_reload(made->bridge, next.config, next.maps, &report);
	assert(r >= 0 || report.count > 0);
	pb_report_clear(&report);
	if (r < 0)
		unload(&next);
	settle(made);
	return r;
}

/* ---- what is shown ---- */

/* What depends on when it was asked, or on how long packs have been read. */
static bool is_moving(const char *key)
{
	static const char *const moving[] = {"uptime_s", "event",	 "gateway", "fields",
					     "age_s",	 "port",	 "raw",	    "value",
					     "text",	 "last_message", "since",   "since_s"};

	for (size_t i = 0; i < PB_ARRAY_SIZE(moving); i++)
		if (strcmp(moving[i], key) == 0)
			return true;
	return false;
}

static void keep_fixed(json_t *node)
{
	json_t *child;
	const char *key;
	size_t i;
	void *next;

	json_array_foreach(node, i, child) keep_fixed(child);
	json_object_foreach_safe(node, next, key, child)
	{
		if (is_moving(key))
			json_object_del(node, key);
		else
			keep_fixed(child);
	}
}

/* How often banks have had a reading, by name. */
static json_t *list_sequences(json_t *status)
{
	json_t *counts = json_object(), *bank;
	size_t i;

	json_array_foreach(json_object_get(status, "banks"), i, bank)
		json_object_set(counts, json_string_value(json_object_get(bank, "name")),
				json_object_get(json_object_get(bank, "fields"), "sequence"));
	return counts;
}

/* The status and the registers of all units that there may be; @ret_sequences: or NULL. */
static json_t *look(struct pb_bridge *bridge, json_t **ret_sequences)
{
	json_t *status = ask_status(bridge);
	json_t *all = json_pack("{s:o, s:[]}", "status", status, "units");

	if (ret_sequences)
		*ret_sequences = list_sequences(status);
	for (int unit = 0; unit < UNITS; unit++)
		json_array_append_new(json_object_get(all, "units"), ask_unit(bridge, unit));
	keep_fixed(all);
	return all;
}

/* Only what differs is printed. */
static void print_difference(const char *path, json_t *expected, json_t *shown)
{
	char deeper[256];
	json_t *child;
	const char *key;
	size_t i;

	if (json_equal(expected, shown))
		return;
	if (json_is_object(expected) && json_is_object(shown)) {
		json_object_foreach(expected, key, child)
		{
			snprintf(deeper, sizeof(deeper), "%.100s.%.100s", path, key);
			print_difference(deeper, child, json_object_get(shown, key));
		}
		return;
	}
	if (json_is_array(expected) && json_array_size(expected) == json_array_size(shown)) {
		json_array_foreach(expected, i, child)
		{
			snprintf(deeper, sizeof(deeper), "%.100s[%zu]", path, i);
			print_difference(deeper, child, json_array_get(shown, i));
		}
		return;
	}
	fprintf(stderr, "%s: expected ", path);
	json_dumpf(expected, stderr, JSON_COMPACT | JSON_ENCODE_ANY);
	fprintf(stderr, ", shown ");
	if (shown)
		json_dumpf(shown, stderr, JSON_COMPACT | JSON_ENCODE_ANY);
	fprintf(stderr, "\n");
}

static void compare(const char *what, json_t *expected, json_t *shown)
{
	print_difference(what, expected, shown);
	assert(json_equal(expected, shown));
}

/* A bank that stays counts on. */
static void compare_sequences(json_t *before, json_t *after)
{
	const char *name;
	json_t *count;

	json_object_foreach(after, name, count) assert(
		json_integer_value(count) >= json_integer_value(json_object_get(before, name)));
}

/* ---- one input ---- */

/* What is shown, and how often banks have had a reading. */
struct seen {
	json_t *shown, *counts;
};

static void forget(struct seen *seen)
{
	json_decref(seen->shown);
	json_decref(seen->counts);
}

/* @seen: before; after it, what is seen then. */
static void go_over(struct made *made, struct choices *choices, struct seen *seen)
{
	struct choices again = *choices;
	struct made fresh = {0};
	struct seen after;
	json_t *expected;
	char text[TEXT_MAX], other[TEXT_MAX];
	int r, started;

	write_config(choices, folder, text);
	write_config(&again, beside, other);
	r = reload(made, text);
	after.shown = look(made->bridge, &after.counts);
	started = start(&fresh, other);
	if (getenv("PB_FUZZ_VERBOSE"))
		fprintf(stderr, "%s: reload %d, start %d\n", text, r, started);
	assert((r < 0) == (started < 0));
	expected = r < 0 ? json_incref(seen->shown) : look(fresh.bridge, NULL);
	compare(r < 0 ? "after a refused reload" : "after a reload", expected, after.shown);
	compare_sequences(seen->counts, after.counts);
	end(&fresh);
	json_decref(expected);
	forget(seen);
	*seen = after;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct choices choices = {data, size};
	struct made made = {0};
	struct seen seen = {0};
	char text[TEXT_MAX];

	if (!*beside)
		set_up();
	write_config(&choices, folder, text);
	if (start(&made, text) >= 0) {
		seen.shown = look(made.bridge, &seen.counts);
		for (int turn = 0; turn < TURNS && choices.len > 0; turn++)
			go_over(&made, &choices, &seen);
	}
	forget(&seen);
	end(&made);
	return 0;
}
