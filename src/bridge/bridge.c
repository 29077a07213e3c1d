/* SPDX-License-Identifier: MIT */
/*
 * The wiring: a site, what the configuration makes, with the listeners that show it; and the change
 * from one configuration to the next.
 */
#include "listeners.h"
#include "teller.h"
#include "web.h"

#include "packbridge/pack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pb_bridge {
	sd_event *event;
	struct pb_config *config; /* owned with the maps; site and listeners borrow them */
	struct pb_maps *maps;
	const char *version;
	uint64_t start_ms;
	struct pb_bluez *bluez;
	struct pb_adapter_limit *limits; /* bluez reads them */
	struct site *site;
	struct pb_identity identity;
	struct pb_server_backend backend;
	struct pb_hub *hub;
	struct listeners listeners;
	struct pb_control *sockets[PB_SOCKETS];
	struct pb_control *old_sockets[PB_SOCKETS]; /* going: one may be what asked for that */
	sd_event_source *bury;
	struct pb_http *http;  /* NULL: no status page */
	struct teller *teller; /* for those at the sockets */
	struct teller
		*page_teller; /* apart: who does not take the page's texts holds up no other */
	const struct pb_reloader *reloader; /* NULL: there is nothing to be loaded anew */
	void *userdata;
};

static void count_clients(void *userdata, struct pb_gateway *gateway)
{
	struct pb_bridge *bridge = userdata;

	gateway->clients = gateway->requests = gateway->exceptions = 0;
	gateway->malformed = gateway->evicted = gateway->refused = gateway->timeouts = 0;
	gateway->log_left_out = pb_log_left_out();
	for (size_t i = 0; i < bridge->site->config->listen_count; i++) {
		struct pb_server_stats stats;

		listener_stats(&bridge->listeners.all[i], &stats);
		if (bridge->site->config->listens[i].kind != PB_LISTEN_RTU)
			gateway->clients += stats.clients;
		gateway->requests += stats.requests;
		gateway->exceptions += stats.exceptions;
		gateway->malformed += stats.malformed;
		gateway->evicted += stats.evicted;
		gateway->refused += stats.refused;
		gateway->timeouts += stats.timeouts;
	}
}

/* @userdata: a unit table. */
static const struct pb_image *unit_image(void *userdata, uint8_t unit, uint64_t now_ms)
{
	return pb_plant_image(userdata, unit, now_ms);
}

/* ---- Bluetooth ---- */

static int bluez_limits(const struct pb_config *config, struct pb_adapter_limit **ret)
{
	const struct pb_bluetooth_config *bluetooth = &config->bluetooth;
	struct pb_adapter_limit *limits = calloc(bluetooth->adapter_count + 1, sizeof(*limits));

	if (!limits)
		return -ENOMEM;
	for (size_t i = 0; i < bluetooth->adapter_count; i++) {
		snprintf(limits[i].adapter, sizeof(limits[i].adapter), "%s",
			 bluetooth->adapters[i].name);
		limits[i].max_connections = bluetooth->adapters[i].max_connections;
	}
	*ret = limits;
	return 0;
}

static struct pb_bluez_config bluez_config(const struct pb_config *config,
					   const struct pb_adapter_limit *limits)
{
	const struct pb_bluetooth_config *bluetooth = &config->bluetooth;

	return (struct pb_bluez_config){
		.max_connections = bluetooth->max_connections,
		.power_cycle_after = bluetooth->power_cycle_after,
		.acquire = bluetooth->acquire,
		.limit_count = bluetooth->adapter_count,
		.limits = limits,
	};
}

/* ---- commands ---- */

static void reset_alarms(struct pb_bridge *bridge, const char *name, FILE *answer)
{
	if (site_reset_alarms(bridge->site, name) < 0)
		fprintf(answer, "error: there is no pack or bank '%s'\n", name);
	else
		fprintf(answer, "ok: alarms of %s that are over are forgotten\n",
			*name ? name : "all packs and banks");
}

