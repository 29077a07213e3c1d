/* SPDX-License-Identifier: MIT */
/*
 * How much of a socket's speed packbridge leaves: requests a second of reading 125 registers, the
 * server's processor time for each, and how long an answer takes at 1000 requests a second; against
 * an echo server with no Modbus in it (the ceiling: one recv and one send a batch, replies of the
 * same size) and against a plain libmodbus server with select(). All are asked in turn, many times
 * over, in one run; what is printed is the median of the ratios of neighbours. Then the same for
 * more connections and more packs.
 *
 *	bench_tcp PROGRAM [ROUNDS]	9 rounds, about three minutes
 *
 * Each server is a process on processor 1; the client is on 0, or on the server's for one
 * connection, where the wake-up of the other processor would be all that is seen. Every reply is
 * checked for its transaction and length. Loopback only; ends its servers.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <modbus.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PACED = 1000 };
#define PACE_S 0.001
enum { REQUEST = 12, REPLY = 9 + 2 * 125, CONNECTIONS_MAX = 512, DEPTH_MAX = 8, ROUNDS_MAX = 99 };
enum { ECHO, LIBMODBUS, PACKBRIDGE, SERVERS, MANY = SERVERS, ALL };

static const char *const names[SERVERS] = {"echo", "libmodbus", "packbridge"};
static const int pack_counts[] = {[PACKBRIDGE] = 1, [MANY] = 240};
static const char *program;
static uint16_t ports[ALL];
static pid_t pids[ALL];
static double cpu_each; /* the server's seconds for each request of the last measurement */

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- servers ---- */

static int listen_on(uint16_t *ret_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 64) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		die("listen");
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void echo_client(int fd)
{
	static uint8_t in[520], out[REPLY * (sizeof(in) / REQUEST + 1)];
	ssize_t len = recv(fd, in, sizeof(in), MSG_DONTWAIT);
	size_t count = len > 0 ? (size_t)len / REQUEST : 0;

	if (len == 0 || (len < 0 && errno != EAGAIN)) {
		close(fd);
		return;
	}
	/* the client sends whole requests, so that they come whole */
	for (size_t i = 0; i < count; i++) {
		memcpy(out + i * REPLY, in + i * REQUEST, 8);
		out[i * REPLY + 4] = (REPLY - 6) >> 8;
		out[i * REPLY + 5] = (REPLY - 6) & 0xFF;
	}
	if (count > 0 && send(fd, out, count * REPLY, MSG_NOSIGNAL) < 0)
		close(fd);
}

static void echo_server(int listener)
{
	int set = epoll_create1(0);
	struct epoll_event events[64], event = {.events = EPOLLIN, .data.fd = listener};

	epoll_ctl(set, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		int count = epoll_wait(set, events, 64, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.fd != listener) {
				echo_client(events[i].data.fd);
				continue;
			}
			event.data.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
			setsockopt(event.data.fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
			epoll_ctl(set, EPOLL_CTL_ADD, event.data.fd, &event);
		}
	}
}

static void libmodbus_server(int listener)
{
	modbus_t *ctx = modbus_new_tcp("127.0.0.1", 0);
	modbus_mapping_t *mapping = modbus_mapping_new(0, 0, 240, 0);
	fd_set all, ready;
	int most = listener;

	FD_ZERO(&all);
	FD_SET(listener, &all);
	for (;;) {
		ready = all;
		if (select(most + 1, &ready, NULL, NULL, NULL) < 0)
			continue;
		for (int fd = 0; fd <= most; fd++) {
			uint8_t request[MODBUS_TCP_MAX_ADU_LENGTH];
			int len;

			if (!FD_ISSET(fd, &ready))
				continue;
			if (fd == listener) {
				int client = accept(listener, NULL, NULL);

				setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &(int){1},
					   sizeof(int));
				FD_SET(client, &all);
				most = client > most ? client : most;
				continue;
			}
			modbus_set_socket(ctx, fd);
			len = modbus_receive(ctx, request);
			if (len > 0) {
				modbus_reply(ctx, request, len, mapping);
			} else if (len < 0) {
				close(fd);
				FD_CLR(fd, &all);
			}
		}
	}
}

