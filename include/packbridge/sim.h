/* SPDX-License-Identifier: MIT */
/*
 * Simulated packs. A physical model (pure, driven by time, deterministic for each seed), simulated
 * boards that answer in their makers' protocols, and the link `sim:` that connects both to a
 * session.
 *
 * The model is a pack in a small solar system: the sun charges by day, loads switch on and off, and
 * the charger limits the voltage of a full battery. docs/simulator.md describes profiles and
 * options.
 */
#pragma once

#include "packbridge/base.h"
#include "packbridge/link.h"
#include "packbridge/model/sample.h"

enum { PB_SIM_CELLS_MAX = 32 }; /**< the most that boards of JBD, Daly (D2) and JK can report */

/** A point of the open-circuit voltage curve of a cell; linear between points. */
struct pb_sim_point {
	int32_t charge_permille; /**< below 0 and above 1000: an abused cell */
	int32_t mv;
};

/** Properties of one cell of a chemistry. Limits are the usual settings of a board. */
struct pb_sim_chemistry {
	const struct pb_sim_point *curve; /**< rising */
	size_t points;			  /**< at least 2; extrapolated linearly beyond the ends */
	int32_t resistance_mv;		  /**< immediate drop at a current of 1 C */
	int32_t polarisation_mv;	  /**< further drop at 1 C, after some minutes */
	int32_t full_mv;		  /**< voltage limit of the charger */
	int32_t over_mv, over_release_mv; /**< cell over-voltage protection and its end */
	int32_t under_mv, under_release_mv; /**< cell under-voltage protection and its end */
	int32_t balance_mv;		    /**< balancing starts here... */
	int32_t balance_delta_mv;	    /**< ...for cells this much above the lowest */
	int32_t charge_min_mc;		    /**< no charging when colder, milli-degree Celsius */
};

enum { PB_SIM_REPLY_MAX = 320 };

/** State that a board keeps for one connection. Zero it at the start. */
struct pb_sim_talk {
	uint8_t asked, counter;
};

/** A simulated board: requests in, replies out. Plain data and pure functions. */
struct pb_sim_board {
	const char *maker; /**< name of the codec that reads it */
	int variant;	   /**< distinguishes boards that share their functions */
	/**
	 * Answers one request.
	 * @reply: room for PB_SIM_REPLY_MAX bytes.
	 * @return length of the reply; 0: no reply.
	 */
	size_t (*answer)(const struct pb_sim_board *board, struct pb_sim_talk *talk,
			 const struct pb_sample *sample, const uint8_t *request, size_t len,
			 uint8_t *reply);
	size_t frame_len; /**< length of each frame if a reply has several; 0: a reply is one frame
			   */
	size_t spoil; /**< distance from the end of a frame to a byte that its checksum covers */
	uint32_t stream_ms; /**< interval of unsolicited frames; 0: it sends none */
	/** Makes an unsolicited frame. @return length; 0: no request has started them yet. */
	size_t (*stream)(const struct pb_sim_board *board, struct pb_sim_talk *talk,
			 const struct pb_sample *sample, uint8_t *bytes);
};

/** A profile: what kind of battery is simulated. */
struct pb_sim_profile {
	const char *name; /**< "lfp-4s" */
	const char *doc;
	const struct pb_sim_chemistry *chemistry;
	int cells;		/**< 1..PB_SIM_CELLS_MAX */
	int temperatures;	/**< 1..PB_TEMPERATURES_MAX */
	int32_t capacity_mah;	/**< without the option ah= */
	int32_t current_max_ma; /**< over-current protection at that capacity */
	const char *device_name;
	const struct pb_sim_board *board;
};

/** @return all profiles, ended by a NULL name. */
const struct pb_sim_profile *pb_sim_profiles(void);

/** The options of `sim:PROFILE,key=value,...`. Percentages are 0..100, of replies. */
struct pb_sim_options {
	const struct pb_sim_profile *profile;
	uint64_t seed;	      /**< seed=; default: from the text of the address */
	int32_t capacity_mah; /**< ah= */
	int32_t soc_permille; /**< soc= in %, at the start; default: by the seed */
	uint32_t speed;	      /**< speed=: simulated seconds per second, 1..3600 */
	uint32_t lost;	      /**< lost=: replies that never come */
	uint32_t bad;	      /**< bad=: replies with a wrong checksum */
	uint32_t stray;	      /**< stray=: replies with stray bytes around them */
	uint32_t chunk; /**< chunk=: replies arrive in pieces of so many bytes, 20 as with BLE; 0:
			   whole */
	uint32_t wake;	/**< wake=: requests lost after connecting */
	uint32_t delay_ms; /**< delay=: from request to reply; 0: next turn of the event loop */
	uint32_t drop;	   /**< drop=: the link ends after so many replies; 0: never */
	uint32_t silent_after_s, silent_for_s; /**< silent=AFTER+FOR: no replies, repeatedly */
	uint32_t frozen_after_s,
		frozen_for_s;		   /**< frozen=AFTER+FOR: unchanged values, repeatedly */
	uint32_t down_after_s, down_for_s; /**< down=AFTER+FOR: out of reach, repeatedly */
};

/** @return 0; -EINVAL with the reason in @why. */
int pb_sim_options_parse(struct pb_sim_options *ret, const char *address, char *why, size_t cap);

/**
 * The physical model. Plain data. Currents are in C (1 C empties the full pack in an hour); charges
 * are fractions of the full capacity.
 */
struct pb_sim {
	struct pb_sim_options options;
	struct pb_random random; /* for the loads: depends on simulated time, not on the steps */
	double time_s;		 /* since the midnight before 1 January */
	double full_mah;	 /* capacity of the aged pack */
	double current_max_c;
	double current_c; /* positive while charging */
	double load_c, load_until_s;
	double overcurrent_until_s;
	double core_c; /* temperature inside, degree Celsius */
	double polarisation_mv;
	double discharged_c_h; /* since the pack was made, in full capacities */
	double cell_charge[PB_SIM_CELLS_MAX];
	double cell_resistance[PB_SIM_CELLS_MAX]; /* factor of the chemistry's resistance */
	double cell_leak[PB_SIM_CELLS_MAX];	  /* self-discharge, charge per second */
	uint64_t balance_mask;
	uint32_t protection_mask;
	int32_t counters[PB_COUNTER_COUNT];
};

void pb_sim_start(struct pb_sim *sim, const struct pb_sim_options *options);
/**
 * Advances the model by @seconds of simulated time. Any step width gives a plausible course; the
 * same steps give the same course. The work of a call is bounded: of more than two days, whole days
 * are skipped.
 */
void pb_sim_run(struct pb_sim *sim, double seconds);
/** Reads the values that a perfect BMS would report now. */
void pb_sim_read(const struct pb_sim *sim, struct pb_sample *ret);

/** JBD: reads of 0x03, 0x04, 0x05 and 0xAA return data, all other requests the status 0x80. */
extern const struct pb_sim_board pb_sim_jbd;
/**
 * Daly: registers that the board does not have read as FFFF, other unknown requests get no reply.
 * pb_sim_daly_a5_wire answers host 40 only.
 */
extern const struct pb_sim_board pb_sim_daly_d2, pb_sim_daly_p81, pb_sim_daly_a5,
	pb_sim_daly_a5_wire;
/** JK: with 24 and 32 slots of old firmwares, and 32 of a new one. */
extern const struct pb_sim_board pb_sim_jk_24s, pb_sim_jk_32s, pb_sim_jk_new;

extern const struct pb_link_type pb_link_sim;
