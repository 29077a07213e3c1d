/* SPDX-License-Identifier: MIT */
/*
 * Simulated packs: a physical model (pure, driven by time, deterministic by its seed), a JBD board
 * around it that answers requests with bytes, and the link `sim:` that joins both to a session.
 */
#pragma once

#include "packbridge/base.h"
#include "packbridge/link.h"
#include "packbridge/model.h"

/** A profile: what kind of battery is simulated. */
struct pb_sim_profile {
	const char *name; /**< "lfp-4s" */
	const char *doc;
	int cells;
	int temperatures;
	int32_t capacity_mah;
	int32_t current_max_ma;
	const struct pb_sim_curve *curve; /**< open-circuit voltage of a cell against charge */
	const char *device_name;
};

/** @return all profiles, ended by a NULL name. */
const struct pb_sim_profile *pb_sim_profiles(void);

/** What `sim:PROFILE,key=value,...` says. Percentages are 0..100, of replies. */
struct pb_sim_options {
	const struct pb_sim_profile *profile;
	uint64_t seed;	      /**< seed= */
	int32_t capacity_mah; /**< ah= */
	int32_t soc_permille; /**< soc= in %, at the start; default by seed */
	uint32_t speed;	      /**< speed=: simulated seconds a second, 1..3600 */
	uint32_t lost;	      /**< lost=: replies that never come */
	uint32_t bad;	      /**< bad=: replies with a wrong checksum */
	uint32_t stray;	      /**< stray=: replies with stray bytes around them */
	uint32_t chunk;	      /**< chunk=: bytes a piece, 0 whole; 20 is what BLE does */
	uint32_t wake;	      /**< wake=: requests lost after connecting */
	uint32_t delay_ms;    /**< delay=: request to reply */
	uint32_t drop;	      /**< drop=: requests after which the link ends */
	uint32_t silent_after_s, silent_for_s; /**< silent=AFTER+FOR: no replies, again and again */
};

/** @return 0; -EINVAL with the reason in @why. */
int pb_sim_options_parse(struct pb_sim_options *ret, const char *address, char *why, size_t cap);

/** The physical model. Plain data. */
struct pb_sim {
	struct pb_sim_options options;
	struct pb_random random;
	double time_s; /**< simulated */
	double charge_mah;
	double current_ma;
	double load_ma, load_until_s;
	double ambient_c, core_c;
	double cell_offset_mv[PB_CELLS_MAX]; /**< cells differ, balancing draws them together */
	uint64_t balance_mask;
	uint32_t protection_mask;
	double cycled_mah;
};

void pb_sim_start(struct pb_sim *sim, const struct pb_sim_options *options);
/** Lets @seconds of simulated time pass; any step width gives a plausible course. */
void pb_sim_run(struct pb_sim *sim, double seconds);
/** What a perfect BMS would report now. */
void pb_sim_read(const struct pb_sim *sim, struct pb_sample *ret);

enum { PB_SIM_REPLY_MAX = 300 };

/**
 * A JBD board: answers one request.
 * @return length of the reply; 0: no reply (not a sound request).
 */
size_t pb_sim_jbd_answer(const struct pb_sample *sample, const uint8_t *request, size_t len,
			 uint8_t *reply);

extern const struct pb_link_type pb_link_sim;
