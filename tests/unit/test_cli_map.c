/* SPDX-License-Identifier: MIT */
/*
 * `packbridge map` as a user runs it: the program is copied into an installation of its own, so
 * that its maps are found whatever folder the build is in.
 */
#include "packbridge/regmap.h"
#include "packbridge/yaml.h"
#include "suite.h"
#include "text_file.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const natives[] = {"packbridge", "packbridge-gateway"};

/* ---- the installation, and what a command prints ---- */

static char prefix[] = "test_cli_map.XXXXXX";
static char program[128];
static char out[1 << 20], err[1 << 16];

static const char *in_prefix(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", prefix, name);
	return path;
}

static int run_command(char *const *argv)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

static void install(void)
{
	char copy[] = "/bin/cp", from[] = PB_PROGRAM;

	ck_assert_ptr_nonnull(mkdtemp(prefix));
	ck_assert_int_eq(mkdir(in_prefix("bin"), 0755), 0);
	ck_assert_int_eq(mkdir(in_prefix("share"), 0755), 0);
	ck_assert_int_eq(mkdir(in_prefix("share/packbridge"), 0755), 0);
	ck_assert_int_eq(symlink(PB_SOURCE_DIR "/maps", in_prefix("share/packbridge/maps")), 0);
	snprintf(program, sizeof(program), "%s", in_prefix("bin/packbridge"));
	ck_assert_int_eq(run_command((char *[]){copy, from, program, NULL}), 0);
}

static void uninstall(void)
{
	static const char *const files[] = {"bin/packbridge",
					    "share/packbridge/maps",
					    "share/packbridge",
					    "share",
					    "bin",
					    "bad.yaml",
					    "my-map.yaml",
					    "out",
					    "err",
					    ""};

	for (size_t i = 0; i < PB_ARRAY_SIZE(files); i++)
		remove(in_prefix(files[i]));
}

