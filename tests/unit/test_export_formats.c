/* SPDX-License-Identifier: MIT */
/*
 * Each format of each map, as committed: docs/registers for pages, tests/data/exports for the rest.
 * tests/integration/test_exports.sh writes these files, and reads them with parsers of their kind.
 */
#include "packbridge/base.h"
#include "packbridge/export.h"
#include "packbridge/yaml.h"
#include "suite.h"
#include "text_file.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char *const natives[] = {"packbridge", "packbridge-gateway"};

static char out[1 << 20];

/* @options: "" or "+exception" */
static struct pb_map *load_with(const char *name, const char *options)
{
	struct pb_map *map = NULL;
	struct pb_report report = {0};
	char path[512];

	snprintf(path, sizeof(path), PB_SOURCE_DIR "/maps/%s.yaml%s", name, options);
	ck_assert_int_eq(pb_map_load(&map, path, &report), 0);
	return map;
}

static struct pb_map *load(const char *name)
{
	return load_with(name, "");
}

static struct pb_map *parse(const char *text)
{
	struct pb_map *map = NULL;
	struct pb_report report = {0};

	ck_assert_int_eq(pb_map_parse(&map, "x.yaml", text, strlen(text), &report), 0);
	return map;
}

static const struct pb_export *format_of(const char *name)
{
	const struct pb_export *format = pb_exports;

	while (format->name && strcmp(format->name, name) != 0)
		format++;
	ck_assert_ptr_nonnull(format->name);
	return format;
}

static struct pb_export_unit unit_of(const struct pb_map *map, unsigned int number)
{
	struct pb_export_unit unit = {.map = map, .unit = number};

	if (pb_map_scope(map) == PB_SCOPE_GATEWAY)
		snprintf(unit.name, sizeof(unit.name), "gateway");
	else
		snprintf(unit.name, sizeof(unit.name), "%s %u", pb_scope_name(pb_map_scope(map)),
			 number);
	pb_export_identifier(unit.name, unit.id, sizeof(unit.id));
	return unit;
}

static const struct pb_export_target usual = {
	.way = PB_EXPORT_TCP,
	.host = "127.0.0.1",
	.url = "127.0.0.1:502",
	.id = "127_0_0_1",
	.port = 502,
};

