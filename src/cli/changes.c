/* SPDX-License-Identifier: MIT */
#include "changes.h"

#include <string.h>

enum { CHANGES_MAX = 30 }; /* that are listed one by one */

struct changes {
	FILE *out;
	size_t count;
};

/* ---- keys that differ ---- */

struct keys {
	char text[256]; /* "poll_ms, limits" */
};

static void add_key(struct keys *keys, const char *key)
{
	size_t len = strlen(keys->text);

	snprintf(keys->text + len, sizeof(keys->text) - len, "%s%s", len ? ", " : "", key);
}

static void changes_compare(struct keys *keys, const struct pb_yaml_row *rows, const void *a,
			    const void *b)
{
	for (; (rows = pb_yaml_differs(rows, a, b)); rows++)
		add_key(keys, rows->key);
}

/* ---- the text ---- */

static void changes_say(struct changes *changes, const char *what, const char *name,
			const char *how, const char *keys)
{
	if (++changes->count > CHANGES_MAX)
		return;
	fprintf(changes->out, "%s%s%s%s %s%s%s", changes->count > 1 ? "; " : "", what,
		*name ? " " : "", name, how, *keys ? ": " : "", keys);
}

static void say_changed(struct changes *changes, const char *what, const char *name,
			const struct pb_yaml_row *rows, const void *a, const void *b)
{
	struct keys keys = {""};

	changes_compare(&keys, rows, a, b);
	if (*keys.text)
		changes_say(changes, what, name, "changed", keys.text);
}

/* ---- packs ---- */

static const struct pb_pack_config *changes_find_pack(const struct pb_config *config,
						      const char *name)
{
	for (size_t i = 0; i < config->pack_count; i++)
		if (strcmp(config->packs[i].name, name) == 0)
			return &config->packs[i];
	return NULL;
}

static void compare_packs(struct changes *changes, const struct pb_config *before,
			  const struct pb_config *after)
{
	for (size_t i = 0; i < after->pack_count; i++) {
		const struct pb_pack_config *pack = &after->packs[i],
					    *old = changes_find_pack(before, pack->name);

		if (old)
			say_changed(changes, "pack", pack->name, pb_config_pack_rows(), old, pack);
		else
			changes_say(changes, "pack", pack->name, "added", "");
	}
	for (size_t i = 0; i < before->pack_count; i++)
		if (!changes_find_pack(after, before->packs[i].name))
			changes_say(changes, "pack", before->packs[i].name, "removed", "");
}

/* ---- banks ---- */

static const struct pb_bank_config *changes_find_bank(const struct pb_config *config,
						      const char *name)
{
	for (size_t i = 0; i < config->bank_count; i++)
		if (strcmp(config->banks[i].name, name) == 0)
			return &config->banks[i];
	return NULL;
}

static void compare_banks(struct changes *changes, const struct pb_config *before,
			  const struct pb_config *after)
{
	for (size_t i = 0; i < after->bank_count; i++) {
		const struct pb_bank_config *bank = &after->banks[i],
					    *old = changes_find_bank(before, bank->name);

		if (old)
			say_changed(changes, "bank", bank->name, pb_config_bank_rows(), old, bank);
		else
			changes_say(changes, "bank", bank->name, "added", "");
	}
	for (size_t i = 0; i < before->bank_count; i++)
		if (!changes_find_bank(after, before->banks[i].name))
			changes_say(changes, "bank", before->banks[i].name, "removed", "");
}

/* ---- listeners ---- */

/* The @nth of its kind and address, since port 0 may stand there more than once. */
static const struct pb_listen_config *find_listen(const struct pb_config *config,
						  const struct pb_listen_config *like, size_t nth)
{
	for (size_t i = 0; i < config->listen_count; i++)
		if (config->listens[i].kind == like->kind &&
		    strcmp(config->listens[i].address, like->address) == 0 && nth-- == 0)
			return &config->listens[i];
	return NULL;
}

/* How many like listener @index stand before it. */
static size_t changes_place_of(const struct pb_config *config, size_t index)
{
	size_t count = 0;

	for (size_t i = 0; i < index; i++)
		count += config->listens[i].kind == config->listens[index].kind &&
			 strcmp(config->listens[i].address, config->listens[index].address) == 0;
	return count;
}

static void compare_listens(struct changes *changes, const struct pb_config *before,
			    const struct pb_config *after)
{
	char name[PB_LISTEN_NAME];

	for (size_t i = 0; i < after->listen_count; i++) {
		const struct pb_listen_config *listen = &after->listens[i];
		const struct pb_listen_config *old =
			find_listen(before, listen, changes_place_of(after, i));

		pb_listen_name(listen, name, sizeof(name));
		if (old)
			say_changed(changes, "listener", name, pb_config_listen_rows(), old,
				    listen);
		else
			changes_say(changes, "listener", name, "added", "");
	}
	for (size_t i = 0; i < before->listen_count; i++) {
		pb_listen_name(&before->listens[i], name, sizeof(name));
		if (!find_listen(after, &before->listens[i], changes_place_of(before, i)))
			changes_say(changes, "listener", name, "removed", "");
	}
}

void changes_print(const struct pb_config *before, const struct pb_config *after, FILE *out)
{
	struct changes changes = {.out = out};

	compare_packs(&changes, before, after);
	compare_banks(&changes, before, after);
	compare_listens(&changes, before, after);
	say_changed(&changes, "http", "", pb_config_http_rows(), &before->http, &after->http);
	say_changed(&changes, "history", "", pb_config_history_rows(), &before->history,
		    &after->history);
	say_changed(&changes, "bluetooth", "", pb_config_bluetooth_rows(), &before->bluetooth,
		    &after->bluetooth);
	for (int i = 0; i < PB_SOCKETS; i++)
		if (strcmp(before->sockets[i].path, after->sockets[i].path) != 0)
			changes_say(&changes, pb_socket_name((enum pb_socket)i), "", "changed", "");
	if (changes.count == 0)
		fputs("nothing has changed", out);
	else if (changes.count > CHANGES_MAX)
		fprintf(out, "; and %zu more", changes.count - CHANGES_MAX);
}
