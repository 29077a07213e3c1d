/* SPDX-License-Identifier: MIT */
/*
 * Simulated packs: a physical model (pure, driven by time, deterministic by its seed), boards
 * around it that speak the bytes of their makers, and the link `sim:` that joins both to a session.
 *
 * The model is a pack in a small solar system: the sun charges by day, loads come and go, the
 * charger holds the voltage of a full battery. docs/simulator.md describes profiles and options.
 */
#pragma once

#include "packbridge/base.h"
#include "packbridge/link.h"
#include "packbridge/model/sample.h"

enum { PB_SIM_CELLS_MAX = 32 }; /**< what boards of JBD, Daly (D2) and JK can report */

/** A point of the open-circuit voltage of a cell; between points the line is straight. */
struct pb_sim_point {
	int32_t charge_permille; /**< below 0 and above 1000: an abused cell */
	int32_t mv;
};

/** What one cell of a chemistry is like. Limits are those that a board is usually set to. */
struct pb_sim_chemistry {
	const struct pb_sim_point *curve;   /**< rising */
	size_t points;			    /**< at least 2; beyond the ends the last lines go on */
	int32_t resistance_mv;		    /**< drop at a current of 1 C, at once */
	int32_t polarisation_mv;	    /**< further drop at 1 C, after some minutes */
	int32_t full_mv;		    /**< the charger holds this */
	int32_t over_mv, over_release_mv;   /**< cell over-voltage protection and its end */
	int32_t under_mv, under_release_mv; /**< cell under-voltage protection and its end */
	int32_t balance_mv;		    /**< balancing starts here... */
	int32_t balance_delta_mv;	    /**< ...for cells so far above the lowest */
	int32_t charge_min_mc;		    /**< no charging when colder, milli-degree Celsius */
};

enum { PB_SIM_REPLY_MAX = 320 };

/** What a board remembers of a connection; zero it at the start. */
struct pb_sim_talk {
	uint8_t asked, counter;
};

/** A board: what it makes of requests. Plain data and pure functions. */
struct pb_sim_board {
	const char *maker; /**< name of the codec that reads it */
	int variant;	   /**< for boards that share their functions */
	/**
	 * Answers one request.
	 * @reply: room for PB_SIM_REPLY_MAX bytes.
	 * @return length of the reply; 0: no reply.
	 */
	size_t (*answer)(const struct pb_sim_board *board, struct pb_sim_talk *talk,
			 const struct pb_sample *sample, const uint8_t *request, size_t len,
			 uint8_t *reply);
	size_t frame_len;   /**< of a reply of several frames; 0: a reply is one */
	size_t spoil;	    /**< bytes from the end of a frame to one that its checksum is about */
	uint32_t stream_ms; /**< it sends by itself so often; 0: only when asked */
	/** What it sends by itself. @return length; 0: it was not asked to yet. */
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
	int32_t capacity_mah;	/**< unless ah= says otherwise */
	int32_t current_max_ma; /**< over-current protection at that capacity */
	const char *device_name;
	const struct pb_sim_board *board;
};

/** @return all profiles, ended by a NULL name. */
const struct pb_sim_profile *pb_sim_profiles(void);

/** What `sim:PROFILE,key=value,...` says. Percentages are 0..100, of replies. */
struct pb_sim_options {
	const struct pb_sim_profile *profile;
	uint64_t seed;	      /**< seed=; default: from the text of the address */
	int32_t capacity_mah; /**< ah= */
	int32_t soc_permille; /**< soc= in %, at the start; default: by the seed */
	uint32_t speed;	      /**< speed=: simulated seconds a second, 1..3600 */
	uint32_t lost;	      /**< lost=: replies that never come */
	uint32_t bad;	      /**< bad=: replies with a wrong checksum */
	uint32_t stray;	      /**< stray=: replies with stray bytes around them */
	uint32_t chunk;	      /**< chunk=: bytes a piece, 0 whole; 20 is what BLE does */
	uint32_t wake;	      /**< wake=: requests lost after connecting */
	uint32_t delay_ms;    /**< delay=: request to reply; 0: next turn of the loop */
	uint32_t drop;	      /**< drop=: replies after which the link ends; 0: never */
	uint32_t silent_after_s, silent_for_s; /**< silent=AFTER+FOR: no replies, again and again */
	uint32_t frozen_after_s, frozen_for_s; /**< frozen=AFTER+FOR: the same values, again and
						  again */
	uint32_t down_after_s, down_for_s;     /**< down=AFTER+FOR: out of reach, again and again */
};

/** @return 0; -EINVAL with the reason in @why. */
int pb_sim_options_parse(struct pb_sim_options *ret, const char *address, char *why, size_t cap);

/**
 * The physical model. Plain data. Currents are in C (1 C empties the full pack in an hour),
 * charges in parts of the full capacity.
 */
struct pb_sim {
	struct pb_sim_options options;
	struct pb_random random; /* of the loads: drawn by simulated time, not by steps */
	double time_s;		 /* since the midnight before 1 January */
	double full_mah;	 /* what the aged pack holds */
	double current_max_c;
	double current_c; /* positive while charging */
	double load_c, load_until_s;
	double overcurrent_until_s;
	double core_c; /* temperature inside, degree Celsius */
	double polarisation_mv;
	double discharged_c_h; /* since the pack was made, in full capacities */
	double cell_charge[PB_SIM_CELLS_MAX];
	double cell_resistance[PB_SIM_CELLS_MAX]; /* times the chemistry's, cells differ */
	double cell_leak[PB_SIM_CELLS_MAX];	  /* self-discharge, charge a second */
	uint64_t balance_mask;
	uint32_t protection_mask;
	int32_t counters[PB_COUNTER_COUNT];
};

void pb_sim_start(struct pb_sim *sim, const struct pb_sim_options *options);
/**
 * Lets @seconds of simulated time pass; any step width gives a plausible course, the same steps
 * the same course. More than two days at once leave whole days out: the work of a call is bounded.
 */
void pb_sim_run(struct pb_sim *sim, double seconds);
/** What a perfect BMS would report now. */
void pb_sim_read(const struct pb_sim *sim, struct pb_sample *ret);

/** JBD: reads of 0x03, 0x04, 0x05 and 0xAA bring data, all other requests the status 0x80. */
extern const struct pb_sim_board pb_sim_jbd;
/**
 * Daly: registers that the board does not have are answered with ones, other requests not at all.
 * pb_sim_daly_a5_wire hears host 40 only.
 */
extern const struct pb_sim_board pb_sim_daly_d2, pb_sim_daly_p81, pb_sim_daly_a5,
	pb_sim_daly_a5_wire;
/** JK: with 24 and 32 slots of old firmwares, and 32 of a new one. */
extern const struct pb_sim_board pb_sim_jk_24s, pb_sim_jk_32s, pb_sim_jk_new;

extern const struct pb_link_type pb_link_sim;