static void send_to(const char *name, int fd)
{
	int file = open(in_prefix(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (file < 0 || dup2(file, fd) < 0)
		_exit(127);
}

/* `packbridge map WORDS...`, with what it says in out and err. @return its exit status */
static int map_command(const char *const *words)
{
	char *argv[16], name[] = "map";
	size_t count = 0;
	pid_t pid;
	int status;

	argv[count++] = program;
	argv[count++] = name;
	for (; *words; words++) {
		ck_assert_uint_lt(count, PB_ARRAY_SIZE(argv) - 1);
		argv[count] = strdup(*words);
		ck_assert_ptr_nonnull(argv[count++]);
	}
	argv[count] = NULL;
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		send_to("out", STDOUT_FILENO);
		send_to("err", STDERR_FILENO);
		execv(program, argv);
		_exit(127);
	}
	while (count > 2)
		free(argv[--count]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	text_file_read(in_prefix("out"), out, sizeof(out));
	text_file_read(in_prefix("err"), err, sizeof(err));
	return WEXITSTATUS(status);
}

#define MAP(...) map_command((const char *[]){__VA_ARGS__, NULL})

/* ---- exports ---- */

/* A page that differs from its map: packbridge map export NAME --format markdown > page */
START_TEST(pages_are_printed)
{
	static char page[sizeof(out)];
	char path[512];

	snprintf(path, sizeof(path), PB_SOURCE_DIR "/docs/registers/%s.md", natives[_i]);
	text_file_read(path, page, sizeof(page));
	ck_assert_int_eq(MAP("export", natives[_i], "--format", "markdown"), 0);
	ck_assert_msg(strcmp(out, page) == 0,
		      "%s differs from `packbridge map export %s --format markdown`", path,
		      natives[_i]);
	ck_assert_str_eq(err, "");
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

static void write_map(const char *name, const char *text)
{
	FILE *file = fopen(in_prefix(name), "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

/* What the native maps have none of: high addresses, offsets, floats, bad characters. */
START_TEST(a_file_is_shown)
{
	write_map("my-map.yaml", odd_map);
	ck_assert_int_eq(MAP("show", in_prefix("my-map.yaml")), 0);
	ck_assert_ptr_nonnull(strstr(out, "40002-40003  f32"));
	ck_assert_ptr_nonnull(strstr(out, "0x8000"));
}
END_TEST

/* ---- list, usage and errors ---- */

START_TEST(list)
{
	const json_t *entry;
	bool seen[PB_ARRAY_SIZE(natives)] = {false};
	json_t *root;
	size_t i;

	ck_assert_int_eq(MAP("list"), 0);
	for (i = 0; i < PB_ARRAY_SIZE(natives); i++)
		ck_assert_ptr_nonnull(strstr(out, natives[i]));
	ck_assert_int_eq(MAP("list", "--json"), 0);
	root = json_loads(out, 0, NULL);
	json_array_foreach(root, i, entry)
	{
		const char *name = json_string_value(json_object_get(entry, "map"));

		for (size_t k = 0; k < PB_ARRAY_SIZE(natives); k++)
			seen[k] |= strcmp(name, natives[k]) == 0;
		ck_assert(json_is_integer(json_object_get(entry, "version")));
		ck_assert(json_is_string(json_object_get(entry, "scope")));
		ck_assert(json_is_string(json_object_get(entry, "title")));
	}
	json_decref(root);
	for (size_t k = 0; k < PB_ARRAY_SIZE(natives); k++)
		ck_assert(seen[k]);
}
END_TEST

static const struct {
	const char *words[5];
	int status;
	const char *out, *err; /* a part of what is printed; NULL: nothing is */
} uses[] = {
	{{"--help"}, 0, "Usage: packbridge map", NULL},
	{{NULL}, 2, NULL, "Usage: packbridge map"},
	{{"frobnicate"}, 2, NULL, "Usage: packbridge map"},
	{{"show"}, 2, NULL, "Usage: packbridge map"},
	{{"show", "packbridge", "packbridge"}, 2, NULL, "Usage: packbridge map"},
	{{"export", "packbridge"}, 2, NULL, "expected --format"},
	{{"export", "packbridge", "--format", "xml"}, 2, NULL, "no format 'xml'"},
	{{"list", "--frobnicate"}, 2, NULL, "Usage: packbridge map"},
	{{"show", "packbridge"}, 0, "voltage_mv", NULL},
	{{"show", "packbrige"}, 1, NULL, "no map 'packbrige', expected 'packbridge' perhaps"},
	{{"show", "growatt-and-more"}, 1, NULL, "`packbridge map list` lists all maps"},
	{{"show", "../../etc/passwd"}, 1, NULL, "expected"},
	{{"show", "nowhere.yaml"}, 1, NULL, "nowhere.yaml: No such file"},
	/* options */
	{{"list"}, 0, "one pack, for PLCs and SCADA; +low-first +na +blanks\n", NULL},
	{{"list", "--json"}, 0, "\"exception\"", NULL},
	{{"show", "packbridge"}, 0, "Options: +low-first +na +blanks\n", NULL},
	{{"show", "packbridge+na+low-first"}, 0, "Options: +high-first +exception +blanks\n", NULL},
	{{"show", "sunspec+other-sign+exception+coarse"},
	 0,
	 "Options: +low-first +na +blanks\n",
	 NULL},
	{{"export", "sunspec+coarse", "-f", "markdown"},
	 0,
	 "W_SF, scale factor. Constant: 1 |",
	 NULL},
	{{"export", "sunspec", "-f", "markdown"}, 0, "W_SF, scale factor. Constant: 0 |", NULL},
	{{"export", "victron", "-f", "json"}, 0, "\"value\": 0", NULL},
	{{"show", "growatt+na"},
	 1,
	 NULL,
	 "map 'growatt' has no option 'na', expected high-first, "
	 "low-first, other-sign, exception or blanks"},
	{{"show", "packbridge+nna"},
	 1,
	 NULL,
	 "has no option 'nna', expected high-first, low-first, na, "
	 "exception or blanks; perhaps na"},
	{{"show", "packbridge+na+exception"},
	 1,
	 NULL,
	 "options 'na+exception': na and exception, "
	 "expected one"},
	{{"show", "packbridge+low-first+high-first"},
	 1,
	 NULL,
	 "low-first and high-first, expected one"},
	{{"show", "packbridge+coarse"},
	 1,
	 NULL,
	 "has no option 'coarse': no row of it has another scale"},
};

START_TEST(use)
{
	ck_assert_int_eq(map_command(uses[_i].words), uses[_i].status);
	ck_assert_msg(uses[_i].out ? strstr(out, uses[_i].out) != NULL : !*out, "stdout: %s", out);
	ck_assert_msg(uses[_i].err ? strstr(err, uses[_i].err) != NULL : !*err, "stderr: %s", err);
}
END_TEST

START_TEST(bad_map)
{
	char text[sizeof(odd_map)], *field;

	memcpy(text, odd_map, sizeof(text));
	memcpy(strstr(text, "my-map"), "bad\n  ", 6);
	field = strstr(text, "cell_mv");
	ck_assert_ptr_nonnull(field);
	memcpy(field, "cell_vm", 7);
	write_map("bad.yaml", text);
	ck_assert_int_eq(MAP("show", in_prefix("bad.yaml")), 1);
	ck_assert_str_eq(out, "");
	ck_assert_ptr_nonnull(strstr(err, "bad.yaml:"));
	ck_assert_ptr_nonnull(strstr(err, "expected"));
}
END_TEST

/* ---- docs/map-format.md ---- */

START_TEST(format_example_compiles)
{
	static char doc[1 << 17];
	struct pb_report report = {0};
	PB_CLEANUP(pb_map_freep) struct pb_map *map = NULL;
	char *start, *end;
	int r;

	text_file_read(PB_SOURCE_DIR "/docs/map-format.md", doc, sizeof(doc));
	start = strstr(doc, "```yaml\nmap: ");
	ck_assert_ptr_nonnull(start);
	start += strlen("```yaml\n");
	end = strstr(start, "```");
	ck_assert_ptr_nonnull(end);
	r = pb_map_parse(&map, "map-format.md", start, (size_t)(end - start), &report);
	ck_assert_msg(r == 0, "%s", report.count ? report.lines[0] : "no error");
}
END_TEST

static void range_text(const struct pb_field *field, char *text, size_t cap)
{
	int bits = 0;

	switch (field->kind) {
	case PB_KIND_TEXT:
		snprintf(text, cap, "text");
		return;
	case PB_KIND_BOOL:
		snprintf(text, cap, "truth value");
		return;
	case PB_KIND_MASK:
		while (field->max >> bits)
			bits++;
		snprintf(text, cap, "mask of %d bits", bits);
		return;
	case PB_KIND_NUMBER:
	case PB_KIND_DATE:
	case PB_KIND_ENUM:
		break;
	}
	snprintf(text, cap, "%lld to %lld%s", (long long)field->min, (long long)field->max,
		 field->sum ? ", bank 64 times" : "");
}

/* The tables of fields are the catalogues. */
START_TEST(format_lists_the_fields)
{
	static char doc[1 << 17];
	size_t count;
	const struct pb_field *fields = pb_fields((enum pb_scope)_i, &count);

	text_file_read(PB_SOURCE_DIR "/docs/map-format.md", doc, sizeof(doc));
	for (size_t i = 0; i < count; i++) {
		const struct pb_field *field = &fields[i];
		char line[1024], range[64], elements[16] = "";

		range_text(field, range, sizeof(range));
		if (field->indexed)
			snprintf(elements, sizeof(elements), "[%u]", field->count);
		snprintf(line, sizeof(line), "\n| `%s%s` | %s | %s | %s |\n", field->name, elements,
			 pb_uom_symbol(field->uom), range, field->description);
		ck_assert_msg(strstr(doc, line) != NULL, "docs/map-format.md lacks:%s", line);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("map");

	tcase_add_unchecked_fixture(tcase, install, uninstall);
	tcase_add_loop_test(tcase, pages_are_printed, 0, PB_ARRAY_SIZE(natives));
	tcase_add_test(tcase, a_file_is_shown);
	tcase_add_test(tcase, list);
	tcase_add_loop_test(tcase, use, 0, PB_ARRAY_SIZE(uses));
	tcase_add_test(tcase, bad_map);
	tcase_add_test(tcase, format_example_compiles);
	tcase_add_loop_test(tcase, format_lists_the_fields, 0, PB_SCOPE_COUNT);
	return pb_run_suite("cli/map", tcase);
}
