/* SPDX-License-Identifier: MIT */
/*
 * Simulated boards behind serial device servers, which write down every request.
 *
 *	sim_board [--shared] PROFILE...		PROFILE as behind sim:
 *
 * Board N (from 0) listens on a port of its own: "port N PORT". With --shared all of them are on
 *one line, at the addresses 1, 2, ...; then N is the line, 0. What happens is printed, a line each:
 *
 *	up N, down N		a connection
 *	got N HEX		a request, whole; bytes that are none come one by one
 *	offence N HEX		likewise, and it must never be sent to a pack
 *
 * Commands come on stdin; each is answered by "ok ...":
 *
 *	N mute on|off		receives, but does not answer
 *	N hangup		ends the connection
 *	N away on|off		ends connections, refuses new ones
 *	N hangup-at HEX		ends the connection when a request begins so, before the board gets
 *it N app charge|discharge off|on	a phone app switches N power			power-cycled
 *	N protect on|off	a cell is over its voltage, on the board's own judgement
 *	N current MA|model	the current at the terminals
 *	N command WORD		as the option command=
 *	N state			"ok ordered=MASK charge=0|1 discharge=0|1 offences=N"
 */
#include "packbridge/sim.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BOARDS_MAX = 32, IN_MAX = 1024 };

struct board {
	struct pb_sim sim;
	struct pb_sim_talk talk;
	uint64_t moved_ms;
};

/* A serial device server and what is behind it. */
struct front {
	struct board *boards; /* the one, or all of a shared line */
	size_t count;
	int listener, fd; /* fd -1: nobody is connected */
	bool mute, away;
	char hangup_at[64];
	uint64_t stream_ms;
	size_t in_len;
	uint8_t in[IN_MAX];
};

static struct board boards[BOARDS_MAX];
static struct front fronts[BOARDS_MAX];
static size_t front_count;
static bool shared;

static size_t number_of(const struct front *front)
{
	return (size_t)(front - fronts);
}

/* ---- connections ---- */

static void hang_up(struct front *front)
{
	if (front->fd < 0)
		return;
	close(front->fd);
	front->fd = -1;
	front->in_len = 0;
	printf("down %zu\n", number_of(front));
}

static void take_connection(struct front *front)
{
	int fd = accept(front->listener, NULL, NULL), one = 1;

	if (fd < 0)
		return;
	hang_up(front);
	if (front->away) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	front->fd = fd;
	for (size_t i = 0; i < front->count; i++)
		front->boards[i].talk = (struct pb_sim_talk){.sim = &front->boards[i].sim};
	front->stream_ms = pb_now_ms();
	printf("up %zu\n", number_of(front));
}

static void say(struct front *front, const uint8_t *bytes, size_t len, size_t piece)
{
	for (size_t at = 0; at < len && front->fd >= 0;) {
		size_t n = piece && len - at > piece ? piece : len - at;

		if (send(front->fd, bytes + at, n, MSG_NOSIGNAL) != (ssize_t)n)
			hang_up(front);
		at += n;
		if (at < len)
			poll(NULL, 0, 2); /* so that it arrives in pieces */
	}
}

/* ---- boards ---- */

static void measure(struct board *board, struct pb_sample *ret)
{
	uint64_t now = pb_now_ms();

	pb_sim_run(&board->sim, (double)(now - board->moved_ms) / 1000);
	board->moved_ms = now;
	pb_sim_read(&board->sim, ret);
}

/* Length of the request at the head, 1: it is none, 0: more is needed. */
static size_t request_len(const uint8_t *in, size_t len)
{
	size_t need;

	if (len < 4)
		return 0;
	switch (in[0]) {
	case 0xDD: /* JBD */
		need = 7 + (size_t)in[3];
		break;
	case 0xFF: /* its module */
		need = 5 + (size_t)in[3];
		break;
	case 0xA5: /* Daly */
		need = 13;
		break;
	case 0xAA: /* JK */
		need = 20;
		break;
	default:
		need = 8; /* Daly's registers */
	}
	return len < need ? 0 : need;
}

/* On a shared line all simulated boards believe to be number 1. */
static struct board *board_for(struct front *front, uint8_t *request, size_t len,
			       unsigned int *ret_address)
{
	unsigned int address = request[0] == 0xA5 ? request[1] - 0x3FU : request[0] - 0x80U;

	*ret_address = address;
	if (!shared)
		return front->boards;
	if (address < 1 || address > front->count)
		return NULL;
	if (request[0] == 0xA5) {
		request[12] = (uint8_t)(request[12] - request[1] + 0x40);
		request[1] = 0x40;
	} else {
		request[0] = 0x81;
		pb_put_le16(request + len - 2, pb_crc16(request, len - 2));
	}
	return &front->boards[address - 1];
}

