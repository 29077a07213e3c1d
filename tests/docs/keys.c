/* SPDX-License-Identifier: MIT */
/* Prints the configuration's keys as Markdown tables, one a section, for tests/docs/keys.py. */
#include "packbridge/config.h"

#include <stdio.h>
#include <string.h>

static void print_decimal(int64_t value, int64_t factor)
{
	int64_t whole = value / factor, part = value % factor;

	if (part < 0)
		part = -part;
	printf("%s%lld", value < 0 && whole == 0 ? "-" : "", (long long)whole);
	for (int64_t digit = factor / 10; part > 0 && digit > 0; digit /= 10) {
		if (digit == factor / 10)
			putchar('.');
		printf("%lld", (long long)(part / digit));
		part %= digit;
	}
}

static void print_expected(const struct pb_yaml_row *row)
{
	switch (row->type) {
	case PB_YAML_INT:
	case PB_YAML_DECIMAL:
		print_decimal(row->min, row->factor ? row->factor : 1);
		fputs(" to ", stdout);
		print_decimal(row->max, row->factor ? row->factor : 1);
		break;
	case PB_YAML_BOOL:
		fputs("true, false", stdout);
		break;
	case PB_YAML_ENUM:
		for (const char *const *word = row->words; *word; word++)
			printf("%s%s", word == row->words ? "" : ", ", *word);
		break;
	case PB_YAML_TEXT:
		fputs("text", stdout);
		break;
	case PB_YAML_NODE:
		break;
	}
}

static void print_section(const char *name, const struct pb_yaml_row *rows)
{
	printf("@%s\n| key | what it takes | default | |\n| --- | --- | --- | --- |\n", name);
	for (const struct pb_yaml_row *row = rows; row->key; row++) {
		printf("| `%s` | ", row->key);
		print_expected(row);
		if (row->required)
			fputs(" | required | ", stdout);
		else if (row->preset && strcmp(row->preset, "-1") != 0)
			printf(" | %s | ", row->preset);
		else
			fputs(" | | ", stdout);
		printf("%s |\n", row->doc ? row->doc : "");
	}
}

/* The keys of a section that have this effect: "`link`, `tries` of `packs:`". */
static bool print_keys(const char *section, const struct pb_yaml_row *rows, unsigned int change,
		       bool more)
{
	bool any = false;

	for (; rows->key; rows++) {
		if (!(rows->change & change))
			continue;
		printf("%s`%s`", any ? ", " : more ? "; " : "", rows->key);
		any = true;
	}
	if (any && *section)
		printf(" of `%s:`", section);
	return any || more;
}

static void print_change(unsigned int change, const char *does)
{
	bool more = false;

	fputs("| ", stdout);
	more = print_keys("packs", pb_config_pack_rows(), change, more);
	more = print_keys("banks", pb_config_bank_rows(), change, more);
	more = print_keys("listen", pb_config_listen_rows(), change, more);
	more = print_keys("http", pb_config_http_rows(), change, more);
	more = print_keys("history", pb_config_history_rows(), change, more);
	more = print_keys("bluetooth", pb_config_bluetooth_rows(), change, more);
	print_keys("", pb_config_file_rows(), change, more);
	printf(" | %s |\n", does);
}

static void print_reload(void)
{
	fputs("@reload\n| a change of | effect |\n| --- | --- |\n", stdout);
	print_change(PB_CHANGE_REPLACES, "makes it another one: the old one is closed with its "
					 "connections, a new one is opened");
	print_change(PB_CHANGE_RECONNECTS, "reconnects the pack");
	print_change(PB_CHANGE_REOPENS, "reopens a serial line; a socket stays open");
	print_change(PB_CHANGE_APPLIES, "takes effect at once; only clients that `allow` no longer "
					"includes are disconnected");
}

int main(void)
{
	print_reload();
	print_section("file", pb_config_file_rows());
	print_section("pack", pb_config_pack_rows());
	print_section("limits", pb_config_limit_rows());
	print_section("bank", pb_config_bank_rows());
	print_section("listen", pb_config_listen_rows());
	print_section("history", pb_config_history_rows());
	print_section("http", pb_config_http_rows());
	print_section("units", pb_config_show_rows());
	print_section("bluetooth", pb_config_bluetooth_rows());
	return 0;
}
