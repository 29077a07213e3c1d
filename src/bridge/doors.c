/* SPDX-License-Identifier: MIT */
/*
 * Access to the daemon besides Modbus: the control socket takes commands; the status socket and the
 * page show the state of all batteries. Long texts are written piece by piece (documents.c).
 *
 *   control socket --> order() --> command.c, or the reloader
 *   status socket --> tell() --> documents
 *   page --> get_page() --> web.c --> a text that is there, or the page's own documents
 */
#include "parts.h"
#include "web.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what there is to see ---- */

static struct snapshot doors_snapshot(const void *userdata)
{
	const struct pb_bridge *bridge = userdata;

	return (struct snapshot){bridge->site->config, bridge->site, &bridge->listeners,
				 pb_now_ms()};
}

/* @return NULL: that is no question */
static const struct document_kind *kind_of_text(const char *line)
{
	if (!*line || strcmp(line, "status") == 0)
		return &document_status;
	if (strcmp(line, "events") == 0)
		return &document_events;
	return strcmp(line, "metrics") == 0 ? &document_metrics : NULL;
}

static const char no_question[] = "error: expected 'status', 'events' or 'metrics'\n";
static const char an_order[] = "error: this is the status socket, expected the control socket (key "
			       "`control:`) for release, "
			       "take, reset, switch, reload and trace\n";

/* @return the answer to a line that is not a question; commands have their own socket */
static const char *refusal(const char *line)
{
	static const char *const orders[] = {"release",	      "take",	"reset", "switch",
					     "reset-history", "reload", "trace"};
	size_t len = strcspn(line, " ");

	for (size_t i = 0; i < PB_ARRAY_SIZE(orders); i++)
		if (strlen(orders[i]) == len && strncmp(line, orders[i], len) == 0)
			return an_order;
	return no_question;
}

void pb_bridge_tell(struct pb_bridge *bridge, const char *line, FILE *answer)
{
	const struct document_kind *kind = kind_of_text(line);
	struct snapshot all = doors_snapshot(bridge);

	if (kind)
		document_write(kind, 0, &all, answer);
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
	const struct document_kind *kind = kind_of_text(line);

	if (kind)
		documents_ask(bridge->documents, kind, 0, asker);
	else
		answer_at_once(asker, 200, "", refusal(line), strlen(refusal(line)));
}

static void forget(void *userdata, struct pb_asker *asker)
{
	const struct pb_bridge *bridge = userdata;

	documents_forget(bridge->documents, asker);
}

static const struct {
	struct pb_ask_socket_backend backend;
	uint32_t mode;
	const char *users;
} socket_kinds[PB_SOCKETS] = {
	[PB_SOCKET_CONTROL] = {{order, forget_order},
			       0660,
			       "`packbridge release`, `reset`, `switch` and `reload` do"},
	[PB_SOCKET_STATUS] = {{tell, forget}, 0666, "`packbridge status` does"}, /* no orders */
};

int doors_open_socket(struct pb_bridge *bridge, const struct pb_config *config,
		      enum pb_socket which, struct pb_ask_socket **ret, struct pb_report *report)
{
	const struct pb_socket_config *socket = &config->sockets[which];
	char why[PB_CONFIG_LINK + 256];
	int r = pb_ask_socket_new(ret, bridge->hub, socket->path, socket_kinds[which].mode,
				  &socket_kinds[which].backend, bridge, why, sizeof(why));

	if (r >= 0)
		return 0;
	if (socket->fixed) {
		pb_report_at(report, config->file, socket->mark, why);
		return r;
	}
	/* nobody asked for it: the usual place needs a folder that only an installed unit has */
	pb_log(PB_LOG_WARNING,
	       "no %s socket, so %s not work: %s; create its folder, writable for this user, or "
	       "set another path: `%s: PATH` in the configuration, `--socket PATH` of the commands",
	       pb_socket_name(which), socket_kinds[which].users, why, pb_socket_name(which));
	return 0;
}

