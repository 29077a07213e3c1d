/* SPDX-License-Identifier: MIT */
/*
 * `packbridge decode --json` over every captured entry: the fields agree, malformed ones end with
 * status 1.
 */
#include "daemon.h"
#include "suite.h"

#include "frames.h"

#include <math.h>
#include <string.h>

enum { ENTRIES = 98 };

static json_t *frames, *others[2];

static void load(void)
{
	frames = captured_load("jbd/frames.json");
	others[0] = captured_load("daly/frames.json");
	others[1] = captured_load("jk/frames.json");
}

static void unload(void)
{
	json_decref(frames);
	json_decref(others[0]);
	json_decref(others[1]);
}

/* `decode --json` of an entry, chunk by chunk. @return exit status, with the frames' objects */
static int run_decode(const json_t *entry, json_t **ret)
{
	const char *args[16] = {"decode", "--json"};
	const json_t *chunk, *frame = json_object_get(entry, "frame");
	static char out[65536];
	size_t i, count = 2;
	int status;

	if (frame)
		args[count++] = json_string_value(frame);
	json_array_foreach(json_object_get(entry, "chunks"), i, chunk)
	{
		args[count++] = json_string_value(chunk);
	}
	json_array_foreach(json_object_get(entry, "frames"), i, chunk)
	{
		args[count++] = json_string_value(chunk);
	}
	status = daemon_output(out, sizeof(out), args);
	*ret = json_array();
	for (char *line = strtok(out, "\n"); line; line = strtok(NULL, "\n")) {
		json_t *object = json_loads(line, 0, NULL);

		ck_assert_msg(object != NULL, "no JSON: %s", line);
		json_array_append_new(*ret, object);
	}
	return status;
}

static bool malformed(const char *id)
{
	static const char *const ids[] = {
		"sp15s001-11s-03-bad-checksum",
		"vendor-15s-03-v11-misprint",
		"syn-aiobmsble-03-wrong-end",
		"syn-aiobmsble-04-wrong-crc",
		"mal-interleaved",
		"mal-truncated-first-chunk",
		"mal-header-a5",
		"mal-unsolicited-zero",
		"mal-serial-partial-a",
	};

	for (size_t i = 0; i < PB_ARRAY_SIZE(ids); i++)
		if (strcmp(ids[i], id) == 0)
			return true;
	return false;
}

static const struct {
	const char *key, *field;
	double scale;
} pairs[] = {
	{"total_voltage_v", "voltage_mv", 1000},
	{"current_a", "current_ma", 1000},
	{"capacity_remaining_ah", "remaining_mah", 1000},
	{"capacity_full_ah", "nominal_mah", 1000},
	{"cycles", "cycles", 1},
	{"balance_mask", "balance_mask", 1},
	{"protection_mask", "protection_mask", 1},
	{"version_raw", "version", 1},
	{"soc_percent", "soc_permille", 10},
	{"cell_count", "cell_count", 1},
};

static void check_list(const char *id, const json_t *expect, const json_t *fields)
{
	const json_t *element;
	size_t i;

	ck_assert_msg(json_array_size(expect) == json_array_size(fields), "%s: list", id);
	json_array_foreach(expect, i, element)
	{
		ck_assert_int_eq(llround(json_number_value(element) * 1000),
				 json_integer_value(json_array_get(fields, i)));
	}
}

static void check_fields(const char *id, const json_t *expect, const json_t *fields)
{
	static const char *const same[] = {"charge_fet", "discharge_fet", "production_date",
					   "device_name", "counters"};

	for (size_t i = 0; i < PB_ARRAY_SIZE(pairs); i++) {
		const json_t *wanted = json_object_get(expect, pairs[i].key);
		const json_t *seen = json_object_get(fields, pairs[i].field);

		if (wanted)
			ck_assert_msg(
				seen && json_integer_value(seen) ==
						llround(json_number_value(wanted) * pairs[i].scale),
				"%s: %s", id, pairs[i].field);
	}
	for (size_t i = 0; i < PB_ARRAY_SIZE(same); i++) {
		const json_t *wanted = json_object_get(expect, same[i]);

		if (wanted)
			ck_assert_msg(json_equal(wanted, json_object_get(fields, same[i])),
				      "%s: %s", id, same[i]);
	}
	/* what packbridge makes of a reading is no part of it */
	ck_assert_ptr_null(json_object_get(fields, "charge_phase"));
	if (json_array_size(json_object_get(expect, "temperatures_c")))
		check_list(id, json_object_get(expect, "temperatures_c"),
			   json_object_get(fields, "temperature_mc"));
	if (json_object_get(expect, "cell_voltages_v"))
		check_list(id, json_object_get(expect, "cell_voltages_v"),
			   json_object_get(fields, "cell_mv"));
}

