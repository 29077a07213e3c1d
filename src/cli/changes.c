/* SPDX-License-Identifier: MIT */
#include "changes.h"

#include <string.h>

enum { CHANGES_MAX = 30 }; /* that are told one by one */

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

/*
 * Adds the keys of @rows whose values differ. @size: of what @a and @b point to; rows that are read
 * elsewhere lie behind it.
 */
static void compare_rows(struct keys *keys, const struct pb_yaml_row *rows, const void *a,
			 const void *b, size_t size)
{
	for (; rows->key; rows++)
		if (rows->type != PB_YAML_NODE && rows->offset + rows->size <= size &&
		    memcmp((const char *)a + rows->offset, (const char *)b + rows->offset,
			   rows->size) != 0)
			add_key(keys, rows->key);
}

static void compare_bytes(struct keys *keys, const char *key, const void *a, const void *b,
			  size_t size)
{
	if (memcmp(a, b, size) != 0)
		add_key(keys, key);
}

static void compare_texts(struct keys *keys, const char *key, char *const *a, size_t a_count,
			  char *const *b, size_t b_count)
{
	bool same = a_count == b_count;

	for (size_t i = 0; same && i < a_count; i++)
		same = strcmp(a[i], b[i]) == 0;
	if (!same)
		add_key(keys, key);
}

/* ---- what is told ---- */

static void say(struct changes *changes, const char *what, const char *name, const char *how,
		const char *keys)
{
	if (++changes->count > CHANGES_MAX)
		return;
	fprintf(changes->out, "%s%s%s%s %s%s%s", changes->count > 1 ? "; " : "", what,
		*name ? " " : "", name, how, *keys ? ": " : "", keys);
}

static void say_changed(struct changes *changes, const char *what, const char *name,
			const struct keys *keys)
{
	if (*keys->text)
		say(changes, what, name, "changed", keys->text);
}

/* ---- packs ---- */

static const struct pb_pack_config *find_pack(const struct pb_config *config, const char *name)
{
	for (size_t i = 0; i < config->pack_count; i++)
		if (strcmp(config->packs[i].name, name) == 0)
			return &config->packs[i];
	return NULL;
}

static void compare_pack(struct changes *changes, const struct pb_pack_config *a,
			 const struct pb_pack_config *b)
{
	struct keys keys = {""};

	compare_rows(&keys, pb_config_pack_rows(), a, b, sizeof(*a));
	/* presets and copies of them: equal ones are equal in every byte */
	compare_bytes(&keys, "limits", &a->limits, &b->limits, sizeof(a->limits));
	compare_bytes(&keys, "alarms", &a->alarms, &b->alarms, sizeof(a->alarms));
	say_changed(changes, "pack", b->name, &keys);
}

static void compare_packs(struct changes *changes, const struct pb_config *before,
			  const struct pb_config *after)
{
	for (size_t i = 0; i < after->pack_count; i++) {
		const struct pb_pack_config *pack = &after->packs[i],
					    *old = find_pack(before, pack->name);

		if (old)
			compare_pack(changes, old, pack);
		else
			say(changes, "pack", pack->name, "added", "");
	}
	for (size_t i = 0; i < before->pack_count; i++)
		if (!find_pack(after, before->packs[i].name))
			say(changes, "pack", before->packs[i].name, "removed", "");
}

/* ---- banks ---- */

static const struct pb_bank_config *find_bank(const struct pb_config *config, const char *name)
{
	for (size_t i = 0; i < config->bank_count; i++)
		if (strcmp(config->banks[i].name, name) == 0)
			return &config->banks[i];
	return NULL;
}

static bool same_members(const struct pb_config *before, const struct pb_bank_config *a,
			 const struct pb_config *after, const struct pb_bank_config *b)
{
	bool same = a->pack_count == b->pack_count;

	for (size_t i = 0; same && i < a->pack_count; i++)
		same = strcmp(before->packs[a->packs[i]].name, after->packs[b->packs[i]].name) == 0;
	return same;
}

static void compare_banks(struct changes *changes, const struct pb_config *before,
			  const struct pb_config *after)
{
	for (size_t i = 0; i < after->bank_count; i++) {
		const struct pb_bank_config *bank = &after->banks[i],
					    *old = find_bank(before, bank->name);
		struct keys keys = {""};

		if (!old) {
			say(changes, "bank", bank->name, "added", "");
			continue;
		}
		compare_rows(&keys, pb_config_bank_rows(), old, bank, sizeof(*bank));
		if (!same_members(before, old, after, bank))
			add_key(&keys, "packs");
		if (old->setup.topology != bank->setup.topology)
			add_key(&keys, "topology");
		if (old->setup.missing != bank->setup.missing)
			add_key(&keys, "missing");
		compare_bytes(&keys, "alarms", &old->alarms, &bank->alarms, sizeof(bank->alarms));
		say_changed(changes, "bank", bank->name, &keys);
	}
	for (size_t i = 0; i < before->bank_count; i++)
		if (!find_bank(after, before->banks[i].name))
			say(changes, "bank", before->banks[i].name, "removed", "");
}