static pid_t start(int server)
{
	int listener = -1, ends[2];
	char text[65536] = "", path[] = "/tmp/bench-tcp-XXXXXX";
	size_t len = 0;
	pid_t pid;

	if (server < PACKBRIDGE)
		listener = listen_on(&ports[server]);
	else if (pipe(ends) < 0 || close(mkstemp(path)) < 0)
		die("files");
	if (server >= PACKBRIDGE) {
		FILE *f = fopen(path, "w");

		fprintf(f,
			"control: %s.control\nlisten: [{tcp: '127.0.0.1:0', max_clients: 600}]\n"
			"packs:\n",
			path);
		for (int i = 1; i <= pack_counts[server]; i++)
			fprintf(f, "  - {name: p%d, link: 'sim:lfp-16s,seed=%d', unit: %d}\n", i, i,
				i);
		fclose(f);
	}
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run_on(1);
		if (server == ECHO)
			echo_server(listener);
		if (server == LIBMODBUS)
			libmodbus_server(listener);
		dup2(ends[1], STDERR_FILENO);
		execl(program, program, "run", "-c", path, (char *)NULL);
		die(program);
	}
	if (server < PACKBRIDGE) {
		close(listener);
		return pid;
	}
	while (len + 1 < sizeof(text) && !strstr(text, "p1: first reading")) {
		ssize_t n = read(ends[0], text + len, sizeof(text) - 1 - len);

		if (n <= 0)
			die("packbridge did not start");
		len += (size_t)n;
		text[len] = '\0';
	}
	if (!strstr(text, ", port "))
		die("port");
	ports[server] = (uint16_t)atoi(strstr(text, ", port ") + 7);
	unlink(path);
	return pid;
}

/* ---- the client ---- */

struct peer {
	int fd;
	uint16_t next_sent, next_seen;
	size_t got; /* bytes of the reply that comes in */
	uint8_t in[REPLY * DEPTH_MAX];
};

static struct peer peers[CONNECTIONS_MAX];

static void ask(struct peer *peer, unsigned int count)
{
	uint8_t out[REQUEST * DEPTH_MAX];

	for (unsigned int i = 0; i < count; i++, peer->next_sent++)
		memcpy(out + (size_t)i * REQUEST,
		       ((const uint8_t[REQUEST]){(uint8_t)(peer->next_sent >> 8),
						 (uint8_t)peer->next_sent, 0, 0, 0, 6, 1, 3, 0, 0,
						 0, 125}),
		       REQUEST);
	if (send(peer->fd, out, (size_t)count * REQUEST, MSG_NOSIGNAL) !=
	    (ssize_t)(count * REQUEST))
		die("send");
}

/* @return how many whole replies came */
static unsigned int hear(struct peer *peer, unsigned int depth)
{
	ssize_t len = recv(peer->fd, peer->in + peer->got, (size_t)depth * REPLY - peer->got, 0);
	unsigned int count = 0;

	if (len <= 0)
		die("recv");
	peer->got += (size_t)len;
	for (uint8_t *reply = peer->in; peer->got >= REPLY; reply += REPLY, count++) {
		if ((reply[0] << 8 | reply[1]) != peer->next_seen ||
		    reply[5] != (REPLY - 6) % 256 || reply[7] != 3) {
			fprintf(stderr, "a wrong reply\n");
			exit(1);
		}
		peer->next_seen++;
		peer->got -= REPLY;
		if (peer->got < REPLY)
			memmove(peer->in, reply + REPLY, peer->got);
	}
	return count;
}

static double cpu_used(pid_t pid)
{
	struct timespec t = {0};
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) == 0)
		clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void connect_peer(struct peer *peer, int server)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				      .sin_port = htons(ports[server])};

	memset(peer, 0, sizeof(*peer));
	peer->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(peer->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die("connect");
	setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

/* @return requests a second */
static double measure(int server, int connections, unsigned int depth, unsigned int total)
{
	struct epoll_event events[CONNECTIONS_MAX];
	int set = epoll_create1(0);
	unsigned int asked = 0, heard = 0;
	double begin, cpu;

	for (int i = 0; i < connections; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};

		connect_peer(&peers[i], server);
		epoll_ctl(set, EPOLL_CTL_ADD, peers[i].fd, &event);
	}
	cpu = cpu_used(pids[server]);
	begin = now();
	for (int i = 0; i < connections; i++, asked += depth)
		ask(&peers[i], depth);
	while (heard < asked) {
		int count = epoll_wait(set, events, CONNECTIONS_MAX, 5000);

		if (count <= 0)
			die("a reply is missing");
		for (int i = 0; i < count; i++) {
			struct peer *peer = &peers[events[i].data.u32];
			unsigned int replies = hear(peer, depth);

			heard += replies;
			/* the whole batch again, when it is answered */
			if (asked < total && peer->next_seen == peer->next_sent) {
				ask(peer, depth);
				asked += depth;
			}
		}
	}
	begin = now() - begin;
	cpu_each = (cpu_used(pids[server]) - cpu) / heard;
	for (int i = 0; i < connections; i++)
		close(peers[i].fd);
	close(set);
	return heard / begin;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof(*values), by_size);
	return values[count / 2];
}

/* How long answers take that are asked for at fixed times; sorted. */
static void time_answers(int server, double *ret)
{
	struct peer *peer = &peers[0];
	double due;

	connect_peer(peer, server);
	due = now() + 0.01;
	for (int i = 0; i < PACED; i++, due += PACE_S) {
		struct timespec at = {.tv_sec = (time_t)due,
				      .tv_nsec = (long)((due - (double)(time_t)due) * 1e9)};
		double begin;

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
		begin = now();
		ask(peer, 1);
		while (hear(peer, 1) == 0)
			;
		ret[i] = now() - begin;
	}
	close(peer->fd);
	qsort(ret, PACED, sizeof(*ret), by_size);
}

