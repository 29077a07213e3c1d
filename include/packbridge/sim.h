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

/** State that a board keeps for one connection. Zero it at the start, and set @sim. */
struct pb_sim_talk {
	uint8_t asked, counter;
	/** The pack whose switches its commands operate; NULL: the board takes no commands. */
	struct pb_sim *sim;
	bool unlocked; /**< the login that commands need with login= was made */
	bool pin;      /**< likewise the PIN of pin= */
	/* of the last request; the caller clears them */
	bool offence; /**< it must never be sent to a pack, see pb_sim.offences */
	bool hang_up; /**< the connection ends behind the reply */
	size_t piece; /**< the reply comes in pieces of so many bytes; 0: as the link does it */
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
	bool forgets; /**< a power-cycle ends what was commanded */
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

/** The switches (FETs) of a pack, as bits. */
enum { PB_SIM_CHARGE = 1 << 0, PB_SIM_DISCHARGE = 1 << 1 };

/** What a board does with a command to open or close a switch: option command=. */
enum pb_sim_obey {
	PB_SIM_OBEYS,
	PB_SIM_REFUSES, /**< JBD: status 80; the other makers' boards stay silent */
	PB_SIM_REFUSES_81,
	PB_SIM_REFUSES_82,
	PB_SIM_REFUSES_BADLY, /**< status 80 with a wrong checksum */
	PB_SIM_IGNORES,	      /**< acknowledges, and does nothing */
	PB_SIM_REFUSES_E1,    /**< JBD: refuses E1, obeys FB */
	PB_SIM_IGNORES_E1,    /**< JBD: acknowledges E1 and does nothing, obeys FB */
	PB_SIM_MUTE,	      /**< obeys without an acknowledgement */
	PB_SIM_LATE,	      /**< acknowledges, and obeys a second later */
	PB_SIM_HANGS_UP,      /**< obeys; the connection ends behind the acknowledgement */
	PB_SIM_GARBLES,	      /**< obeys; the acknowledgement has a wrong checksum */
	PB_SIM_SPLITS,	      /**< obeys; the acknowledgement comes in pieces of 10 bytes */
	PB_SIM_WRAPS,	      /**< obeys; JK: the acknowledgement stands between AT commands */
};

/** @return whether @word is a value of command=. */
bool pb_sim_obey_parse(const char *word, uint32_t *ret);

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
	uint32_t obey;			   /**< command=: enum pb_sim_obey */
	uint32_t reclose;   /**< reclose=1: closes a switch again above 2 A the other way */
	uint32_t login;	    /**< login=1: commands need the login of the radio module (FF AA 1D) */
	uint32_t stuck;	    /**< stuck=1: Daly A5 shows the discharge switch closed, always */
	uint32_t heat;	    /**< heat=1: the charge switch stays open, without a reason told */
	char pin[8];	    /**< pin=: JBD, six digits; "": none */
	bool has_current;   /**< current= is given */
	int32_t current_ma; /**< current=, in place of sun and loads */
	uint32_t protect_after_s, protect_for_s; /**< protect=AFTER+FOR: over-voltage, repeatedly */
	uint32_t app_after_s,
		app_for_s; /**< app=AFTER+FOR: a phone app stops charging, repeatedly */
	uint32_t off_after_s, off_for_s; /**< off=AFTER+FOR: without power, repeatedly */
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
	uint32_t forced_protection; /**< set of enum pb_protection, as bits; they trip and stay */
	int32_t counters[PB_COUNTER_COUNT];
	uint8_t ordered;   /**< switches that are to be open by command */
	uint8_t open;	   /**< switches that a command holds open: @ordered, a bit later */
	double open_s;	   /**< when they follow */
	uint32_t offences; /**< requests of the kind that must never be sent to a pack */
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

/** A phone app opens (or else closes) @switches, while nobody else is connected. */
void pb_sim_app(struct pb_sim *sim, unsigned int switches, bool open);
/** The board loses its power and starts again. */
void pb_sim_power_cycle(struct pb_sim *sim);

/** JBD: reads of 0x03, 0x04, 0x05 and 0xAA return data, E1, FB and 06 are
 * commands, all other requests get the status 0x80. */
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