static void let_go(struct pb_bridge *bridge, const char *pack, unsigned int seconds, FILE *answer)
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
static struct listener *find_listener(struct pb_bridge *bridge, const char *text)
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
	listener = find_listener(bridge, name + 1);
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
	else if (strcmp(word, "reset") == 0 && (count == 1 || count == 2))
		reset_alarms(bridge, pack, answer);
	else if (strcmp(word, "status") == 0 || strcmp(word, "metrics") == 0)
		fprintf(answer,
			"error: this is the control socket, expected the status socket (key "
			"`status:`) for '%s'\n",
			word);
	else if (strcmp(word, "reload") == 0 && count == 1)
		fputs("error: there is no file to be loaded again\n", answer);
	else if (strcmp(word, "take") == 0 && count == 2)
		let_go(bridge, pack, 0, answer);
	else if (strcmp(word, "release") != 0 || count != 3)
		fputs("error: expected 'release PACK SECONDS', 'take PACK', 'reset [NAME]', 'trace "
		      "SINCE LISTENER' or "
		      "'reload'\n",
		      answer);
	else if (pb_int_parse(number, 1, PB_RELEASE_MAX_S, &seconds) < 0)
		fprintf(answer, "error: %s s, expected 1 to %d\n", number, PB_RELEASE_MAX_S);
	else
		let_go(bridge, pack, (unsigned int)seconds, answer);
}

/* ---- what there is to see ---- */

static struct shown shown(const void *userdata)
{
	const struct pb_bridge *bridge = userdata;

	return (struct shown){bridge->site->config, bridge->site, &bridge->listeners, pb_now_ms()};
}

/* @return NULL: that is no question */
static const struct telling_kind *kind_of_text(const char *line)
{
	if (!*line || strcmp(line, "status") == 0)
		return &telling_status;
	return strcmp(line, "metrics") == 0 ? &telling_metrics : NULL;
}

static const char no_question[] = "error: expected 'status' or 'metrics'\n";
static const char an_order[] = "error: this is the status socket, expected the control socket (key "
			       "`control:`) for release, "
			       "take, reset, reload and trace\n";

/* @return what is said to a line that is no question; orders have a socket of their own */
static const char *refusal(const char *line)
{
	static const char *const orders[] = {"release", "take", "reset", "reload", "trace"};
	size_t len = strcspn(line, " ");

	for (size_t i = 0; i < PB_ARRAY_SIZE(orders); i++)
		if (strlen(orders[i]) == len && strncmp(line, orders[i], len) == 0)
			return an_order;
	return no_question;
}

void pb_bridge_tell(struct pb_bridge *bridge, const char *line, FILE *answer)
{
	const struct telling_kind *kind = kind_of_text(line);
	struct shown all = shown(bridge);

	if (kind)
		telling_all(kind, 0, &all, answer);
	else
		fputs(refusal(line), answer);
}

/* ---- the sockets ---- */

/* An answer that is there already. */
static void answer_at_once(struct pb_asker *asker, unsigned int status, const char *type,
			   const char *text, size_t len)
{
	char *bytes = malloc(len + 1);
	struct pb_answer *answer = NULL;

	if (bytes) {
		memcpy(bytes, text, len);
		answer = pb_answer_new(status, type, bytes, len);
	}
	asker->answer(asker, answer);
	pb_answer_unref(answer);
}

static void order(void *userdata, struct pb_asker *asker, const char *line)
{
	struct pb_bridge *bridge = userdata;
	char *text = NULL;
	size_t len = 0;
	FILE *out;

	if (bridge->reloader && strcmp(line, "reload") == 0) {
		bridge->reloader->reload(bridge->userdata, asker);
		return;
	}
	out = open_memstream(&text, &len);
	if (out) {
		pb_bridge_command(bridge, line, out);
		fclose(out);
	}
	answer_at_once(asker, 200, "", text ? text : "", len);
	free(text);
}

static void forget_order(void *userdata, struct pb_asker *asker)
{
	const struct pb_bridge *bridge = userdata;

	bridge->reloader->forget(bridge->userdata, asker);
}