/* What a format prints of these units, in `out`. */
static void print(const struct pb_export *format, const struct pb_export_target *target,
		  const struct pb_export_unit *units, size_t count, unsigned int groups)
{
	const struct pb_export_job job = {*target, units, count, groups};
	FILE *file = fmemopen(out, sizeof(out), "w");

	ck_assert_ptr_nonnull(file);
	memset(out, 0, sizeof(out));
	ck_assert_int_eq(format->print(&job, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static void print_map(const char *format_name, const struct pb_map *map)
{
	const struct pb_export *format = format_of(format_name);
	enum pb_scope scope = pb_map_scope(map);
	struct pb_export_unit unit = unit_of(map, scope == PB_SCOPE_GATEWAY ? 0
						  : scope == PB_SCOPE_BANK  ? 100
									    : 1);

	print(format, &usual, &unit, 1, format->groups);
}

/* ---- golden files ---- */

static size_t all_maps(char names[][64], size_t cap)
{
	DIR *dir = opendir(PB_SOURCE_DIR "/maps");
	const struct dirent *entry;
	size_t count = 0;

	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);

		if (len <= 5 || strcmp(entry->d_name + len - 5, ".yaml") != 0)
			continue;
		ck_assert_uint_lt(count, cap);
		snprintf(names[count++], sizeof(names[0]), "%.*s", (int)len - 5, entry->d_name);
	}
	closedir(dir);
	return count;
}

static void compare(const struct pb_export *format, const char *name)
{
	static char golden[sizeof(out)];
	bool page = strcmp(format->name, "markdown") == 0;
	/* openHAB is told of no map that shows "not available" in integers */
	bool other = strcmp(format->name, "openhab") == 0 && strcmp(name, "sunspec") == 0;
	PB_CLEANUP(pb_map_freep) struct pb_map *map = load_with(name, other ? "+exception" : "");
	char path[512];
	int len = snprintf(path, sizeof(path), PB_SOURCE_DIR "/%s/%s.%s",
			   page ? "docs/registers" : "tests/data/exports", name,
			   page ? "md" : format->name);

	ck_assert_int_lt(len, (int)sizeof(path));
	text_file_read(path, golden, sizeof(golden));
	print_map(format->name, map);
	ck_assert_msg(strcmp(out, golden) == 0,
		      "%s differs from `packbridge map export %s --format %s`", path, name,
		      format->name);
}

START_TEST(all_are_as_committed)
{
	char names[32][64];
	size_t count = all_maps(names, PB_ARRAY_SIZE(names));

	ck_assert_uint_ge(count, 11);
	for (size_t i = 0; i < count; i++)
		compare(&pb_exports[_i], names[i]);
}
END_TEST

/* ---- more units, and other ways to them ---- */

static const struct pb_export_target serial_line = {
	.way = PB_EXPORT_RTU,
	.host = "/dev/ttyUSB0",
	.url = "/dev/ttyUSB0",
	.id = "dev_ttyusb0",
	.line = {19200, 'E', 8, 1},
};

static const struct pb_export_target socket_rtu = {
	.way = PB_EXPORT_RTU_TCP,
	.host = "::1",
	.url = "[::1]:5020",
	.id = "1_5020",
	.port = 5020,
};

static const struct {
	const char *format;
	const struct pb_export_target *target;
	const char *part; /* of what is printed */
} ways[] = {
	{"homeassistant", &serial_line,
	 "    type: serial\n    method: rtu\n    port: \"/dev/ttyUSB0\"\n"},
	{"homeassistant", &socket_rtu, "    type: rtuovertcp\n    host: \"::1\"\n    port: 5020\n"},
	{"telegraf", &serial_line, "  controller = \"file:///dev/ttyUSB0\"\n"},
	{"telegraf", &socket_rtu, "  controller = \"tcp://[::1]:5020\"\n"},
	{"nodered", &serial_line, "\"serialParity\": \"even\""},
	{"nodered", &socket_rtu, "TCP-RTU-BUFFERED"},
	{"iobroker", &serial_line, "\"parity\": \"even\""},
	{"iobroker", &socket_rtu, "tcprtu"},
	{"openhab", &serial_line, "parity=\"even\""},
	{"openhab", &socket_rtu, "rtuEncoded=true"},
	{"modbusscope", &serial_line, "<parity>2</parity>"},
	{"mbpoll", &serial_line, "-P even"},
};

START_TEST(way)
{
	PB_CLEANUP(pb_map_freep) struct pb_map *map = load("packbridge");
	const struct pb_export *format = format_of(ways[_i].format);
	struct pb_export_unit unit = unit_of(map, 1);

	ck_assert_uint_ne(format->ways & ways[_i].target->way, 0);
	print(format, ways[_i].target, &unit, 1, PB_EXPORT_ALL);
	ck_assert_msg(strstr(out, ways[_i].part) != NULL, "no %s in:\n%.2000s", ways[_i].part, out);
}
END_TEST

/* What is printed once a map is printed once; what belongs to a unit, once for each. */
START_TEST(several_units)
{
	PB_CLEANUP(pb_map_freep) struct pb_map *map = load("packbridge");
	PB_CLEANUP(pb_map_freep) struct pb_map *gateway = load("packbridge-gateway");
	const struct pb_export *format = &pb_exports[_i];
	const struct pb_export_unit units[] = {unit_of(map, 1), unit_of(map, 2),
					       unit_of(gateway, 0)};
	const struct pb_export_job job = {.units = units, .count = 3};
	size_t one;

	ck_assert(pb_export_is_first(&job, 0));
	ck_assert(!pb_export_is_first(&job, 1));
	ck_assert(pb_export_is_first(&job, 2));
	if (format->units_max == 1)
		return;
	print(format, &usual, units, 1, PB_EXPORT_ALL);
	one = strlen(out);
	print(format, &usual, units, 3, PB_EXPORT_ALL);
	ck_assert_uint_gt(strlen(out), one);
	print(format, &usual, units, 1, PB_EXPORT_MAIN);
	ck_assert_uint_le(strlen(out), one);
}
END_TEST

/* What can be asked for as a coil; a user who did not ask for switches has none. */
START_TEST(switches)
{
	PB_CLEANUP(pb_map_freep) struct pb_map *map = load("packbridge");
	const struct pb_export *format = format_of("homeassistant");
	struct pb_export_unit unit = unit_of(map, 1);

	print(format, &usual, &unit, 1, format->groups);
	ck_assert_ptr_null(strstr(out, "switches:"));
	print(format, &usual, &unit, 1, format->groups | PB_EXPORT_CONTROL);
	ck_assert_ptr_nonnull(strstr(out, "# Switches need control:"));
	ck_assert_ptr_nonnull(strstr(out, "    switches:\n"));
	ck_assert_ptr_nonnull(strstr(out, "        address: 128\n"
					  "        write_type: coil\n"
					  "        command_on: 1\n"
					  "        command_off: 0\n"
					  "        verify:\n"
					  "          input_type: discrete_input\n"
					  "          address: 128\n"));
}
END_TEST

/* ---- JSON and CSV, row by row ---- */

static bool in_a_block(const struct pb_map *map, uint8_t table, int64_t addr, int64_t words)
{
	for (size_t i = 0; i < pb_map_block_count(map); i++) {
		struct pb_block_info block;

		pb_map_block(map, i, &block);
		if (block.tables & table && addr >= block.addr &&
		    addr + words <= block.addr + block.count)
			return true;
	}
	return false;
}

static uint8_t table_number(const char *name)
{
	return (uint8_t)(strcmp(name, "coil") == 0	 ? PB_TABLE_COIL
			 : strcmp(name, "discrete") == 0 ? PB_TABLE_DISCRETE
			 : strcmp(name, "holding") == 0	 ? PB_TABLE_HOLDING
							 : PB_TABLE_INPUT);
}

/* Each address of each table at most once. */
static void take_addresses(const struct pb_map *map, const json_t *row, uint8_t *taken)
{
	json_int_t addr = json_integer_value(json_object_get(row, "address"));
	json_int_t words = json_integer_value(json_object_get(row, "words"));
	const json_t *name;
	size_t i;

	ck_assert_int_ge(words, 1);
	ck_assert_int_le(addr + words, 65536);
	ck_assert_uint_ge(json_array_size(json_object_get(row, "table")), 1);
	json_array_foreach(json_object_get(row, "table"), i, name)
	{
		uint8_t table = table_number(json_string_value(name));

		ck_assert(in_a_block(map, table, addr, words));
		for (json_int_t k = addr; k < addr + words; k++) {
			ck_assert_msg(!(taken[k] & table), "address %lld twice", (long long)k);
			taken[k] |= table;
		}
	}
}

/* Of the native maps, what can be asked for can be written, and nothing else. */
static void check_access(const json_t *row)
{
	static const char *const wishes[] = {"inhibit_charge", "inhibit_discharge",
					     "control_lease_s", "control_reset"};
	const char *field = json_string_value(json_object_get(row, "field"));
	const char *access = "r";

	for (size_t i = 0; field && i < PB_ARRAY_SIZE(wishes); i++)
		if (strcmp(field, wishes[i]) == 0)
			access = "control";
	ck_assert_str_eq(json_string_value(json_object_get(row, "access")), access);
}

static void check_members(const json_t *row)
{
	static const char *const members[] = {"address", "table",  "words",	 "type",
					      "field",	 "index",  "unit",	 "scale",
					      "na",	 "access", "description"};
	const json_t *field = json_object_get(row, "field");
	const json_t *index = json_object_get(row, "index");
	const json_t *na = json_object_get(row, "na");

	for (size_t i = 0; i < PB_ARRAY_SIZE(members); i++)
		ck_assert_msg(json_object_get(row, members[i]) != NULL, "no %s", members[i]);
	ck_assert(json_is_string(field) || json_is_null(field));
	ck_assert(json_is_integer(index) || json_is_null(index));
	ck_assert(json_is_number(json_object_get(row, "scale")));
	ck_assert(json_is_integer(na) || json_is_null(na));
	check_access(row);
	ck_assert_uint_gt(json_string_length(json_object_get(row, "description")), 0);
}

static void check_head(const json_t *root, const struct pb_map *map)
{
	ck_assert_str_eq(json_string_value(json_object_get(root, "map")), pb_map_name(map));
	ck_assert_int_eq(json_integer_value(json_object_get(root, "version")), pb_map_version(map));
	ck_assert_str_eq(json_string_value(json_object_get(root, "scope")),
			 pb_scope_name(pb_map_scope(map)));
}

START_TEST(json_is_sound)
{
	PB_CLEANUP(pb_map_freep) struct pb_map *map = load(natives[_i]);
	static uint8_t taken[65536];
	size_t values = 0, i;
	const json_t *row;
	json_t *root;

	memset(taken, 0, sizeof(taken));
	print_map("json", map);
	root = json_loads(out, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(root);
	check_head(root, map);
	json_array_foreach(json_object_get(root, "rows"), i, row)
	{
		check_members(row);
		take_addresses(map, row, taken);
	}
	for (size_t k = 0; k < pb_map_row_count(map); k++) {
		struct pb_row_info info;

		pb_map_row(map, k, &info);
		values += info.type != PB_ROW_RESERVED;
	}
	ck_assert_uint_eq(i, values);
	json_decref(root);
}
END_TEST

/* One field of a CSV line, unquoted in place. @return its text; @rest stands behind it */
static char *csv_field(char **rest)
{
	char *start = *rest, *to = start, *from = start;
	bool quoted = *from == '"';

	for (from += quoted; *from; from++) {
		if (quoted && *from == '"' && from[1] == '"')
			from++;
		else if (quoted ? *from == '"' : *from == ',')
			break;
		*to++ = *from;
	}
	from += quoted;
	ck_assert(*from == ',' || *from == '\0');
	*rest = from + (*from == ',');
	*to = '\0';
	return start;
}

enum { CSV_FIELDS = 13, CSV_DESCRIPTION = 12 };

START_TEST(csv_is_sound)
{
	PB_CLEANUP(pb_map_freep) struct pb_map *map = load(natives[_i]);
	struct pb_row_info row;
	size_t index = 0;
	char *line, *save;

	print_map("csv", map);
	line = strtok_r(out, "\n", &save);
	ck_assert_str_eq(line, "address,table,words,type,field,index,bit,unit,scale,offset,na,"
			       "access,description");
	while ((line = strtok_r(NULL, "\n", &save))) {
		char *fields[CSV_FIELDS], *rest = line;

		for (size_t i = 0; i < CSV_FIELDS; i++)
			fields[i] = csv_field(&rest);
		ck_assert_str_eq(rest, "");
		do
			pb_map_row(map, index++, &row);
		while (row.type == PB_ROW_RESERVED);
		ck_assert_int_eq(atoi(fields[0]), row.addr);
		ck_assert_str_eq(fields[3], pb_row_type_name(row.type));
		ck_assert_str_eq(fields[4], row.field ? row.field->name : "");
		ck_assert_str_eq(fields[CSV_DESCRIPTION], row.description);
	}
	for (; index < pb_map_row_count(map); index++) {
		pb_map_row(map, index, &row);
		ck_assert_int_eq(row.type, PB_ROW_RESERVED);
	}
}
END_TEST

static const char odd_map[] =
	"map: my-map\nversion: 3\ntitle: t\nscope: pack\nunaligned: true\nstale: not-available\n"
	"blocks:\n  - name: b\n    tables: [holding]\n    addr: 40001\n    count: 5\n    rows:\n"
	"      - {addr: 40001, type: s16, field: temperature_avg_mc, unit: degC, scale: 0.1, "
	"offset: 2731, saturate: true, description: 'a | b, \"c\"'}\n"
	"      - {addr: 40002, type: f32, field: voltage_mv, unit: V}\n"
	"      - {addr: 40004, type: u16, value: 7}\n"
	"      - {addr: 40005, type: u16, field: cell_mv, index: 0}\n";

START_TEST(odd_rows)
{
	PB_CLEANUP(pb_map_freep) struct pb_map *map = parse(odd_map);
	json_t *root;
	const json_t *row;

	print_map("markdown", map);
	ck_assert_ptr_nonnull(
		strstr(out, "Old data: the not-available values. Options: `+low-first`, "));
	ck_assert_ptr_nonnull(strstr(out, "| 40001 | 440002 | s16 | `temperature_avg_mc` | degC | "
					  "0.1, offset 2731 | 0x8000 | a \\| b, \"c\" |\n"));
	ck_assert_ptr_nonnull(strstr(out, "| 40002-40003 | 440003 | f32 | `voltage_mv` | V |  | "
					  "NaN | "));
	ck_assert_ptr_nonnull(strstr(out, "| 40004 | 440005 | u16 |  |  |  |  | Constant: 7 |\n"));

	print_map("csv", map);
	ck_assert_ptr_nonnull(
		strstr(out, ",degC,0.1,2731,-32768,r,\"a | b, \"\"c\"\"\"\n40002,holding,2,f32,"
			    "voltage_mv,,,V,1,0,NaN,r,"));

	print_map("json", map);
	root = json_loads(out, 0, NULL);
	ck_assert_ptr_nonnull(root);
	row = json_array_get(json_object_get(root, "rows"), 0);
	ck_assert(json_number_value(json_object_get(row, "scale")) == 0.1);
	ck_assert_int_eq(json_integer_value(json_object_get(row, "offset")), 2731);
	ck_assert_int_eq(json_integer_value(json_object_get(row, "na")), -32768);
	row = json_array_get(json_object_get(root, "rows"), 1);
	ck_assert(json_is_null(json_object_get(row, "na")));
	ck_assert(json_is_integer(json_object_get(row, "scale")));
	row = json_array_get(json_object_get(root, "rows"), 3);
	ck_assert_int_eq(json_integer_value(json_object_get(row, "index")), 0);
	ck_assert(json_is_integer(json_object_get(row, "index")));
	json_decref(root);
}
END_TEST

static const struct {
	const char *text, *id;
} identifiers[] = {
	{"packbridge-bank", "packbridge_bank"},
	{"pack 1", "pack_1"},
	{"9 lives", "n9_lives"},
	{"__a--b__", "a_b"},
	{"ABC", "abc"},
	{"", "n"},
	{"\xC3\xA4", "n"},
};

START_TEST(identifier)
{
	char id[32];

	pb_export_identifier(identifiers[_i].text, id, sizeof(id));
	ck_assert_str_eq(id, identifiers[_i].id);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("formats");
	int formats = 0;

	while (pb_exports[formats].name)
		formats++;
	tcase_add_loop_test(tcase, all_are_as_committed, 0, formats);
	tcase_add_loop_test(tcase, way, 0, PB_ARRAY_SIZE(ways));
	tcase_add_loop_test(tcase, several_units, 0, formats);
	tcase_add_test(tcase, switches);
	tcase_add_loop_test(tcase, json_is_sound, 0, PB_ARRAY_SIZE(natives));
	tcase_add_loop_test(tcase, csv_is_sound, 0, PB_ARRAY_SIZE(natives));
	tcase_add_test(tcase, odd_rows);
	tcase_add_loop_test(tcase, identifier, 0, PB_ARRAY_SIZE(identifiers));
	return pb_run_suite("export/formats", tcase);
}