static void readdress(uint8_t *reply, size_t len, unsigned int address)
{
	if (!shared || len == 0)
		return;
	if (reply[0] != 0xA5) {
		reply[0] = (uint8_t)(0x50 + address);
		pb_put_le16(reply + len - 2, pb_crc16(reply, len - 2));
		return;
	}
	for (size_t at = 0; at < len; at += 13) {
		reply[at + 1] = (uint8_t)address;
		reply[at + 12] = (uint8_t)(reply[at + 12] + address - 1);
	}
}

static void print_request(const struct front *front, const char *word, const uint8_t *bytes,
			  size_t len)
{
	printf("%s %zu ", word, number_of(front));
	for (size_t i = 0; i < len; i++)
		printf("%02X", bytes[i]);
	putchar('\n');
}

static bool begins_so(const struct front *front, const uint8_t *bytes, size_t len)
{
	uint8_t head[32];
	int n = front->hangup_at[0] ? pb_hex_parse(front->hangup_at, head, sizeof(head)) : 0;

	return n > 0 && (size_t)n <= len && memcmp(head, bytes, (size_t)n) == 0;
}

static void take_request(struct front *front, uint8_t *request, size_t len)
{
	uint8_t reply[PB_SIM_REPLY_MAX];
	const struct pb_sim_board *kind;
	struct pb_sample sample;
	unsigned int address;
	struct board *board;
	size_t n;

	print_request(front, "got", request, len);
	if (begins_so(front, request, len)) {
		front->hangup_at[0] = '\0';
		hang_up(front);
		return;
	}
	board = front->mute ? NULL : board_for(front, request, len, &address);
	if (!board)
		return;
	kind = board->sim.options.profile->board;
	measure(board, &sample);
	n = kind->answer(kind, &board->talk, &sample, request, len, reply);
	if (board->talk.offence)
		print_request(front, "offence", request, len);
	readdress(reply, n, address);
	say(front, reply, n, board->talk.piece);
	if (board->talk.hang_up)
		hang_up(front);
	board->talk.piece = 0;
	board->talk.offence = board->talk.hang_up = false;
}

static void take_bytes(struct front *front)
{
	ssize_t n = recv(front->fd, front->in + front->in_len, IN_MAX - front->in_len, 0);
	uint8_t request[300];
	size_t len;

	if (n <= 0) {
		hang_up(front);
		return;
	}
	front->in_len += (size_t)n;
	while (front->fd >= 0 && (len = request_len(front->in, front->in_len)) > 0) {
		memcpy(request, front->in, len);
		front->in_len -= len;
		memmove(front->in, front->in + len, front->in_len);
		take_request(front, request, len);
	}
}

/* What a board sends by itself. @return ms until the next time; -1: never. */
static int stream(struct front *front)
{
	const struct pb_sim_board *kind = front->boards->sim.options.profile->board;
	uint8_t bytes[PB_SIM_REPLY_MAX];
	struct pb_sample sample;
	uint64_t now = pb_now_ms();

	if (front->fd < 0 || !kind->stream)
		return -1;
	if (now < front->stream_ms)
		return (int)(front->stream_ms - now);
	front->stream_ms = now + kind->stream_ms;
	measure(front->boards, &sample);
	if (!front->mute)
		say(front, bytes, kind->stream(kind, &front->boards->talk, &sample, bytes), 0);
	return (int)kind->stream_ms;
}

/* ---- commands ---- */

static void print_state(struct board *board)
{
	struct pb_sample sample;

	measure(board, &sample);
	printf("ok ordered=%u charge=%d discharge=%d offences=%u\n", board->sim.ordered,
	       sample.charge_fet, sample.discharge_fet, board->sim.offences);
}

static bool command_board(struct board *board, const char *word, char **args)
{
	bool on = args[0] && strcmp(args[args[1] ? 1 : 0], "on") == 0;

	if (strcmp(word, "app") == 0 && args[1])
		pb_sim_app(&board->sim, args[0][0] == 'c' ? PB_SIM_CHARGE : PB_SIM_DISCHARGE, !on);
	else if (strcmp(word, "power") == 0)
		pb_sim_power_cycle(&board->sim);
	else if (strcmp(word, "protect") == 0)
		board->sim.forced_protection = on ? 1 << PB_PROTECT_CELL_OVERVOLTAGE : 0;
	else if (strcmp(word, "current") == 0 && args[0])
		board->sim.options.has_current =
			sscanf(args[0], "%d", &board->sim.options.current_ma) == 1;
	else if (strcmp(word, "command") == 0 && args[0])
		return pb_sim_obey_parse(args[0], &board->sim.options.obey);
	else
		return false;
	return true;
}