static void tell(void *userdata, struct pb_asker *asker, const char *line)
{
	struct pb_bridge *bridge = userdata;
	const struct telling_kind *kind = kind_of_text(line);

	if (kind)
		teller_ask(bridge->teller, kind, 0, asker);
	else
		answer_at_once(asker, 200, "", refusal(line), strlen(refusal(line)));
}

static void forget(void *userdata, struct pb_asker *asker)
{
	const struct pb_bridge *bridge = userdata;

	teller_forget(bridge->teller, asker);
}

static const struct {
	struct pb_control_backend backend;
	uint32_t mode;
	const char *users;
} socket_kinds[PB_SOCKETS] = {
	[PB_SOCKET_CONTROL] = {{order, forget_order},
			       0660,
			       "`packbridge release`, `reset` and `reload` have"},
	[PB_SOCKET_STATUS] = {{tell, forget}, 0666, "`packbridge status` has"}, /* no orders */
};

static int make_socket(struct pb_bridge *bridge, const struct pb_config *config,
		       enum pb_socket which, struct pb_control **ret, struct pb_report *report)
{
	const struct pb_socket_config *socket = &config->sockets[which];
	char why[PB_CONFIG_LINK + 256];
	int r = pb_control_new(ret, bridge->hub, socket->path, socket_kinds[which].mode,
			       &socket_kinds[which].backend, bridge, why, sizeof(why));

	if (r >= 0)
		return 0;
	if (socket->fixed) {
		pb_report_at(report, config->file, socket->mark, why);
		return r;
	}
	/* nobody asked for it: the usual place needs a folder that only an installed unit has */
	pb_log(PB_LOG_WARNING,
	       "no %s socket, so %s no answer: %s; make its folder, writable for this user, or "
	       "give "
	       "another place: `%s: PATH` in the configuration, `--socket PATH` to the commands",
	       pb_socket_name(which), socket_kinds[which].users, why, pb_socket_name(which));
	return 0;
}

/* Another path; or the same, when the socket could not be made there. */
static bool socket_moves(const struct pb_bridge *bridge, const struct pb_config *config,
			 enum pb_socket which)
{
	return !bridge->sockets[which] ||
	       strcmp(config->sockets[which].path, bridge->site->config->sockets[which].path) != 0;
}

static bool page_moves(const struct pb_bridge *bridge, const struct pb_config *config)
{
	return !bridge->http ||
	       pb_yaml_changes(pb_config_http_rows(), &bridge->site->config->http, &config->http) &
		       PB_CHANGE_REPLACES;
}

static int bury_sockets(sd_event_source *source, void *userdata)
{
	struct pb_bridge *bridge = userdata;

	(void)source;
	for (int i = 0; i < PB_SOCKETS; i++)
		bridge->old_sockets[i] = pb_control_free(bridge->old_sockets[i]);
	return 0;
}

/* ---- the status page ---- */

unsigned int pb_bridge_page(struct pb_bridge *bridge, const char *path,
			    const char *(*argument)(void *query, const char *name), void *query,
			    FILE *out, const char **ret_type)
{
	struct shown all = shown(bridge);
	struct web_page page;
	unsigned int status = web_find(path, argument, query, &page);

	if (status == 200 && page.text)
		fwrite(page.text, 1, page.len, out);
	else if (status == 200)
		status = telling_all(page.kind, page.unit, &all, out);
	if (status == 200)
		*ret_type = page.text ? page.type : page.kind->type;
	return status;
}

static void get_page(void *userdata, struct pb_asker *asker, const char *path,
		     const char *(*argument)(void *query, const char *name), void *query)
{
	struct pb_bridge *bridge = userdata;
	struct web_page page;
	unsigned int status = web_find(path, argument, query, &page);
	char text[16];

	if (status != 200) {
		snprintf(text, sizeof(text), "%u\n", status);
		answer_at_once(asker, status, "text/plain; charset=utf-8", text, strlen(text));
	} else if (page.text) {
		answer_at_once(asker, status, page.type, page.text, page.len);
	} else {
		teller_ask(bridge->page_teller, page.kind, page.unit, asker);
	}
}