/* Another path; or the same, when the socket could not be made there. */
bool doors_socket_moves(const struct pb_bridge *bridge, const struct pb_config *config,
			enum pb_socket which)
{
	return !bridge->sockets[which] ||
	       strcmp(config->sockets[which].path, bridge->site->config->sockets[which].path) != 0;
}

bool doors_page_moves(const struct pb_bridge *bridge, const struct pb_config *config)
{
	return !bridge->http ||
	       pb_yaml_changes(pb_config_http_rows(), &bridge->site->config->http, &config->http) &
		       PB_CHANGE_REPLACES;
}

/* ---- the status page ---- */

unsigned int pb_bridge_page(struct pb_bridge *bridge, const char *path,
			    const char *(*argument)(void *query, const char *name), void *query,
			    FILE *out, const char **ret_type)
{
	struct snapshot all = doors_snapshot(bridge);
	struct web_page page;
	unsigned int status = web_find(path, argument, query, &page);

	if (status == 200 && page.text)
		fwrite(page.text, 1, page.len, out);
	else if (status == 200)
		status = document_write(page.kind, page.unit, &all, out);
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
		documents_ask(bridge->page_documents, page.kind, page.unit, asker);
	}
}

static void forget_page(void *userdata, struct pb_asker *asker)
{
	const struct pb_bridge *bridge = userdata;

	documents_forget(bridge->page_documents, asker);
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

int doors_open_page(struct pb_bridge *bridge, const struct pb_config *config, struct pb_http **ret,
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

void doors_configure_page(struct pb_bridge *bridge, const struct pb_config *config)
{
	struct pb_http_config setup = http_setup(config);

	if (bridge->http && pb_http_configure(bridge->http, &setup) < 0)
		pb_log(PB_LOG_ERR, "status page: out of memory, hosts and allow are as before");
}

/* ---- life ---- */

static int bury_sockets(sd_event_source *source, void *userdata)
{
	struct pb_bridge *bridge = userdata;

	(void)source;
	for (int i = 0; i < PB_SOCKETS; i++)
		bridge->old_sockets[i] = pb_ask_socket_free(bridge->old_sockets[i]);
	return 0;
}

void doors_replace_socket(struct pb_bridge *bridge, enum pb_socket which,
			  struct pb_ask_socket *socket)
{
	pb_ask_socket_free(bridge->old_sockets[which]);
	bridge->old_sockets[which] = bridge->sockets[which];
	bridge->sockets[which] = socket;
	sd_event_source_set_enabled(bridge->bury, SD_EVENT_ONESHOT);
}

void doors_restart(struct pb_bridge *bridge)
{
	documents_restart(bridge->documents);
	documents_restart(bridge->page_documents);
}

void pb_bridge_on_reload(struct pb_bridge *bridge, const struct pb_reloader *reloader,
			 void *userdata)
{
	bridge->reloader = reloader;
	bridge->userdata = userdata;
}

int doors_init(struct pb_bridge *bridge)
{
	int r = documents_new(&bridge->documents, bridge->event, doors_snapshot, bridge);

	if (r >= 0)
		r = documents_new(&bridge->page_documents, bridge->event, doors_snapshot, bridge);
	if (r >= 0)
		r = sd_event_add_defer(bridge->event, &bridge->bury, bury_sockets, bridge);
	return r < 0 ? r : sd_event_source_set_enabled(bridge->bury, SD_EVENT_OFF);
}

void doors_clear(struct pb_bridge *bridge)
{
	for (int i = 0; i < PB_SOCKETS; i++) {
		pb_ask_socket_free(bridge->sockets[i]);
		pb_ask_socket_free(bridge->old_sockets[i]);
	}
	sd_event_source_disable_unref(bridge->bury);
	pb_http_free(bridge->http);
	documents_free(bridge->documents);
	documents_free(bridge->page_documents);
}
