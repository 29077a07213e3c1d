/* SPDX-License-Identifier: MIT */
/*
 * The wiring: configuration -> packs, units, listeners; and the registry of codecs and links.
 */
#pragma once

#include "packbridge/bms.h"
#include "packbridge/config.h"
#include "packbridge/link.h"
#include "packbridge/model/battery.h"
#include "packbridge/regmap.h"

#include <stdio.h>

/** Codecs by name; the arrays end with NULL. */
extern const struct pb_codec *const pb_codecs[];
extern const struct pb_link_type *const pb_links[];

const struct pb_codec *pb_codec_find(const char *name);

/** Used instead of a codec's name: detect the protocol. */
#define PB_PROTOCOL_AUTO "auto"

/** @return 0: it is a protocol or "auto"; -EINVAL with the reason in @why. */
int pb_protocol_check(const char *protocol, char *why, size_t why_cap);

struct pb_session_config;
/** Sets the codec, or the codecs to try, from a name that pb_protocol_check() accepted. */
void pb_session_protocol(struct pb_session_config *config, const char *protocol);

/** The lines that several packs share, found by their address. */
struct pb_lines;
/**
 * Makes the shared lines of a configuration that passed pb_bridge_check().
 * @before: lines of the configuration before; lines that are in both continue. NULL: none.
 * @return 0; negative errno.
 */
int pb_lines_new(struct pb_lines **ret, const struct pb_config *config, sd_event *event,
		 const struct pb_lines *before);
/** Sets the gaps. A line that another pb_lines has as well keeps its gap until then. */
void pb_lines_apply(const struct pb_lines *lines);
struct pb_lines *pb_lines_free(struct pb_lines *lines);
PB_DEFINE_FREEP(struct pb_lines, pb_lines_free)
/** @return the line of @pack, borrowed; NULL: it does not share its link. */
struct pb_multidrop *pb_lines_of(const struct pb_lines *lines, const struct pb_pack_config *pack);

struct pb_reader;
struct pb_reader_handler;
/**
 * Creates the reader of the pack described by @config, which must have passed pb_bridge_check().
 * @line: its pb_lines_of().
 * @return 0; negative errno.
 */
int pb_bridge_pack(struct pb_reader **ret, const struct pb_pack_config *config, sd_event *event,
		   struct pb_bluez *bluez, struct pb_multidrop *line,
		   const struct pb_reader_handler *handler, void *userdata);
/** @return the protocol's dialect for lines that several packs share; NULL: it has none. */
const struct pb_codec *pb_codec_multidrop(const char *protocol);
/**
 * Splits "TYPE:ADDRESS".
 * @return the kind, with @ret_address behind the ':'; NULL with the reason in @why.
 */
const struct pb_link_type *pb_link_find(const char *link, const char **ret_address, char *why,
					size_t why_cap);

/** The available maps, loaded once, by name. */
struct pb_maps;

/**
 * @dirs: folders with NAME.yaml, ended by NULL; earlier folders take precedence, missing ones are
 * ignored. A map is loaded when it is first requested.
 */
int pb_maps_new(struct pb_maps **ret, const char *const *dirs);
struct pb_maps *pb_maps_free(struct pb_maps *maps);
PB_DEFINE_FREEP(struct pb_maps, pb_maps_free)
/** Writes the list of the folders, "A, B, C". */
void pb_maps_dirs(const struct pb_maps *maps, char *out, size_t cap);
/** Names of all maps in the folders, sorted, ended by NULL; free with pb_maps_names_free(). */
int pb_maps_names(struct pb_maps *maps, char ***ret);
char **pb_maps_names_free(char **names);
/**
 * @return 0; -ENOENT no such map; -EINVAL with the map's errors in @report. They are reported once,
 *         however often the map is requested.
 */
int pb_maps_get(struct pb_maps *maps, const char *name, const struct pb_map **ret,
		struct pb_report *report);

struct pb_bridge;

/** The most descriptors that a configuration can need. */
struct pb_descriptors {
	size_t all, packs, clients, others; /**< all: the sum of the rest */
};

struct pb_descriptors pb_bridge_descriptors(const struct pb_config *config);

/**
 * Checks what needs more than the configuration's own rules: links, codecs, maps, scopes,
 * addresses, and entries that conflict with each other. Members that pb_config_read() left empty
 * are skipped.
 * @return 0, or -EINVAL with every error in @report.
 */
int pb_bridge_check(const struct pb_config *config, struct pb_maps *maps, struct pb_report *report);