static void forget_page(void *userdata, struct pb_asker *asker)
{
	const struct pb_bridge *bridge = userdata;

	teller_forget(bridge->page_teller, asker);
}

static const struct pb_http_backend http_backend = {.get = get_page, .forget = forget_page};

static struct pb_http_config http_setup(const struct pb_config *config)
{
	return (struct pb_http_config){
		.address = config->http.address,
		.hosts = (const char *const *)config->http.hosts,
		.host_count = config->http.host_count,
		.allow = (const char *const *)config->http.allow,
		.allow_count = config->http.allow_count,
	};
}

static int make_http(struct pb_bridge *bridge, const struct pb_config *config, struct pb_http **ret,
		     struct pb_report *report)
{
	struct pb_http_config setup = http_setup(config);
	char why[512];
	int r;

	if (!setup.address[0])
		return 0;
	r = pb_http_new(ret, bridge->hub, &setup, &http_backend, bridge, why, sizeof(why));
	if (r == -ENOENT) { /* the rest needs no library */
		pb_log(PB_LOG_WARNING, "no status page: %s", why);
		return 0;
	}
	if (r < 0)
		pb_report_at(report, config->file, config->http.mark, why);
	else
		pb_log(PB_LOG_INFO, "status page on http://%s, port %u", setup.address,
		       pb_http_port(*ret));
	return r;
}

/* ---- life ---- */

static struct site_setup site_setup(struct pb_bridge *bridge, const struct pb_config *config,
				    struct pb_maps *maps)
{
	return (struct site_setup){
		.event = bridge->event,
		.bluez = bridge->bluez,
		.config = config,
		.maps = maps,
		.version = bridge->version,
		.start_ms = bridge->start_ms,
		.count = count_clients,
		.userdata = bridge,
	};
}

static struct listeners_setup listeners_setup(const struct pb_bridge *bridge)
{
	return (struct listeners_setup){bridge->event, bridge->hub, &bridge->backend};
}

static int make_all(struct pb_bridge *bridge, const struct pb_config *config, struct pb_maps *maps,
		    struct pb_report *report)
{
	struct listeners_setup listeners = listeners_setup(bridge);
	struct pb_bluez_config bluez;
	struct site_setup site;
	int r = pb_hub_new(&bridge->hub, bridge->event);

	if (r >= 0)
		r = teller_new(&bridge->teller, bridge->event, shown, bridge);
	if (r >= 0)
		r = teller_new(&bridge->page_teller, bridge->event, shown, bridge);
	if (r >= 0)
		r = sd_event_add_defer(bridge->event, &bridge->bury, bury_sockets, bridge);
	if (r >= 0)
		r = sd_event_source_set_enabled(bridge->bury, SD_EVENT_OFF);
	if (r >= 0)
		r = bluez_limits(config, &bridge->limits);
	if (r < 0)
		return r;
	bluez = bluez_config(config, bridge->limits);
	r = pb_bluez_new(&bridge->bluez, bridge->event, &bluez);
	if (r < 0)
		return r;
	listeners.hub = bridge->hub;
	site = site_setup(bridge, config, maps);
	r = site_new(&bridge->site, &site, NULL, report);
	if (r < 0)
		return r;
	site_take(bridge->site, NULL);
	for (int i = 0; r >= 0 && i < PB_SOCKETS; i++)
		r = make_socket(bridge, config, (enum pb_socket)i, &bridge->sockets[i], report);
	if (listeners_prepare(&bridge->listeners, &listeners, bridge->site, NULL, report) < 0)
		return -EADDRINUSE;
	if (r >= 0)
		r = make_http(bridge, config, &bridge->http, report);
	if (r >= 0)
		r = listeners_take(&bridge->listeners, &listeners, bridge->site, NULL, report);
	return r;
}

