/* SPDX-License-Identifier: MIT */
/*
 * Conversations, as on a line: tests/data/maps/NAME.golden holds what a battery shows, requests and
 * replies, captured from real devices or worked out by hand from the maker's table. Its lines:
 *
 *	set FIELD VALUE...	values of a field, of an array one behind the other; a text
 *	options OPTIONS		the map with these, from a new battery on
 *	new			a battery that reports nothing
 *	old			from here on the reading is old; set: it is not
 *	> HEX			a request, CRC included
 *	< HEX			the reply to it, or "silence"
 */
#include "packbridge/model/battery.h"
#include "packbridge/regmap.h"
#include "packbridge/yaml.h"
#include "suite.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

static char names[32][64];
static int name_count;

struct bench {
	const char *name; /* of the file */
	int line;
	struct pb_map *map;
	struct pb_unit_image *image;
	struct pb_battery battery;
	bool old;
	uint8_t request[PB_RTU_ADU_MAX];
	int request_len;
	int answered;
};

static void open_map(struct bench *bench, const char *options)
{
	struct pb_report report = {0};
	char path[512];

	pb_unit_image_free(bench->image);
	pb_map_free(bench->map);
	snprintf(path, sizeof(path), PB_SOURCE_DIR "/maps/%s.yaml%s%s", bench->name,
		 *options ? "+" : "", options);
	ck_assert_msg(pb_map_load(&bench->map, path, &report) == 0, "%s",
		      report.count ? report.lines[0] : path);
	ck_assert_int_eq(pb_unit_image_new(&bench->image, bench->map), 0);
	bench->battery = (struct pb_battery){.quality = PB_QUALITY_GOOD};
	bench->old = false;
}

static void set_field(struct bench *bench, char *words)
{
	char *save, *name = strtok_r(words, " ", &save), *word;
	const struct pb_field *field = pb_field_find(pb_map_scope(bench->map), name);
	unsigned int index = 0;

	ck_assert_msg(field != NULL, "%s.golden:%d: no field '%s'", bench->name, bench->line, name);
	bench->old = false;
	if (field->kind == PB_KIND_TEXT) {
		snprintf((char *)&bench->battery + field->offset, field->size, "%s", save);
		if (field->has >= 0)
			pb_battery_mark(&bench->battery, (enum pb_has)field->has);
		return;
	}
	while ((word = strtok_r(NULL, " ", &save)))
		pb_field_set(field, &bench->battery, index++, strtoll(word, NULL, 0));
}

static void ask(struct bench *bench, const char *hex)
{
	bench->request_len = pb_hex_parse(hex, bench->request, sizeof(bench->request));
	ck_assert_msg(bench->request_len >= PB_RTU_ADU_MIN &&
			      pb_crc16(bench->request, (size_t)bench->request_len) == 0,
		      "%s.golden:%d: no sound request", bench->name, bench->line);
}

static void answer(struct bench *bench, const char *hex)
{
	uint8_t reply[PB_RTU_ADU_MAX + PB_PDU_MAX];
	char is[3 * sizeof(reply) + 1] = "silence";
	size_t len;

	pb_sample_derive(&bench->battery.sample);
	pb_unit_image_encode(bench->image, &bench->battery, bench->old);
	len = pb_modbus_reply(NULL, pb_unit_image_get(bench->image), bench->request + 1,
			      (size_t)bench->request_len - 3, reply + 1);
	if (len > 0)
		pb_hex_print(is, sizeof(is), reply, pb_rtu_wrap(reply, bench->request[0], len),
			     ' ');
	ck_assert_msg(strcmp(is, hex) == 0, "%s.golden:%d: %s, expected %s", bench->name,
		      bench->line, is, hex);
	bench->answered++;
}

static void take_line(struct bench *bench, char *line)
{
	if (!*line || *line == '#')
		return;
	if (strncmp(line, "set ", 4) == 0)
		set_field(bench, line + 4);
	else if (strncmp(line, "options ", 8) == 0)
		open_map(bench, line + 8);
	else if (strcmp(line, "new") == 0)
		bench->battery = (struct pb_battery){.quality = PB_QUALITY_GOOD};
	else if (strcmp(line, "old") == 0)
		bench->old = true;
	else if (strncmp(line, "> ", 2) == 0)
		ask(bench, line + 2);
	else if (strncmp(line, "< ", 2) == 0)
		answer(bench, line + 2);
	else
		ck_abort_msg("%s.golden:%d: '%s'", bench->name, bench->line, line);
}

START_TEST(conversation)
{
	struct bench bench = {.name = names[_i]};
	char path[512], line[2048];
	FILE *file;

	snprintf(path, sizeof(path), PB_TEST_DATA "/maps/%s.golden", names[_i]);
	file = fopen(path, "re");
	ck_assert_msg(file != NULL, "%s", path);
	open_map(&bench, "");
	while (fgets(line, sizeof(line), file)) {
		bench.line++;
		line[strcspn(line, "\n")] = '\0';
		take_line(&bench, line);
	}
	fclose(file);
	ck_assert_int_ge(bench.answered, 2);
	pb_unit_image_free(bench.image);
	pb_map_free(bench.map);
}
END_TEST

/* A map that others have made has a conversation. */
START_TEST(each_has_one)
{
	DIR *dir = opendir(PB_SOURCE_DIR "/maps");
	struct dirent *file;
	int foreign = 0;

	ck_assert_ptr_nonnull(dir);
	while ((file = readdir(dir))) {
		char name[64];
		int i = 0;

		if (!strstr(file->d_name, ".yaml") || strncmp(file->d_name, "packbridge", 10) == 0)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(file->d_name, "."), file->d_name);
		while (i < name_count && strcmp(names[i], name) != 0)
			i++;
		ck_assert_msg(i < name_count, "tests/data/maps has no %s.golden", name);
		foreign++;
	}
	closedir(dir);
	ck_assert_int_ge(foreign, 6);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("golden");
	DIR *dir = opendir(PB_TEST_DATA "/maps");
	struct dirent *file;

	while (dir && name_count < 32 && (file = readdir(dir)))
		if (strstr(file->d_name, ".golden"))
			snprintf(names[name_count++], sizeof(names[0]), "%.*s",
				 (int)strcspn(file->d_name, "."), file->d_name);
	if (dir)
		closedir(dir);
	tcase_add_loop_test(tcase, conversation, 0, name_count);
	tcase_add_test(tcase, each_has_one);
	return pb_run_suite("regmap/golden", tcase);
}