/* ---- listeners ---- */

static void listen_name(const struct pb_listen_config *listen, char *out, size_t cap)
{
	static const char *const kinds[PB_LISTEN_KINDS] = {
		[PB_LISTEN_TCP] = "tcp",
		[PB_LISTEN_RTU] = "rtu",
		[PB_LISTEN_RTU_TCP] = "rtu-over-tcp",
	};

	snprintf(out, cap, "%s %s", kinds[listen->kind], listen->address);
}

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
static size_t place_of(const struct pb_config *config, size_t index)
{
	size_t count = 0;

	for (size_t i = 0; i < index; i++)
		count += config->listens[i].kind == config->listens[index].kind &&
			 strcmp(config->listens[i].address, config->listens[index].address) == 0;
	return count;
}

static bool same_units(const struct pb_listen_config *a, const struct pb_listen_config *b)
{
	bool same = a->unit_count == b->unit_count;

	for (size_t i = 0; same && i < a->unit_count; i++)
		same = a->units[i].unit == b->units[i].unit &&
		       strcmp(a->units[i].pack, b->units[i].pack) == 0 &&
		       strcmp(a->units[i].bank, b->units[i].bank) == 0 &&
		       strcmp(a->units[i].map, b->units[i].map) == 0;
	return same;
}

static void compare_listens(struct changes *changes, const struct pb_config *before,
			    const struct pb_config *after)
{
	char name[PB_CONFIG_LINK + 16];

	for (size_t i = 0; i < after->listen_count; i++) {
		const struct pb_listen_config *listen = &after->listens[i];
		const struct pb_listen_config *old =
			find_listen(before, listen, place_of(after, i));
		struct keys keys = {""};

		listen_name(listen, name, sizeof(name));
		if (!old) {
			say(changes, "listener", name, "added", "");
			continue;
		}
		compare_rows(&keys, pb_config_listen_rows(), old, listen, sizeof(*listen));
		compare_texts(&keys, "allow", old->allow, old->allow_count, listen->allow,
			      listen->allow_count);
		if (!same_units(old, listen))
			add_key(&keys, "units");
		say_changed(changes, "listener", name, &keys);
	}
	for (size_t i = 0; i < before->listen_count; i++) {
		listen_name(&before->listens[i], name, sizeof(name));
		if (!find_listen(after, &before->listens[i], place_of(before, i)))
			say(changes, "listener", name, "removed", "");
	}
}

/* ---- the rest ---- */

static void compare_page(struct changes *changes, const struct pb_http_section *a,
			 const struct pb_http_section *b)
{
	struct keys keys = {""};

	if (strcmp(a->address, b->address) != 0)
		add_key(&keys, "address");
	compare_texts(&keys, "hosts", a->hosts, a->host_count, b->hosts, b->host_count);
	compare_texts(&keys, "allow", a->allow, a->allow_count, b->allow, b->allow_count);
	say_changed(changes, "http", "", &keys);
}

static void compare_bluetooth(struct changes *changes, const struct pb_bluetooth_config *a,
			      const struct pb_bluetooth_config *b)
{
	struct keys keys = {""};
	bool same = a->adapter_count == b->adapter_count;

	for (size_t i = 0; same && i < a->adapter_count; i++)
		same = strcmp(a->adapters[i].name, b->adapters[i].name) == 0 &&
		       a->adapters[i].max_connections == b->adapters[i].max_connections;
	compare_rows(&keys, pb_config_bluetooth_rows(), a, b, sizeof(*a));
	if (!same)
		add_key(&keys, "adapters");
	say_changed(changes, "bluetooth", "", &keys);
}

void changes_print(const struct pb_config *before, const struct pb_config *after, FILE *out)
{
	struct changes changes = {.out = out};

	compare_packs(&changes, before, after);
	compare_banks(&changes, before, after);
	compare_listens(&changes, before, after);
	compare_page(&changes, &before->http, &after->http);
	compare_bluetooth(&changes, &before->bluetooth, &after->bluetooth);
	for (int i = 0; i < PB_SOCKETS; i++)
		if (strcmp(before->sockets[i].path, after->sockets[i].path) != 0)
			say(&changes, pb_socket_name((enum pb_socket)i), "", "changed", "");
	if (changes.count == 0)
		fputs("nothing in it has changed", out);
	else if (changes.count > CHANGES_MAX)
		fprintf(out, "; and %zu more", changes.count - CHANGES_MAX);
}