int pb_bridge_new(struct pb_bridge **ret, sd_event *event, struct pb_config *config,
		  struct pb_maps *maps, const char *version, struct pb_report *report)
{
	PB_CLEANUP(pb_bridge_freep) struct pb_bridge *bridge = NULL;
	int r = pb_bridge_check(config, maps, report);

	if (r < 0)
		return r;
	bridge = calloc(1, sizeof(*bridge));
	if (!bridge)
		return -ENOMEM;
	bridge->event = event;
	bridge->version = version;
	bridge->start_ms = pb_now_ms();
	bridge->identity = (struct pb_identity){
		.vendor = "packbridge",
		.product = "packbridge",
		.revision = version,
		.product_name = "packbridge, battery packs as Modbus units",
	};
	bridge->backend =
		(struct pb_server_backend){.identity = &bridge->identity, .unit = unit_image};
	r = make_all(bridge, config, maps, report);
	if (r < 0)
		return r;
	bridge->config = config;
	bridge->maps = maps;
	*ret = bridge;
	bridge = NULL;
	return 0;
}

/* What a reload makes before anything changes. */
struct next {
	struct pb_adapter_limit *limits;
	struct site *site;
	struct listeners listeners;
	bool moves[PB_SOCKETS],
		page_moves; /* sockets and http count; else the earlier ones go on */
	struct pb_control *sockets[PB_SOCKETS];
	struct pb_http *http;
};

static void next_clear(struct next *next)
{
	listeners_clear(&next->listeners);
	for (int i = 0; i < PB_SOCKETS; i++)
		pb_control_free(next->sockets[i]);
	pb_http_free(next->http);
	site_free(next->site);
	free(next->limits);
}

static int next_make(struct pb_bridge *bridge, const struct pb_config *config, struct pb_maps *maps,
		     struct next *next, struct pb_report *report)
{
	struct listeners_setup listeners = listeners_setup(bridge);
	struct site_setup site = site_setup(bridge, config, maps);
	int r = pb_bridge_check(config, maps, report);

	if (r >= 0)
		r = bluez_limits(config, &next->limits);
	if (r >= 0)
		r = site_new(&next->site, &site, bridge->site, report);
	for (int i = 0; r >= 0 && i < PB_SOCKETS; i++) {
		next->moves[i] = socket_moves(bridge, config, (enum pb_socket)i);
		if (next->moves[i])
			r = make_socket(bridge, config, (enum pb_socket)i, &next->sockets[i],
					report);
	}
	next->page_moves = page_moves(bridge, config);
	if (r >= 0 && next->page_moves)
		r = make_http(bridge, config, &next->http, report);
	if (r >= 0)
		r = listeners_prepare(&next->listeners, &listeners, next->site, &bridge->listeners,
				      report);
	return r;
}

/* From here on there is no way back. */
static void go_over(struct pb_bridge *bridge, struct next *next, struct pb_report *report)
{
	struct listeners_setup listeners = listeners_setup(bridge);
	struct pb_bluez_config bluez = bluez_config(next->site->config, next->limits);

	teller_restart(bridge->teller);
	teller_restart(bridge->page_teller);
	site_take(next->site, bridge->site);
	listeners_take(&next->listeners, &listeners, next->site, &bridge->listeners, report);
	bridge->listeners = next->listeners;
	site_free(bridge->site);
	bridge->site = next->site;
	pb_bluez_configure(bridge->bluez, &bluez);
	free(bridge->limits);
	bridge->limits = next->limits;
	if (next->page_moves) {
		pb_http_free(bridge->http);
		bridge->http = next->http;
	} else if (bridge->http) {
		struct pb_http_config setup = http_setup(next->site->config);

		if (pb_http_configure(bridge->http, &setup) < 0)
			pb_log(PB_LOG_ERR,
			       "status page: out of memory, hosts and allow are as before");
	}
	for (int i = 0; i < PB_SOCKETS; i++) {
		if (!next->moves[i])
			continue;
		pb_control_free(bridge->old_sockets[i]);
		bridge->old_sockets[i] = bridge->sockets[i];
		bridge->sockets[i] = next->sockets[i];
		sd_event_source_set_enabled(bridge->bury, SD_EVENT_ONESHOT);
	}
}