static bool command_front(struct front *front, const char *word, char **args)
{
	bool on = args[0] && strcmp(args[0], "on") == 0;

	if (strcmp(word, "mute") == 0)
		front->mute = on;
	else if (strcmp(word, "hangup") == 0)
		hang_up(front);
	else if (strcmp(word, "hangup-at") == 0 && args[0])
		snprintf(front->hangup_at, sizeof(front->hangup_at), "%s", args[0]);
	else if (strcmp(word, "away") == 0)
		front->away = on;
	else
		return false;
	if (front->away)
		hang_up(front);
	return true;
}

static void obey(char *line)
{
	char *words[6] = {NULL};
	size_t count = 0, n;

	for (char *word = strtok(line, " "); word && count < 5; word = strtok(NULL, " "))
		words[count++] = word;
	n = words[0] ? strtoul(words[0], NULL, 10) : BOARDS_MAX;
	if (count < 2 || n >= front_count) {
		puts("error no such board");
		return;
	}
	if (strcmp(words[1], "state") == 0)
		print_state(fronts[n].boards);
	else
		puts(command_front(&fronts[n], words[1], words + 2) ||
				     command_board(fronts[n].boards, words[1], words + 2)
			     ? "ok"
			     : "error no such command");
}

/* @return false: the end of stdin. */
static bool take_commands(void)
{
	static char buf[4096];
	static size_t len;
	ssize_t n = read(STDIN_FILENO, buf + len, sizeof(buf) - 1 - len);
	char *end;

	if (n <= 0)
		return false;
	len += (size_t)n;
	buf[len] = '\0';
	while ((end = strchr(buf, '\n'))) {
		*end++ = '\0';
		obey(buf);
		len = strlen(end);
		memmove(buf, end, len + 1);
	}
	return true;
}

/* ---- start ---- */

static bool open_front(struct front *front)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(at);

	front->fd = -1;
	front->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(front->listener, (struct sockaddr *)&at, size) < 0 ||
	    listen(front->listener, 4) < 0 ||
	    getsockname(front->listener, (struct sockaddr *)&at, &size) < 0)
		return false;
	printf("port %zu %u\n", number_of(front), ntohs(at.sin_port));
	return true;
}

static bool make_board(struct board *board, const char *profile)
{
	struct pb_sim_options options;
	char why[256];

	if (pb_sim_options_parse(&options, profile, why, sizeof(why)) < 0) {
		fprintf(stderr, "sim_board: %s\n", why);
		return false;
	}
	pb_sim_start(&board->sim, &options);
	board->moved_ms = pb_now_ms();
	return true;
}

static bool make_all(int count, char **profiles)
{
	shared = count > 0 && strcmp(profiles[0], "--shared") == 0;
	count -= shared;
	if (count < 1 || count > BOARDS_MAX)
		return false;
	front_count = shared ? 1 : (size_t)count;
	for (int i = 0; i < count; i++)
		if (!make_board(&boards[i], profiles[i + shared]))
			return false;
	for (size_t i = 0; i < front_count; i++) {
		fronts[i].boards = &boards[i];
		fronts[i].count = shared ? (size_t)count : 1;
		if (!open_front(&fronts[i]))
			return false;
	}
	return true;
}

static int wait_ms(void)
{
	int soonest = -1;

	for (size_t i = 0; i < front_count; i++) {
		int ms = stream(&fronts[i]);

		if (ms >= 0 && (soonest < 0 || ms < soonest))
			soonest = ms;
	}
	return soonest;
}

int main(int argc, char **argv)
{
	struct pollfd fds[1 + 2 * BOARDS_MAX] = {{.fd = STDIN_FILENO, .events = POLLIN}};

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!make_all(argc - 1, argv + 1))
		return 2;
	for (;;) {
		int timeout = wait_ms();

		for (size_t i = 0; i < front_count; i++) {
			fds[1 + 2 * i] = (struct pollfd){fronts[i].listener, POLLIN, 0};
			fds[2 + 2 * i] = (struct pollfd){fronts[i].fd, POLLIN, 0};
		}
		if (poll(fds, 1 + 2 * front_count, timeout) < 0)
			return 1;
		for (size_t i = 0; i < front_count; i++) {
			if (fds[2 + 2 * i].revents && fronts[i].fd == fds[2 + 2 * i].fd)
				take_bytes(&fronts[i]);
			if (fds[1 + 2 * i].revents)
				take_connection(&fronts[i]);
		}
		if (fds[0].revents && !take_commands())
			return 0;
	}
}