static void compare_rates(int rounds)
{
	static const struct {
		int cpu, connections;
		unsigned int depth, total;
	} cases[] = {{1, 1, 1, 30000}, {0, 32, 1, 60000}, {0, 32, 8, 160000}};

	printf("%-12s %-6s %12s %12s %12s   of the echo's: libmodbus packbridge   CPU: "
	       "packbridge\n",
	       "connections", "depth", names[0], names[1], names[2]);
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		double rates[SERVERS][ROUNDS_MAX], ratios[SERVERS][ROUNDS_MAX];
		double cpus[SERVERS][ROUNDS_MAX], cpu_ratios[ROUNDS_MAX];

		run_on(cases[c].cpu);
		for (int r = 0; r < rounds; r++) {
			for (int s = 0; s < SERVERS; s++) {
				rates[s][r] = measure(s, cases[c].connections, cases[c].depth,
						      cases[c].total);
				cpus[s][r] = cpu_each;
			}
			for (int s = 0; s < SERVERS; s++)
				ratios[s][r] = rates[s][r] / rates[ECHO][r];
			cpu_ratios[r] = cpus[PACKBRIDGE][r] / cpus[ECHO][r];
		}
		printf("%-12d %-6u %10.0f/s %10.0f/s %10.0f/s %25.2f %10.2f %10.2f us %5.2f\n",
		       cases[c].connections, cases[c].depth, median(rates[0], rounds),
		       median(rates[1], rounds), median(rates[2], rounds),
		       median(ratios[LIBMODBUS], rounds), median(ratios[PACKBRIDGE], rounds),
		       median(cpus[PACKBRIDGE], rounds) * 1e6, median(cpu_ratios, rounds));
		fflush(stdout);
	}
}

static void compare_answers(int rounds)
{
	static const int percents[] = {50, 99};
	static double times[PACED];
	double at[2][SERVERS][ROUNDS_MAX], ratios[2][ROUNDS_MAX];

	run_on(0);
	for (int r = 0; r < rounds; r++) {
		for (int s = 0; s < SERVERS; s++) {
			time_answers(s, times);
			for (int p = 0; p < 2; p++)
				at[p][s][r] = times[PACED * percents[p] / 100];
		}
		for (int p = 0; p < 2; p++)
			ratios[p][r] = at[p][PACKBRIDGE][r] / at[p][ECHO][r];
	}
	for (int p = 0; p < 2; p++)
		printf("answer at 1000 requests/s, p%d: echo %.1f us, libmodbus %.1f us, "
		       "packbridge %.1f us, %.2f of the echo's\n",
		       percents[p], median(at[p][ECHO], rounds) * 1e6,
		       median(at[p][LIBMODBUS], rounds) * 1e6,
		       median(at[p][PACKBRIDGE], rounds) * 1e6, median(ratios[p], rounds));
}

static long pss_kib(pid_t pid)
{
	char path[64], line[256];
	long kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "Pss:", 4) == 0)
			kib = atol(line + 4);
	if (f)
		fclose(f);
	return kib;
}

/* Connections that stay while the memory is looked at. */
static long pss_with(int server, int connections)
{
	long kib;

	for (int i = 0; i < connections; i++) {
		connect_peer(&peers[i], server);
		ask(&peers[i], 1);
	}
	for (int i = 0; i < connections; i++)
		while (hear(&peers[i], 1) == 0)
			;
	kib = pss_kib(pids[server]);
	for (int i = 0; i < connections; i++)
		close(peers[i].fd);
	return kib;
}

static void grow(int rounds)
{
	static const int connections[] = {1, 8, 64, 240, 512};

	run_on(0);
	printf("\n%-12s %32s %32s\n%-12s %12s %9s %9s %12s %9s %9s\n", "", "1 pack", "240 packs",
	       "connections", "requests", "CPU each", "PSS", "requests", "CPU each", "PSS");
	for (size_t c = 0; c < sizeof(connections) / sizeof(connections[0]); c++) {
		printf("%-12d", connections[c]);
		for (int s = PACKBRIDGE; s <= MANY; s++) {
			double rates[ROUNDS_MAX], cpus[ROUNDS_MAX];

			for (int r = 0; r < rounds; r++) {
				rates[r] = measure(s, connections[c], 1, 40000);
				cpus[r] = cpu_each;
			}
			printf(" %10.0f/s %6.2f us %5ld KiB", median(rates, rounds),
			       median(cpus, rounds) * 1e6, pss_with(s, connections[c]));
		}
		printf("\n");
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : 9;

	if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAX)
		return 2;
	program = argv[1];
	signal(SIGPIPE, SIG_IGN);
	for (int s = 0; s < ALL; s++)
		pids[s] = start(s);
	compare_rates(rounds);
	compare_answers(rounds);
	grow(rounds);
	for (int s = 0; s < ALL; s++) {
		kill(pids[s], SIGTERM);
		waitpid(pids[s], NULL, 0);
	}
	return 0;
}
