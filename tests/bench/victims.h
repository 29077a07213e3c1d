/* SPDX-License-Identifier: MIT */
/*
 * What bench_victims.c, victims_abuses.c, victims_sources.c and victims_echo.c share.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REQUEST = 12, REPLY = 9 + 2 * 125, DESCRIPTORS = 1024, PROCESSES_MAX = 16, FLOODS_MAX = 4 };

/** What one abuser saw; in memory shared with it. */
struct tally {
	uint64_t done;
	uint64_t wrong; /**< of them not as expected from a Modbus server */
};

/** A daemon for one abuse that is no Modbus client's: then there is no echo server beside it. */
struct stage {
	int floods;	  /**< packs whose far ends are the abuser's, FLOODS_MAX at most */
	int packs;	  /**< simulated ones, 1 at least */
	int descriptors;  /**< its limit; 0: DESCRIPTORS */
	bool blocked_log; /**< it logs every byte to a pipe that nobody reads */
	bool bus;	  /**< it has a Bluetooth pack, on a D-Bus of its own */
};

/** A row of abuses[]; which members count is @run's business. */
struct abuse {
	const char *name;
	/** In a process of its own, for ever: it is killed when the time is over. */
	void (*run)(const struct abuse *abuse, uint16_t port, struct tally *tally);
	int processes;
	bool exhausts; /**< goes to the listener that has no limit but the descriptors */
	int connections, depth;
	int len;	   /**< bytes sent of a request, or of noise */
	bool again;	   /**< connections that the server closes are opened again */
	uint8_t at, width; /**< which bytes of a request are replaced by one of @values */
	uint16_t values[3];
	uint8_t exception;	   /**< what is to be the answer; 0: none, a good reply */
	const struct stage *stage; /**< NULL: done to the daemon of all others */
	const char *text;	   /**< what is asked, of the stage's sockets or page */
	int rate;		   /**< bytes a second; 0: as many as go */
};

/** Where the stage's daemon can be reached, for abusers. */
struct scene {
	char status[64], control[64], bus[64];
	uint16_t page;
	int floods[FLOODS_MAX]; /**< listening sockets */
};

extern const struct abuse abuses[], source_abuses[];
extern const int abuse_count, source_abuse_count;
extern struct scene scene;

/** Listens on 127.0.0.1, any port. */
int echo_listen(uint16_t *ret_port);
/** Answers every 12 bytes with as many as 125 registers take, for ever. */
void echo_serve(int listener);

/** A read of 125 holding registers of unit 1. */
void make_request(uint8_t request[REQUEST], uint16_t id);
/** @return a socket whose calls end after a second; -1: the server did not let us in */
int try_connect(uint16_t port);
_Noreturn void die(const char *what);