/*
 * Once more, when an address is in use: perhaps by a listener or a page of ours that goes. These
 * make room first, and come back if that was not all.
 */
static int next_make_room(struct pb_bridge *bridge, const struct pb_config *config,
			  struct pb_maps *maps, struct next *next, struct pb_report *report)
{
	const struct pb_config *before = bridge->site->config;
	bool page_goes = bridge->http && page_moves(bridge, config);
	int r = listeners_make_room(&bridge->listeners, config);

	if (r < 0 || (r == 0 && !page_goes))
		return -EADDRINUSE;
	if (page_goes)
		bridge->http = pb_http_free(bridge->http);
	pb_report_clear(report);
	next_clear(next);
	*next = (struct next){0};
	r = next_make(bridge, config, maps, next, report);
	if (r >= 0)
		return r;
	next_clear(next);
	*next = (struct next){0};
	listeners_return(&bridge->listeners, report);
	if (page_goes)
		make_http(bridge, before, &bridge->http, report);
	return r;
}

int pb_bridge_reload(struct pb_bridge *bridge, struct pb_config *config, struct pb_maps *maps,
		     struct pb_report *report)
{
	struct next next = {0};
	int r = next_make(bridge, config, maps, &next, report);

	if (r == -EADDRINUSE)
		r = next_make_room(bridge, config, maps, &next, report);
	if (r < 0) {
		next_clear(&next);
		return r;
	}
	go_over(bridge, &next, report);
	pb_config_free(bridge->config);
	pb_maps_free(bridge->maps);
	bridge->config = config;
	bridge->maps = maps;
	r = site_start(bridge->site);
	if (r < 0) /* it is the configuration that runs by now, whatever becomes of it */
		pb_report_add(report, config->file, 0, 0, "a pack can't be started: %s",
			      strerror(-r));
	return 0;
}

const struct pb_config *pb_bridge_config(const struct pb_bridge *bridge)
{
	return bridge->config;
}

void pb_bridge_on_reload(struct pb_bridge *bridge, const struct pb_reloader *reloader,
			 void *userdata)
{
	bridge->reloader = reloader;
	bridge->userdata = userdata;
}

int pb_bridge_start(struct pb_bridge *bridge)
{
	return site_start(bridge->site);
}

int pb_bridge_run(struct pb_bridge *bridge)
{
	return pb_hub_run(bridge->hub);
}

struct pb_bridge *pb_bridge_free(struct pb_bridge *bridge)
{
	if (!bridge)
		return NULL;
	for (int i = 0; i < PB_SOCKETS; i++) {
		pb_control_free(bridge->sockets[i]);
		pb_control_free(bridge->old_sockets[i]);
	}
	sd_event_source_disable_unref(bridge->bury);
	pb_http_free(bridge->http);
	teller_free(bridge->teller);
	teller_free(bridge->page_teller);
	listeners_clear(&bridge->listeners);
	pb_hub_free(bridge->hub);
	site_free(bridge->site);
	pb_bluez_free(bridge->bluez);
	free(bridge->limits);
	pb_config_free(bridge->config);
	pb_maps_free(bridge->maps);
	free(bridge);
	return NULL;
}

int pb_bridge_release(struct pb_bridge *bridge, const char *pack, uint32_t ms)
{
	struct pb_reader *reader = site_reader(bridge->site, pack);

	if (!reader)
		return -ENOENT;
	reader->type->release(reader, ms);
	return 0;
}

bool pb_bridge_listener_is_new(const struct pb_bridge *bridge, size_t index)
{
	return !bridge->listeners.all[index].kept;
}

uint16_t pb_bridge_port(const struct pb_bridge *bridge, size_t index)
{
	const struct pb_server *server = bridge->listeners.all[index].server;

	return server ? pb_server_port(server) : 0;
}