static void check_frame(const json_t *entry, const json_t *seen)
{
	static const char *const same[] = {"payload_hex", "value", "string"};
	const char *id = json_string_value(json_object_get(entry, "id"));
	const char *command = json_string_value(json_object_get(entry, "command"));
	const json_t *expect = json_object_get(entry, "expect");
	const json_t *checksum = json_object_get(seen, "checksum");

	ck_assert_int_eq(json_integer_value(json_object_get(seen, "command")),
			 strtol(command, NULL, 16));
	ck_assert_int_eq(json_integer_value(json_object_get(seen, "status")),
			 json_integer_value(json_object_get(expect, "status")));
	ck_assert(json_is_true(json_object_get(checksum, "ok")));
	ck_assert_str_eq(json_string_value(json_object_get(checksum, "expected")),
			 json_string_value(json_object_get(checksum, "calculated")));
	ck_assert(json_is_object(json_object_get(seen, "fields")));
	for (size_t i = 0; i < PB_ARRAY_SIZE(same); i++) {
		const json_t *wanted = json_object_get(expect, same[i]);

		if (wanted && strcmp(command, "0x03") && strcmp(command, "0x04"))
			ck_assert_msg(json_equal(wanted, json_object_get(seen, same[i])), "%s: %s",
				      id, same[i]);
	}
	if (strcmp(id, "syn-odd-cell-payload") == 0)
		ck_assert_ptr_nonnull(json_object_get(seen, "error"));
	else
		check_fields(id, expect, json_object_get(seen, "fields"));
}

START_TEST(entry)
{
	const json_t *captured = json_array_get(json_object_get(frames, "entries"), (size_t)_i);
	const char *id = json_string_value(json_object_get(captured, "id"));
	json_t *seen;
	int status = run_decode(captured, &seen);

	ck_assert_msg(status == (malformed(id) ? 1 : 0), "%s: exit status %d", id, status);
	ck_assert_uint_eq(json_array_size(seen), malformed(id) ? 0 : 1);
	if (!malformed(id))
		check_frame(captured, json_array_get(seen, 0));
	json_decref(seen);
}
END_TEST

/* Daly's and JK's, without a word about which they are. */
static size_t other_frames(const json_t *captured, const char *id)
{
	static const char *const bad[] = {"a5-echo", "d2-write-echo-bad-crc", "d2-bad-crc",
					  "d2-short-17", "jk-corrupt"};
	const json_t *list = json_object_get(captured, "frames");
	size_t chunks = json_array_size(json_object_get(captured, "chunks"));

	for (size_t i = 0; i < PB_ARRAY_SIZE(bad); i++)
		if (strcmp(bad[i], id) == 0)
			return 0;
	if (strcmp(id, "d2-glued-3") == 0)
		return 3;
	if (strcmp(id, "d2-glued-2") == 0 || strcmp(id, "jk-glued") == 0 ||
	    strcmp(id, "jk-ready-and-at") == 0)
		return 2;
	/* an acknowledgement may be glued to JK's frames */
	if (strncmp(id, "jk-bd6a24s10p", 13) == 0 && chunks == 3 && strcmp(id + 18, "-02") != 0)
		return 2;
	return list ? json_array_size(list) : 1;
}

START_TEST(other_makers)
{
	static const char *const makers[] = {"daly", "jk"};
	const json_t *captured;
	size_t i;

	json_array_foreach(json_object_get(others[_i], "entries"), i, captured)
	{
		const char *id = json_string_value(json_object_get(captured, "id"));
		const json_t *expect = json_object_get(captured, "expect");
		size_t count = other_frames(captured, id);
		json_t *seen, *first;
		int status = run_decode(captured, &seen);

		ck_assert_msg(status == (count ? 0 : 1), "%s: exit status %d", id, status);
		ck_assert_msg(json_array_size(seen) == count, "%s: %zu frames", id,
			      json_array_size(seen));
		first = json_array_get(seen, 0);
		if (first)
			ck_assert_str_eq(json_string_value(json_object_get(first, "protocol")),
					 makers[_i]);
		first = json_object_get(first, "fields");
		for (size_t p = 0; first && p < 2; p++) {
			const json_t *wanted = json_object_get(expect, pairs[p].key);

			if (wanted)
				ck_assert_int_eq(
					json_integer_value(json_object_get(first, pairs[p].field)),
					llround(json_number_value(wanted) * pairs[p].scale));
		}
		json_decref(seen);
	}
}
END_TEST

static const struct {
	const char *args[4];
	int status;
} usages[] = {
	{{"decode", "--help", NULL}, 0},
	{{"decode", "xyz", NULL}, 2},
	{{"decode", "--nonsense", NULL}, 2},
	{{"decode", "--protocol", "nope", NULL}, 2},
	{{"decode", "--protocol=jk", "a501900800850000753001e44d", NULL}, 1},
	{{"decode", "--protocol=daly", "a501900800850000753001e44d", NULL}, 0},
	{{"decode", "dda50300fffd77", NULL}, 1},
	{{"--version", NULL}, 0},
	{{"nonsense", NULL}, 2},
	{{"map", "show", "nope", NULL}, 1},
	{{"map", "export", "packbridge", NULL}, 2},
	{{"check", "-c", "/nonexistent", NULL}, 1},
	{{"demo", "--listen", "nowhere", NULL}, 2},
	{{"run", "extra", NULL}, 2},
};

START_TEST(exit_status)
{
	static char out[65536];

	ck_assert_int_eq(daemon_output(out, sizeof(out), usages[_i].args), usages[_i].status);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("decode");

	tcase_set_timeout(tcase, 60);
	tcase_add_unchecked_fixture(tcase, load, unload);
	tcase_add_loop_test(tcase, entry, 0, ENTRIES);
	tcase_add_loop_test(tcase, other_makers, 0, PB_ARRAY_SIZE(others));
	tcase_add_loop_test(tcase, exit_status, 0, PB_ARRAY_SIZE(usages));
	return pb_run_suite("integration/decode", tcase);
}
