/* SPDX-License-Identifier: MIT */
/*
 * The clients of a server, in the order in which they would make way for others:
 *
 *	oldest ─▶ never asked, by age ─▶ last_new ─▶ asked, the longest idle first ─▶ newest
 *
 * So a flood of connections replaces its own clients first, not working ones. Among working
 * clients, one of the address with the most clients is closed (clients_evict()).
 */
#include "tcp.h"

#include <assert.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <time.h>

enum { SWEEPS = 4 /* in the shortest timeout */ };

/* ---- their order ---- */

static void list_remove(struct pb_server *server, struct client *client)
{
	if (server->last_new == client)
		server->last_new = client->older;
	if (server->next_told == client)
		server->next_told = client->newer;
	*(client->older ? &client->older->newer : &server->oldest) = client->newer;
	*(client->newer ? &client->newer->older : &server->newest) = client->older;
}

/* @older: NULL at the head */
static void list_insert(struct pb_server *server, struct client *client, struct client *older)
{
	client->older = older;
	client->newer = older ? older->newer : server->oldest;
	*(older ? &older->newer : &server->oldest) = client;
	*(client->newer ? &client->newer->older : &server->newest) = client;
}

void clients_add(struct pb_server *server, struct client *client)
{
	list_insert(server, client, server->last_new);
	server->last_new = client;
	server->service.stats.clients++;
	server->service.stats.accepted++;
}

void clients_remove(struct pb_server *server, struct client *client)
{
	list_remove(server, client);
	server->service.stats.clients--;
}

void clients_touch(struct pb_server *server, struct client *client, uint64_t now_ms)
{
	client->active_ms = now_ms;
	list_remove(server, client);
	list_insert(server, client, server->newest);
}

/* ---- who makes way ---- */

/*
 * One that never asked, or the longest idle of the address that has the most: so a machine with
 * many busy clients takes nobody's place but its own.
 */
static struct client *who_makes_way(const struct pb_server *server, const struct client *newcomer)
{
	uint32_t most = peers_most(server->peers);

	for (struct client *client = server->oldest; client; client = client->newer)
		if (client != newcomer && (client->requests == 0 || client->count->clients >= most))
			return client;
	return NULL; /* there is only the newcomer */
}

void clients_evict(struct pb_server *server, const struct client *newcomer, const char *cause,
		   uint64_t now_ms)
{
	struct client *client = who_makes_way(server, newcomer);
	struct notice *notice = &server->evicted;

	if (!client)
		return;
	if (notice_is_due(notice, now_ms)) {
		pb_log(PB_LOG_WARNING,
		       "%s: %s: client %s, one of %u, %s for %.1f s, closed for a new one (%u more "
		       "since the last such line)",
		       server->name, cause, client->peer.name,
		       server->service.stats.clients - (newcomer != NULL),
		       client->requests ? "idle" : "connected without a request",
		       (double)(now_ms - client->active_ms) / 1000, notice->left_out);
		notice->left_out = 0;
	}
	server->service.stats.evicted++;
	client_close(client);
}

/* ---- whose time is over ---- */

static uint32_t sweep_ms(const struct pb_server *server)
{
	uint32_t least = server->frame_timeout_ms;

	if (server->idle_timeout_ms && server->idle_timeout_ms < least)
		least = server->idle_timeout_ms;
	if (server->framing->by_silence && server->gap_ms < least)
		least = server->gap_ms;
	return least / SWEEPS + 1;
}

void clients_sweep_later(struct pb_server *server)
{
	if (server->sweeping)
		return;
	/* by the clock: what the event loop takes for now may be long ago in a client's turn */
	sd_event_source_set_time(server->sweep, (pb_now_ms() + sweep_ms(server)) * 1000);
	sd_event_source_set_enabled(server->sweep, SD_EVENT_ONESHOT);
	server->sweeping = true;
}

static int on_sweep(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct pb_server *server = userdata;
	uint64_t now_ms = pb_now_ms();
	bool again = server->idle_timeout_ms && server->oldest;

	(void)source;
	(void)usec;
	server->sweeping = false;
	for (struct client *client = server->oldest, *newer; client; client = newer) {
		newer = client->newer;
		if (client_is_over(client, now_ms)) {
			server->service.stats.timeouts++;
			client_close(client);
		} else if (client->stuck_ms) {
			again = true;
			if (server->framing->by_silence)
				client_silence(client, now_ms);
		}
	}
	if (again)
		clients_sweep_later(server);
	return 0;
}

int clients_start(struct pb_server *server)
{
	int r = sd_event_add_time(hub_event(server->hub), &server->sweep, CLOCK_BOOTTIME,
				  UINT64_MAX, 0, on_sweep, server);

	return r < 0 ? r : sd_event_source_set_enabled(server->sweep, SD_EVENT_OFF);
}

/* ---- telling of them ---- */

static void tell_client(const struct client *client, uint64_t now_ms,
			void (*each)(void *userdata, const struct pb_client_info *info),
			void *userdata)
{
	struct pb_client_info info = {
		.connected_s = (uint32_t)((now_ms - client->since_ms) / 1000),
		.idle_s = (uint32_t)((now_ms - client->active_ms) / 1000),
		.requests = client->requests,
		.exceptions = client->exceptions,
	};

	static_assert(sizeof(info.peer) >= sizeof(client->peer.name), "a peer's name fits");
	strcpy(info.peer, client->peer.name);
	each(userdata, &info);
}

bool pb_server_clients(struct pb_server *server, bool first, size_t count, uint64_t now_ms,
		       void (*each)(void *userdata, const struct pb_client_info *info),
		       void *userdata)
{
	if (first) {
		server->told_round++;
		server->next_told = server->oldest;
	}
	while (count-- > 0 && server->next_told) {
		struct client *client = server->next_told;

		server->next_told = client->newer;
		/* those who asked meanwhile have moved to the end, and come by again */
		if (client->told != server->told_round)
			tell_client(client, now_ms, each, userdata);
		client->told = server->told_round;
	}
	return server->next_told != NULL;
}