/**
 * Builds everything and opens the listeners; packs do not connect yet. On success it takes
 * ownership of @config and @maps, which must have passed pb_bridge_check(). @version: for the
 * gateway's registers, borrowed.
 * @return 0; negative with the errors in @report.
 */
int pb_bridge_new(struct pb_bridge **ret, sd_event *event, struct pb_config *config,
		  struct pb_maps *maps, const char *version, struct pb_report *report);
/**
 * Changes to another configuration, completely or not at all. Packs that have not changed stay
 * connected; clients of listeners whose address has not changed stay on their sockets. On success
 * it takes ownership of @config and @maps, which must have passed pb_bridge_check(), and frees the
 * earlier ones.
 * @return 0; negative with the errors in @report, and nothing has changed.
 */
int pb_bridge_reload(struct pb_bridge *bridge, struct pb_config *config, struct pb_maps *maps,
		     struct pb_report *report);
/** @return the running configuration, valid until the next reload. */
const struct pb_config *pb_bridge_config(const struct pb_bridge *bridge);
struct pb_asker;

/** Reloads the configuration from its file and then calls pb_bridge_reload(). */
struct pb_reloader {
	/** Answers @asker ("ok: ..." or "error: ...") at once or later. */
	void (*reload)(void *userdata, struct pb_asker *asker);
	/** @asker has disconnected before it got an answer. */
	void (*forget)(void *userdata, struct pb_asker *asker);
};

/**
 * Sets the handler of the command `reload` of the control socket. Without one, the command is
 * refused.
 */
void pb_bridge_on_reload(struct pb_bridge *bridge, const struct pb_reloader *reloader,
			 void *userdata);
/**
 * Executes one command line of the control socket ("release house 600", "take house", "reset") and
 * writes "ok: ..." or "error: ..." to @answer.
 */
void pb_bridge_command(struct pb_bridge *bridge, const char *line, FILE *answer);
/**
 * Answers a line as the status socket does. "status" or an empty line: the whole state as one JSON
 * object and a newline (listed in docs/operations.md). "events": what has happened, likewise.
 * "metrics": the same in the text format of Prometheus, version 0.0.4. Writes it in one go, for
 * tests; the socket writes it in pieces.
 */
void pb_bridge_tell(struct pb_bridge *bridge, const char *line, FILE *answer);
/**
 * Writes the document at @path of the status page in one go, for tests. @return the HTTP status:
 * 200; 400 or 404 with nothing written.
 */
unsigned int pb_bridge_page(struct pb_bridge *bridge, const char *path,
			    const char *(*argument)(void *query, const char *name), void *query,
			    FILE *out, const char **ret_type);
/**
 * Reads what an earlier run has counted (key `history:`), and saves it from now on: in a thread, at
 * intervals and at each reload, and when the bridge is freed. Without this call, or a place to save
 * it, counting begins at 0. Call it once, before pb_bridge_start(). Failures are logged.
 * @return 0; -errno: no memory, no descriptor.
 */
int pb_bridge_remember(struct pb_bridge *bridge);
/** Adds an event of the program itself. @text: for a person, cut at PB_EVENT_TEXT_MAX. */
void pb_bridge_event(struct pb_bridge *bridge, enum pb_event_kind kind, enum pb_level level,
		     const char *text);
/** Starts to connect to the packs. */
int pb_bridge_start(struct pb_bridge *bridge);
/**
 * Prepares the end: closes the switches that clients had opened, if the configuration wants that
 * and the packs can be reached. Logs which stay open.
 * @return whether the loop has to run on for that: sd_event_exit() follows by itself, after 5 s at
 *         the latest. False: it can end now.
 */
bool pb_bridge_stop(struct pb_bridge *bridge);
/** Runs the event loop until sd_event_exit(). @return the exit code; negative errno. */
int pb_bridge_run(struct pb_bridge *bridge);
struct pb_bridge *pb_bridge_free(struct pb_bridge *bridge);
PB_DEFINE_FREEP(struct pb_bridge, pb_bridge_free)

enum { PB_RELEASE_MAX_S = 24 * 3600 };

/**
 * Disconnects from a pack for @ms, so that the phone app can connect; 0: connects again now.
 * @return 0; -ENOENT: no such pack.
 */
int pb_bridge_release(struct pb_bridge *bridge, const char *pack, uint32_t ms);

/**
 * @return whether listener @index was opened by this configuration; false: a reload took it over.
 */
bool pb_bridge_listener_is_new(const struct pb_bridge *bridge, size_t index);

/** @return the port on which listener @index really listens; 0 for a serial line. */
uint16_t pb_bridge_port(const struct pb_bridge *bridge, size_t index);
