/* SPDX-License-Identifier: MIT */
/*
 * The batteries of the configuration, packs and banks: their readings, and what room bank makes of
 * them as they come and go. View.c shows them.
 */
#pragma once

#include "packbridge/bank.h"
#include "packbridge/bridge.h"
#include "packbridge/pack.h"

#include <systemd/sd-event.h>

struct fleet;

/** A pack or a bank, and what is known of it. */
struct source {
	struct fleet *fleet;
	struct pb_battery data; /* age, heartbeat and quality: as some face showed them last */
	uint32_t news;		/* how often the rest has changed */
	int32_t unit;		/* of the configuration */
	const struct pb_alarm_setup *alarms;
	struct pb_alarm_state alarm_state;
	struct pb_repeat repeat; /* of what is said of alarms and limits */
	bool allowed_known;	 /* what the limits allow was known, for what is said of a change */
	bool settled;		 /* all of it has been read, or it is known why not */
	bool mixed;		 /* packs of a bank do not fit together, as said last */
	int32_t lacking;	 /* packs of a bank, as said last */
	uint64_t changed_ms;	 /* of the first reading that was as all since */
	uint64_t alarm_ms;	 /* when time alone changes an alarm; UINT64_MAX: never */
	/* a bank */
	const struct pb_bank_config *bank; /* NULL: a pack */
	bool reading;			   /* as computed last */
	uint64_t old_ms; /* when the first pack that counts turns old; UINT64_MAX: never */
	/* a pack */
	struct pb_reader *reader; /* NULL: a bank */
	const struct pb_limit_setup *limits;
	struct pb_limit_state limit_state;
	/* the rest is as the reader handed it up last */
	const char *state;
	struct pb_note note;
	struct pb_refusals refusals;
};

struct fleet {
	size_t pack_count, bank_count;
	struct source *sources; /* packs in the order of the configuration, then banks */
	sd_event_source *timer; /* of alarms */
	uint64_t timer_ms;	/* when it is due; UINT64_MAX: it is off */
	size_t good;   /* packs with a good reading, as systemd was told; SIZE_MAX: not yet */
	size_t alarms; /* packs with an alarm, likewise */
};

/** @return 0; -ENOMEM. The fleet must stay where it is. */
int fleet_init(struct fleet *fleet, sd_event *event, const struct pb_config *config,
	       const char *version);
/** Frees packs, too. */
void fleet_clear(struct fleet *fleet);

/** What a pack's reader hands up. */
void source_reading(struct source *source, const struct pb_reading *reading, uint64_t now_ms);
/** Goes on from a pack of an earlier configuration: takes its reader, and all that is known. */
void source_take_pack(struct source *source, struct source *before, uint64_t now_ms);
/** The same for a bank, whose packs have been taken. */
void source_take_bank(struct source *source, struct source *before, uint64_t now_ms);
/** @return whether there is no reading that can be shown as live. May compute a bank anew. */
bool source_is_old(struct source *source, uint64_t now_ms);
enum pb_quality source_quality(struct source *source, uint64_t now_ms);
/** Forgets alarms that are over, of the battery of that name, or of all: "". @return -ENOENT. */
int fleet_reset_alarms(struct fleet *fleet, const char *name, uint64_t now_ms);

/** What a message about it is about. */
struct pb_log_about source_about(const struct source *source);

static inline struct source *fleet_bank(const struct fleet *fleet, size_t index)
{
	return &fleet->sources[fleet->pack_count + index];
}
