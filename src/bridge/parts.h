/* SPDX-License-Identifier: MIT */
/*
 * The bridge, for its parts: bridge.c makes it, command.c and doors.c answer those who ask the
 * daemon itself, reload.c goes over to another configuration.
 */
#pragma once

#include "documents.h"
#include "listeners.h"
#include "recorder.h"

struct pb_bridge {
	sd_event *event;
	struct pb_config *config; /* owned with the maps; site and listeners borrow them */
	struct pb_maps *maps;
	const char *version;
	uint64_t start_ms;
	struct pb_bluez *bluez;
	struct pb_adapter_limit *limits; /* bluez reads them */
	struct pb_events *events;	 /* of all sites */
	struct site *site;
	struct recorder *recorder; /* NULL: nothing is remembered */
	struct pb_identity identity;
	struct pb_server_backend backend;
	struct pb_hub *hub;
	struct listeners listeners;
	struct pb_ask_socket *sockets[PB_SOCKETS];
	struct pb_ask_socket *old_sockets[PB_SOCKETS]; /* to be closed: the question that causes
						       this may use one of them */
	sd_event_source *bury;
	sd_event_source *stop;	     /* waits until switches are closed, see stop.c */
	uint64_t stop_ms;	     /* the end, at the latest; 0: nobody has asked for it */
	struct pb_http *http;	     /* NULL: no status page */
	struct documents *documents; /* for those at the sockets */
	struct documents
		*page_documents; /* separate, so that slow clients of the page delay no other */
	const struct pb_reloader *reloader; /* NULL: there is nothing to be loaded anew */
	void *userdata;
};

/* ---- bridge.c ---- */

/** Reads the adapter limits from @config. @ret: free() ends it. @return 0, -ENOMEM. */
int bridge_adapter_limits(const struct pb_config *config, struct pb_adapter_limit **ret);
/** @limits: of bridge_adapter_limits(), borrowed by what is returned. */
struct pb_bluez_config bridge_bluez_config(const struct pb_config *config,
					   const struct pb_adapter_limit *limits);
struct site_setup bridge_site_setup(struct pb_bridge *bridge, const struct pb_config *config,
				    struct pb_maps *maps);
struct listeners_setup bridge_listeners_setup(const struct pb_bridge *bridge);

/* ---- doors.c: control and status socket, the page ---- */

/** Makes what they all need, before any of them. @return 0; negative errno. */
int doors_init(struct pb_bridge *bridge);
void doors_clear(struct pb_bridge *bridge);
/**
 * Opens one of the sockets of @config. At its usual place it may fail: then that is logged and
 * @ret stays NULL.
 * @return 0; negative with the error in @report.
 */
int doors_open_socket(struct pb_bridge *bridge, const struct pb_config *config,
		      enum pb_socket which, struct pb_ask_socket **ret, struct pb_report *report);
/** Opens the page, when @config has one and its library is there; else @ret stays NULL. */
int doors_open_page(struct pb_bridge *bridge, const struct pb_config *config, struct pb_http **ret,
		    struct pb_report *report);
/** Whether @config has it elsewhere, or it could not be opened before. */
bool doors_socket_moves(const struct pb_bridge *bridge, const struct pb_config *config,
			enum pb_socket which);
bool doors_page_moves(const struct pb_bridge *bridge, const struct pb_config *config);
/** Takes @socket; the earlier one is closed when the question through it is answered. */
void doors_replace_socket(struct pb_bridge *bridge, enum pb_socket which,
			  struct pb_ask_socket *socket);
/** Applies @config to the page, whose address stays. */
void doors_configure_page(struct pb_bridge *bridge, const struct pb_config *config);
/** The site was replaced: documents in progress start again. */
void doors_restart(struct pb_bridge *bridge);
