/* SPDX-License-Identifier: MIT */
/*
 * What the packbridge in the test VM serves, through libmodbus:
 *
 *	vm_read PORT UNIT state
 *		prints quality, sequence, age, polls, reconnects, failures
 *	vm_read PORT UNIT good SECONDS
 *		waits for a new reading; prints how long it took
 *	vm_read PORT UNIT gap SECONDS
 *		prints the longest time without a new reading; status 1 when it is old in the end
 *	vm_read PORT UNIT bad SECONDS
 *		waits until the reading is old
 *	vm_read PORT UNIT watch SECONDS
 *		looks four times a second; prints new polls, new failures, the greatest age;
 *		status 1 after a failure
 *
 * Status 1: no. A server that does not answer is one, too.
 */
#include <modbus/modbus.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct state {
	unsigned int quality, sequence, age_s, polls, failures, reconnects;
};

static modbus_t *client;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct state look(void)
{
	uint16_t regs[16];

	if (modbus_read_registers(client, 0, 16, regs) != 16) {
		printf("no answer: %s\n", modbus_strerror(errno));
		exit(1);
	}
	return (struct state){
		.quality = regs[1],
		.sequence = regs[2],
		.age_s = regs[3],
		.polls = (unsigned int)regs[8] << 16 | regs[9],
		.failures = (unsigned int)regs[10] << 16 | regs[11],
		.reconnects = (unsigned int)regs[12] << 16 | regs[13],
	};
}

static void rest(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 250000000}, NULL);
}

static int await(double seconds, int good)
{
	double begin = now();
	struct state first = look(), state;

	while (now() < begin + seconds) {
		nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
		state = look();
		if (good ? state.quality == 1 && state.sequence != first.sequence
			 : state.quality != 1) {
			printf("%.1f\n", now() - begin);
			return 0;
		}
	}
	printf("not within %.0f s\n", seconds);
	return 1;
}

static int gap(double seconds)
{
	struct state state = look();
	double end = now() + seconds, last = now(), longest = 0;
	unsigned int sequence = state.sequence;

	while (now() < end) {
		nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
		state = look();
		if (now() - last > longest)
			longest = now() - last;
		if (state.sequence != sequence)
			last = now();
		sequence = state.sequence;
	}
	printf("%.1f\n", longest);
	return state.quality != 1;
}

static int watch(double seconds)
{
	struct state first = look(), state = first;
	double end = now() + seconds;
	unsigned int oldest = 0;

	while (now() < end) {
		rest();
		state = look();
		if (state.age_s > oldest)
			oldest = state.age_s;
	}
	printf("polls %u failures %u oldest %u s\n", state.polls - first.polls,
	       state.failures - first.failures, oldest);
	return state.failures != first.failures;
}

int main(int argc, char **argv)
{
	double seconds = argc > 4 ? atof(argv[4]) : 10;
	struct state state;

	if (argc < 4)
		return 2;
	client = modbus_new_tcp("127.0.0.1", atoi(argv[1]));
	if (!client || modbus_connect(client) < 0) {
		puts("no connection");
		return 1;
	}
	modbus_set_slave(client, atoi(argv[2]));
	if (strcmp(argv[3], "good") == 0)
		return await(seconds, 1);
	if (strcmp(argv[3], "gap") == 0)
		return gap(seconds);
	if (strcmp(argv[3], "bad") == 0)
		return await(seconds, 0);
	if (strcmp(argv[3], "watch") == 0)
		return watch(seconds);
	state = look();
	printf("quality %u sequence %u age %u polls %u reconnects %u failures %u\n", state.quality,
	       state.sequence, state.age_s, state.polls, state.reconnects, state.failures);
	return 0;
}
