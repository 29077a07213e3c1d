/* SPDX-License-Identifier: MIT */
/*
 * What the lines of the control socket do: release, take, reset and trace. `reload` is a matter of
 * doors.c, `switch` of switch.c.
 */
#include "parts.h"
#include "switch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reset_alarms(struct pb_bridge *bridge, const char *name, FILE *answer)
{
	if (site_reset_alarms(bridge->site, name) < 0)
		fprintf(answer, "error: there is no pack or bank '%s'\n", name);
	else
		fprintf(answer, "ok: alarms of %s whose cause has gone are reset\n",
			*name ? name : "all packs and banks");
}

static void reset_history(struct pb_bridge *bridge, const char *name, FILE *answer)
{
	int battery = pb_plant_find(bridge->site->plant, name);

	if (battery < 0) {
		fprintf(answer, "error: there is no pack or bank '%s'\n", name);
		return;
	}
	pb_plant_set_history(bridge->site->plant, (size_t)battery, &(struct pb_history_state){0});
	recorder_save(bridge->recorder);
	fprintf(answer, "ok: the history of %s begins anew\n", name);
}

static void command_let_go(struct pb_bridge *bridge, const char *pack, unsigned int seconds,
			   FILE *answer)
{
	if (pb_bridge_release(bridge, pack, seconds * 1000) < 0)
		fprintf(answer, "error: there is no pack '%s'\n", pack);
	else if (seconds == 0)
		fprintf(answer, "ok: connecting to %s\n", pack);
	else
		fprintf(answer, "ok: %s is free for %u min %u s\n", pack, seconds / 60,
			seconds % 60);
}

/* By its address, its name in status, or its number there, from 1. @return NULL: there is none */
static struct listener *command_find_listener(struct pb_bridge *bridge, const char *text)
{
	const struct pb_config *config = bridge->site->config;
	int64_t number;

	if (pb_int_parse(text, 1, (int64_t)config->listen_count, &number) >= 0)
		return &bridge->listeners.all[number - 1];
	for (size_t i = 0; i < config->listen_count; i++) {
		char name[PB_LISTEN_NAME];

		pb_listen_name(&config->listens[i], name, sizeof(name));
		if (strcmp(text, name) == 0 || strcmp(text, config->listens[i].address) == 0)
			return &bridge->listeners.all[i];
	}
	return NULL;
}

/* "trace SINCE LISTENER" */
static void trace(struct pb_bridge *bridge, const char *line, FILE *answer)
{
	const char *number = line + strspn(line, "trace ");
	char *name;
	uint64_t since = strtoull(number, &name, 10);
	struct listener *listener;
	int r;

	if (name == number || name[0] != ' ' || !name[1]) {
		fputs("error: expected 'trace SINCE LISTENER'\n", answer);
		return;
	}
	listener = command_find_listener(bridge, name + 1);
	if (!listener) {
		fprintf(answer,
			"error: there is no listener '%s'; `packbridge status` lists them\n",
			name + 1);
		return;
	}
	r = listener->server ? pb_server_trace(listener->server, since, pb_now_ms(), answer)
			     : pb_line_trace(listener->line, since, pb_now_ms(), answer);
	if (r < 0)
		fprintf(answer, "error: %s\n", strerrordesc_np(-r));
}

void pb_bridge_command(struct pb_bridge *bridge, const char *line, FILE *answer)
{
	char word[16] = "", pack[PB_CONFIG_NAME] = "", number[16] = "", extra[2] = "";
	int count = sscanf(line, "%15s %31s %15s %1s", word, pack, number, extra);
	int64_t seconds;

	if (strcmp(word, "trace") == 0)
		trace(bridge, line, answer);
	else if (strcmp(word, "switch") == 0)
		switch_command(bridge, line, answer);
	else if (strcmp(word, "reset") == 0 && (count == 1 || count == 2))
		reset_alarms(bridge, pack, answer);
	else if (strcmp(word, "reset-history") == 0 && count == 2)
		reset_history(bridge, pack, answer);
	else if (strcmp(word, "status") == 0 || strcmp(word, "metrics") == 0)
		fprintf(answer,
			"error: this is the control socket, expected the status socket (key "
			"`status:`) for '%s'\n",
			word);
	else if (strcmp(word, "reload") == 0 && count == 1)
		fputs("error: there is no file to reload\n", answer);
	else if (strcmp(word, "take") == 0 && count == 2)
		command_let_go(bridge, pack, 0, answer);
	else if (strcmp(word, "release") != 0 || count != 3)
		fputs("error: expected 'release PACK SECONDS', 'take PACK', 'reset [NAME]', "
		      "'reset-history NAME', 'switch ...', 'trace SINCE LISTENER' or 'reload'\n",
		      answer);
	else if (pb_int_parse(number, 1, PB_RELEASE_MAX_S, &seconds) < 0)
		fprintf(answer, "error: %s s, expected 1 to %d\n", number, PB_RELEASE_MAX_S);
	else
		command_let_go(bridge, pack, (unsigned int)seconds, answer);
}
