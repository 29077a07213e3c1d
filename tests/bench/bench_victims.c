/* SPDX-License-Identifier: MIT */
/*
 * What one client's abuse costs the others: a victim reads 125 registers 100 times a second, and a
 * newcomer connects ten times a second and asks once, before, while and after abusers
 *(victims_abuses.c) do their worst; against packbridge and against an echo server with no Modbus in
 *it (victims_echo.c), in turn in one run.
 *
 *	bench_victims PROGRAM [SECONDS_PER_ABUSE [ROUNDS [NAME]]]	3 s, 3 rounds: 15 minutes
 *
 * NAME limits it to the abuses whose names have it in them. Abuses of other things than Modbus
 * sockets (victims_sources.c) are done to a daemon each, without an echo server beside it; it needs
 * PACKBRIDGE_MAPS, and dbus-daemon for one of them.
 *
 * An answer's time counts from when its request was due, so that none is hidden by waiting for the
 * one before. Servers are on processor 1, victim and abusers on 0; with the right to, the victim
 * goes before the abusers (SCHED_FIFO), and the servers before what else runs on 1 (nice), for it
 *is the servers that are measured. Figures are medians of the rounds' slowest answers, the slowest
 *of all in brackets. Pings are those of the watchdog, a second, while the abuse goes on; 10 are
 * due. Loopback only; ends all that it starts.
 */
#include "victims.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ECHO, PACKBRIDGE, SERVERS };
enum { BEFORE, DURING, GRACE, AFTER, PHASES };
enum { ROUNDS_MAX = 31, ABUSES_MAX = 64, NEWCOMERS_MAX = 64, IN_FLIGHT_MAX = 1024 };
enum { REQUESTS = 8, EXCEPTIONS = 10, MALFORMED = 12, EVICTED = 14, REFUSED = 40, TIMEOUTS = 42 };

static const double calm_s = 0.8, grace_s = 0.2, drain_s = 2, ask_s = 0.01, newcomer_s = 0.1;
static const double in_time_s = 0.1;
static const long pss_slack_kb = 128;
static const double pings_least = 3.4; /* a second, of the 10 that are due: the watchdog's 0.3 s */
/* below it, what twice as slow as another is says more about the machine than about the server */
static const double noise_s = 0.001;

struct phase {
	unsigned int asked, answered, in_time;
	double slowest;
};

struct result {
	struct phase victim[PHASES], newcomer;
	unsigned int cut; /* times that the victim lost its connection, or got a wrong answer */
	double load;	  /* of the processor, by the server */
	double pings;	  /* a second */
	struct tally abusers;
};

struct server {
	pid_t pid, bus; /* bus: dbus-daemon; 0: none */
	uint16_t port, exhaustible_port;
	int log;     /* what it says, read now and then lest it waits for us; -1: nobody reads it */
	int manager; /* the service manager's end; -1: none */
};

/* All of them, those of Modbus clients first. */
static const struct abuse *abuse_at(int index)
{
	return index < abuse_count ? &abuses[index] : &source_abuses[index - abuse_count];
}

static int all_abuses(void)
{
	return abuse_count + source_abuse_count;
}

static struct server servers[SERVERS];
static struct result results[SERVERS][ABUSES_MAX][ROUNDS_MAX];
static struct tally *tallies; /* of the abusers that run */
static const char *wanted = "";
static double latest; /* how late the victim itself was, at worst */

void die(const char *what)
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

static struct timespec span(double s)
{
	s = s > 0 ? s : 0;
	return (struct timespec){.tv_sec = (time_t)s,
				 .tv_nsec = (long)((s - (double)(time_t)s) * 1e9)};
}

/* ---- servers ---- */

struct start {
	const char *program, *config;
	int listener; /* of the echo server; -1: it is packbridge */
	int log, descriptors;
	bool verbose;
};

static pid_t start_process(const struct start *start)
{
	pid_t pid = fork();
	rlim_t limit = (rlim_t)start->descriptors;

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	run_on(1);
	setpriority(PRIO_PROCESS, 0, -15); /* may be forbidden, then not */
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_cur = limit, .rlim_max = limit});
	if (start->listener >= 0)
		echo_serve(start->listener);
	dup2(start->log, STDERR_FILENO);
	execl(start->program, start->program, "run", "-c", start->config,
	      start->verbose ? "-v" : (char *)NULL, (char *)NULL);
	die(start->program);
}

static void start_echo(struct server *server)
{
	int listener = echo_listen(&server->port);

	server->exhaustible_port = server->port;
	server->log = server->manager = -1;
	server->pid = start_process(
		&(struct start){.listener = listener, .log = -1, .descriptors = DESCRIPTORS});
	close(listener);
}

static uint16_t port_behind(const char **text, const char *what)
{
	const char *at = strstr(*text, what);

	at = at ? strstr(at, ", port ") : NULL;
	if (!at)
		die("packbridge's port");
	*text = at + 1;
	return (uint16_t)atoi(at + 7);
}

/* Systemd's end of the notification socket, for the next daemon to be started. */
static int be_the_manager(const char *folder)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", folder);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die("notify");
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	setenv("WATCHDOG_USEC", "300000", 1);
	return fd;
}

static unsigned int take_pings(const struct server *server)
{
	unsigned int count = 0;
	char text[256];
	ssize_t len;

	while ((len = recv(server->manager, text, sizeof(text) - 1, 0)) > 0) {
		text[len] = '\0';
		count += strcmp(text, "WATCHDOG=1") == 0;
	}
	return count;
}

/* A bus of its own, at scene.bus. */
static pid_t start_bus(const char *folder)
{
	char path[96];
	pid_t pid;
	FILE *file;

	snprintf(scene.bus, sizeof(scene.bus), "unix:path=%s/bus", folder);
	snprintf(path, sizeof(path), "%s/bus.conf", folder);
	file = fopen(path, "w");
	if (!file)
		die(path);
	fprintf(file,
		"<busconfig><type>system</type><listen>%s</listen><auth>EXTERNAL</auth>"
		"<policy context='default'><allow send_destination='*' eavesdrop='true'/><allow "
		"eavesdrop='true'/><allow own='*'/>"
		"<allow user='*'/></policy></busconfig>",
		scene.bus);
	fclose(file);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", scene.bus, 1);
	pid = fork();
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	run_on(0);
	dup2(open("/dev/null", O_WRONLY | O_CLOEXEC),
	     STDERR_FILENO); /* it can't raise its limits */
	snprintf(path, sizeof(path), "--config-file=%s/bus.conf", folder);
	execlp("dbus-daemon", "dbus-daemon", path, "--nofork", (char *)NULL);
	die("dbus-daemon");
}

/* One listener as it comes, and one where descriptors are what is short. */
static void write_config(const struct stage *stage, const char *path, const char *folder)
{
	FILE *file = fopen(path, "w");

	if (!file)
		die(path);
	snprintf(scene.status, sizeof(scene.status), "%s/status", folder);
	snprintf(scene.control, sizeof(scene.control), "%s/control", folder);
	fprintf(file,
		"control: %s\nstatus: %s\nhttp: 127.0.0.1:0\nlisten:\n  - {tcp: '127.0.0.1:0'}\n"
		"  - {tcp: 'localhost:0', max_clients: 4096}\npacks:\n"
		"  - {name: a, link: 'sim:lfp-16s', unit: 1}\n",
		scene.control, scene.status);
	for (int i = 0; i < stage->floods; i++) {
		uint16_t port;

		scene.floods[i] = echo_listen(&port);
		fprintf(file,
			"  - {name: f%d, link: 'tcp:127.0.0.1:%u', protocol: jbd, unit: %d, "
			"settle_ms: 0}\n",
			i, port, 241 + i);
	}
	for (int i = 2; i <= stage->packs; i++)
		fprintf(file,
			"  - {name: p%d, link: 'sim:lfp-16s,seed=%d', unit: %d, poll_ms: %d}\n", i,
			i, i, stage->blocked_log ? 500 : 5000);
	if (stage->bus)
		fputs("  - {name: b, link: 'ble:A5:C2:37:00:00:01', unit: 240}\n", file);
	fclose(file);
}

static void start_packbridge(struct server *server, const char *program, const struct stage *stage)
{
	static char text[65536];
	char folder[] = "/tmp/bench-victims-XXXXXX", path[64];
	const char *at = text;
	int ends[2];
	size_t len = 0;

	if (!mkdtemp(folder) || pipe2(ends, O_CLOEXEC) < 0)
		die("files");
	snprintf(path, sizeof(path), "%s/yaml", folder);
	server->bus = stage->bus ? start_bus(folder) : 0;
	write_config(stage, path, folder);
	server->manager = be_the_manager(folder);
	server->pid = start_process(&(struct start){
		.program = program,
		.config = path,
		.listener = -1,
		.log = ends[1],
		.descriptors = stage->descriptors ? stage->descriptors : DESCRIPTORS,
		.verbose = stage->blocked_log});
	close(ends[1]);
	while (len + 1 < sizeof(text) && !strstr(text, "pack a: first reading")) {
		ssize_t n = read(ends[0], text + len, sizeof(text) - 1 - len);

		if (n <= 0)
			die("packbridge did not start");
		len += (size_t)n;
		text[len] = '\0';
	}
	scene.page = port_behind(&at, "status page on");
	at = text;
	server->port = port_behind(&at, "Modbus TCP on");
	server->exhaustible_port = port_behind(&at, "Modbus TCP on");
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	if (stage->blocked_log)
		fcntl(ends[0], F_SETPIPE_SZ, 4096);
	server->log = ends[0];
	memset(text, 0, len);
}

static void end_process(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void end_stage(struct server *server, const struct stage *stage)
{
	end_process(server->pid);
	end_process(server->bus);
	close(server->log);
	close(server->manager);
	for (int i = 0; i < stage->floods; i++)
		close(scene.floods[i]);
}

static void drain_log(const struct server *server)
{
	char text[4096];

	while (server->log >= 0 && read(server->log, text, sizeof(text)) > 0)
		;
	if (waitpid(server->pid, NULL, WNOHANG) != 0) {
		fprintf(stderr, "a server has ended\n");
		exit(1);
	}
}

/* ---- what it costs the daemon ---- */

struct cost {
	long pss_kb;
	int descriptors;
	uint8_t counters[2 * 125]; /* the gateway's registers */
};

static long pss_kb(pid_t pid)
{
	char path[64], line[256];
	long kb = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "Pss:", 4) == 0)
			kb = atol(line + 4);
	if (f)
		fclose(f);
	return kb;
}

static int descriptors(pid_t pid)
{
	char path[64];
	int count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count - 2;
}

static int connect_to(uint16_t port, int flags)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				      .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0);

	if (fd < 0)
		die("socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 && errno != EINPROGRESS)
		die("connect");
	return fd;
}

static void read_cost(struct cost *ret)
{
	const struct server *server = &servers[PACKBRIDGE];
	int fd = connect_to(server->port, 0);
	uint8_t request[REQUEST], reply[REPLY];

	make_request(request, 0);
	request[6] = 255;
	if (send(fd, request, REQUEST, MSG_NOSIGNAL) != REQUEST ||
	    recv(fd, reply, REPLY, MSG_WAITALL) != REPLY)
		die("the gateway's registers");
	memcpy(ret->counters, reply + 9, sizeof(ret->counters));
	ret->descriptors = descriptors(server->pid);
	ret->pss_kb = pss_kb(server->pid);
	close(fd);
}

static unsigned long counter(const struct cost *cost, int at)
{
	const uint8_t *b = cost->counters + (size_t)at * 2;

	return (unsigned long)b[0] << 24 | (unsigned long)b[1] << 16 | (unsigned long)b[2] << 8 |
	       b[3];
}

/* ---- abusers ---- */

static double seconds_used(pid_t pid)
{
	struct timespec t = {0};
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) == 0)
		clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Ready now, so that nobody is held up by a fork then. */
static pid_t start_abuser(const struct abuse *abuse, uint16_t port, struct tally *tally,
			  double begin)
{
	pid_t pid = fork();
	struct timespec rest;

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	rest = span(begin - now());
	nanosleep(&rest, NULL);
	abuse->run(abuse, port, tally);
	_exit(0);
}

static void start_abusers(const struct abuse *abuse, uint16_t port, double begin, pid_t *ret_pids)
{
	memset(tallies, 0, sizeof(*tallies) * PROCESSES_MAX);
	for (int i = 0; i < abuse->processes; i++)
		ret_pids[i] = start_abuser(abuse, port, &tallies[i], begin);
}

static void end_abusers(const struct abuse *abuse, const pid_t *pids, struct tally *ret)
{
	for (int i = 0; i < abuse->processes; i++)
		kill(pids[i], SIGKILL);
	for (int i = 0; i < abuse->processes; i++) {
		waitpid(pids[i], NULL, 0);
		ret->done += tallies[i].done;
		ret->wrong += tallies[i].wrong;
	}
}

/* ---- the victim, and the newcomers ---- */

struct talk {
	int fd; /* -1: none */
	bool asked;
	double due; /* a newcomer's */
	uint16_t next_sent, next_seen;
	size_t got;
	uint8_t in[REPLY];
};

struct watch {
	struct result *result;
	double begin, end;   /* of the abuse */
	double asks, knocks; /* when the next is due */
	uint16_t port;
	struct talk victim, newcomers[NEWCOMERS_MAX];
	double due[IN_FLIGHT_MAX]; /* of the victim's requests */
};

static struct phase *phase_of(struct watch *watch, double due)
{
	int phase = due < watch->begin		 ? BEFORE
		    : due < watch->end		 ? DURING
		    : due < watch->end + grace_s ? GRACE
						 : AFTER;

	return &watch->result->victim[phase];
}

static void count(struct phase *phase, double took)
{
	phase->answered++;
	phase->in_time += took <= in_time_s;
	phase->slowest = took > phase->slowest ? took : phase->slowest;
}

static void hang_up(struct talk *talk)
{
	close(talk->fd);
	*talk = (struct talk){.fd = -1};
}

/* @return 1: a whole, right reply; 0: not yet; -1: a wrong one, or none any more */
static int hear(struct talk *talk)
{
	ssize_t len = recv(talk->fd, talk->in + talk->got, REPLY - talk->got, 0);

	if (len < 0 && errno == EAGAIN)
		return 0;
	if (len <= 0)
		return -1;
	talk->got += (size_t)len;
	if (talk->got < REPLY)
		return 0;
	talk->got = 0;
	if ((talk->in[0] << 8 | talk->in[1]) != talk->next_seen || talk->in[4] != 0 ||
	    talk->in[5] != REPLY - 6 || talk->in[7] != 3)
		return -1;
	talk->next_seen++;
	return 1;
}

static void ask(struct talk *talk)
{
	uint8_t request[REQUEST];

	make_request(request, talk->next_sent++);
	/* when it fails, no answer will tell */
	send(talk->fd, request, REQUEST, MSG_NOSIGNAL);
	talk->asked = true;
}

static void victim_asks(struct watch *watch)
{
	struct talk *victim = &watch->victim;

	if (victim->fd < 0)
		victim->fd = connect_to(watch->port, SOCK_NONBLOCK);
	phase_of(watch, watch->asks)->asked++;
	watch->due[victim->next_sent % IN_FLIGHT_MAX] = watch->asks;
	ask(victim);
}

static void victim_hears(struct watch *watch)
{
	struct talk *victim = &watch->victim;
	int r;

	while ((r = hear(victim)) > 0) {
		double due = watch->due[(victim->next_seen - 1) % IN_FLIGHT_MAX];

		count(phase_of(watch, due), now() - due);
	}
	if (r < 0) {
		watch->result->cut++;
		hang_up(victim);
	}
}

static void newcomer_knocks(struct watch *watch)
{
	struct talk *newcomer = watch->newcomers;

	watch->result->newcomer.asked++;
	while (newcomer < watch->newcomers + NEWCOMERS_MAX && newcomer->fd >= 0)
		newcomer++;
	if (newcomer == watch->newcomers + NEWCOMERS_MAX)
		return; /* so many wait already */
	newcomer->fd = connect_to(watch->port, SOCK_NONBLOCK);
	newcomer->due = watch->knocks;
}

static void newcomer_goes_on(struct watch *watch, struct talk *newcomer)
{
	int r = 0;

	if (!newcomer->asked)
		ask(newcomer);
	else
		r = hear(newcomer);
	if (r > 0)
		count(&watch->result->newcomer, now() - newcomer->due);
	if (r != 0)
		hang_up(newcomer);
}

static void do_what_is_due(struct watch *watch)
{
	double t = now();

	if (watch->asks <= t) {
		latest = t - watch->asks > latest ? t - watch->asks : latest;
		victim_asks(watch);
		watch->asks += ask_s;
	}
	if (watch->knocks <= t) {
		newcomer_knocks(watch);
		watch->knocks += newcomer_s;
	}
}

static void wait_for_more(struct watch *watch, double until)
{
	struct pollfd fds[1 + NEWCOMERS_MAX] = {{.fd = watch->victim.fd, .events = POLLIN}};
	struct timespec rest;

	for (int i = 0; i < NEWCOMERS_MAX; i++)
		fds[1 + i] =
			(struct pollfd){.fd = watch->newcomers[i].fd,
					.events = watch->newcomers[i].asked ? POLLIN : POLLOUT};
	until = watch->asks < until ? watch->asks : until;
	until = watch->knocks < until ? watch->knocks : until;
	rest = span(until - now());
	if (ppoll(fds, 1 + NEWCOMERS_MAX, &rest, NULL) <= 0)
		return;
	if (fds[0].revents)
		victim_hears(watch);
	for (int i = 0; i < NEWCOMERS_MAX; i++)
		if (fds[1 + i].revents)
			newcomer_goes_on(watch, &watch->newcomers[i]);
}

static bool is_waiting(const struct watch *watch)
{
	bool waiting = watch->victim.fd >= 0 && watch->victim.next_seen != watch->victim.next_sent;

	for (int i = 0; i < NEWCOMERS_MAX; i++)
		waiting = waiting || watch->newcomers[i].fd >= 0;
	return waiting;
}

static void measure(const struct abuse *abuse, const struct server *server, double seconds,
		    struct result *ret)
{
	static struct watch watch;
	double start = now() + 0.02, last, used = 0;
	pid_t pids[PROCESSES_MAX];
	bool begun = false, over = false;

	memset(&watch, 0, sizeof(watch));
	watch.result = ret;
	watch.begin = start + calm_s;
	watch.end = watch.begin + seconds;
	watch.asks = watch.knocks = start;
	watch.port = abuse->exhausts ? server->exhaustible_port : server->port;
	watch.victim.fd = -1;
	for (int i = 0; i < NEWCOMERS_MAX; i++)
		watch.newcomers[i].fd = -1;
	start_abusers(abuse, abuse->stage ? server->exhaustible_port : watch.port, watch.begin,
		      pids);
	last = watch.end + grace_s + calm_s;
	while (now() < last) {
		do_what_is_due(&watch);
		wait_for_more(&watch, over ? last : begun ? watch.end : watch.begin);
		/* taken all along: the kernel holds ten */
		ret->pings += over ? 0 : take_pings(server);
		if (!abuse->stage || !abuse->stage->blocked_log)
			drain_log(server);
		if (!begun && now() >= watch.begin) {
			begun = true;
			ret->pings = 0;
			used = seconds_used(server->pid);
		}
		if (!over && now() >= watch.end) {
			over = true;
			ret->load = (seconds_used(server->pid) - used) / seconds;
			ret->pings /= seconds;
			end_abusers(abuse, pids, &ret->abusers);
		}
	}
	watch.asks = watch.knocks = last = now() + drain_s;
	while (is_waiting(&watch) && now() < last)
		wait_for_more(&watch, last);
	if (watch.victim.fd >= 0)
		hang_up(&watch.victim);
	for (int i = 0; i < NEWCOMERS_MAX; i++)
		if (watch.newcomers[i].fd >= 0)
			hang_up(&watch.newcomers[i]);
}

/* ---- the table, and the verdict ---- */

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const double *values, int n)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, values, sizeof(*values) * (size_t)n);
	qsort(sorted, (size_t)n, sizeof(*sorted), by_size);
	return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

/* Of all rounds. */
struct sum {
	struct phase victim[PHASES], newcomer; /* slowest of all */
	double slowest[PHASES];		       /* the median of the rounds' slowest */
	double load, pings;		       /* medians */
	unsigned int cut;
	struct tally abusers;
};

static void add(struct phase *to, const struct phase *from)
{
	to->asked += from->asked;
	to->answered += from->answered;
	to->in_time += from->in_time;
	to->slowest = from->slowest > to->slowest ? from->slowest : to->slowest;
}

static void sum_up(const struct result *rounds, int n, struct sum *ret)
{
	double slowest[ROUNDS_MAX], load[ROUNDS_MAX], pings[ROUNDS_MAX];

	*ret = (struct sum){0};
	for (int i = 0; i < n; i++) {
		add(&ret->newcomer, &rounds[i].newcomer);
		ret->cut += rounds[i].cut;
		ret->abusers.done += rounds[i].abusers.done;
		ret->abusers.wrong += rounds[i].abusers.wrong;
		load[i] = rounds[i].load;
		pings[i] = rounds[i].pings;
	}
	ret->load = median(load, n);
	ret->pings = median(pings, n);
	for (int p = 0; p < PHASES; p++) {
		for (int i = 0; i < n; i++) {
			add(&ret->victim[p], &rounds[i].victim[p]);
			slowest[i] = rounds[i].victim[p].slowest;
		}
		ret->slowest[p] = median(slowest, n);
	}
}

enum { IN_TIME, KEPT, TWICE, NEWCOMERS, AS_BEFORE, MANNERS, PINGS, LEAKS, CRITERIA };

static const char *const criteria[CRITERIA] = {
	[IN_TIME] = "every answer in 100 ms",
	[KEPT] = "connection kept",
	[TWICE] = "within twice the echo's",
	[NEWCOMERS] = "every newcomer served",
	[AS_BEFORE] = "0.2 s later as before",
	[MANNERS] = "abusers answered as they should",
	[PINGS] = "watchdog fed",
	[LEAKS] = "nothing leaks",
};

static bool is_slower(double slowest, double other)
{
	return slowest > 2 * (other > noise_s ? other : noise_s);
}

static void judge(const struct sum *sum, const struct sum *echo, bool *failed)
{
	const struct phase *during = &sum->victim[DURING], *after = &sum->victim[AFTER];

	failed[IN_TIME] = during->in_time < during->asked;
	failed[KEPT] = sum->cut > 0;
	failed[TWICE] = echo->victim[DURING].asked > 0 &&
			is_slower(sum->slowest[DURING], echo->slowest[DURING]);
	failed[NEWCOMERS] = sum->newcomer.answered < sum->newcomer.asked;
	failed[AS_BEFORE] = after->in_time < after->asked ||
			    is_slower(sum->slowest[AFTER], sum->slowest[BEFORE]);
	failed[MANNERS] = sum->abusers.wrong > 0;
	failed[PINGS] = sum->pings < pings_least;
	failed[LEAKS] = false;
}

static void print_row(const struct abuse *abuse, const struct sum *sum, const struct sum *echo)
{
	const struct phase *during = &sum->victim[DURING];

	printf("%-20s %5.1f%% %7.2f (%6.2f) ", abuse->name, 100.0 * during->in_time / during->asked,
	       sum->slowest[DURING] * 1e3, during->slowest * 1e3);
	if (echo->victim[DURING].asked)
		printf("%7.2f (%6.2f) %5.2f", echo->slowest[DURING] * 1e3,
		       echo->victim[DURING].slowest * 1e3,
		       sum->slowest[DURING] / echo->slowest[DURING]);
	else
		printf("%22s", "");
	printf("  %4u/%-4u %7.2f  %5.2f -> %5.2f (%5.2f) %4.0f%% %5.1f %10llu%s\n",
	       sum->newcomer.answered, sum->newcomer.asked, sum->newcomer.slowest * 1e3,
	       sum->slowest[BEFORE] * 1e3, sum->slowest[AFTER] * 1e3,
	       sum->victim[AFTER].slowest * 1e3, sum->load * 100, sum->pings,
	       (unsigned long long)sum->abusers.done,
	       sum->abusers.wrong ? ", some not as expected" : "");
	if (sum->cut > 0)
		printf("%20s the victim lost its connection %u times\n", "", sum->cut);
}

/* @return whether all was well */
static bool report(int rounds, bool leaks)
{
	bool failed[CRITERIA], all[CRITERIA] = {[LEAKS] = leaks}, good = true;

	printf("%-20s %6s %16s %16s %5s  %9s %7s  %22s %5s %5s %10s\n", "ms", "100 ms",
	       "packbridge", "echo", "ratio", "newcomers", "slowest", "before -> after", "load",
	       "pings", "abuses");
	for (int a = 0; a < all_abuses(); a++) {
		struct sum sums[SERVERS];

		if (!strstr(abuse_at(a)->name, wanted))
			continue;
		for (int s = 0; s < SERVERS; s++)
			sum_up(results[s][a], rounds, &sums[s]);
		print_row(abuse_at(a), &sums[PACKBRIDGE], &sums[ECHO]);
		judge(&sums[PACKBRIDGE], &sums[ECHO], failed);
		for (int c = 0; c < CRITERIA; c++)
			all[c] = all[c] || failed[c];
	}
	printf("the victim was up to %.2f ms late itself; ratios count from %.0f ms up\n",
	       latest * 1e3, noise_s * 1e3);
	for (int c = 0; c < CRITERIA; c++) {
		printf("%s%s: %s", c ? ", " : "", criteria[c], all[c] ? "FAIL" : "PASS");
		good = good && !all[c];
	}
	printf("\n");
	return good;
}

static void print_cost(const char *when, const struct cost *cost)
{
	printf("%-16s PSS %ld KiB, %d descriptors; %u clients, %lu requests, %lu exceptions, "
	       "%lu malformed, %lu evicted, %lu refused, %lu timeouts\n",
	       when, cost->pss_kb, cost->descriptors, cost->counters[7 * 2 + 1],
	       counter(cost, REQUESTS), counter(cost, EXCEPTIONS), counter(cost, MALFORMED),
	       counter(cost, EVICTED), counter(cost, REFUSED), counter(cost, TIMEOUTS));
	fflush(stdout);
}

/* ---- */

/* With the clients gone that it has to notice first. */
static void read_cost_at_rest(struct cost *ret)
{
	double patience = now() + drain_s;
	struct timespec pause = span(0.02);

	do {
		nanosleep(&pause, NULL);
		read_cost(ret);
	} while (ret->counters[7 * 2 + 1] > 1 && now() < patience);
}

static void take_the_lead(void)
{
	run_on(0);
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK,
			       &(struct sched_param){.sched_priority = 10}) < 0)
		printf("no right to SCHED_FIFO: the victim waits for the abusers, too\n");
}

static void run_staged(const struct abuse *abuse, const char *program, double seconds,
		       struct result *ret)
{
	struct server server;

	start_packbridge(&server, program, abuse->stage);
	measure(abuse, &server, seconds, ret);
	end_stage(&server, abuse->stage);
}

static void run_round(const char *program, int r, double seconds)
{
	for (int a = 0; a < all_abuses(); a++) {
		const struct abuse *abuse = abuse_at(a);

		if (!strstr(abuse->name, wanted))
			continue;
		if (abuse->stage) {
			run_staged(abuse, program, seconds, &results[PACKBRIDGE][a][r]);
			continue;
		}
		for (int s = 0; s < SERVERS; s++)
			measure(abuse, &servers[s], seconds, &results[s][a][r]);
	}
}

static void run_rounds(const char *program, int rounds, double seconds, struct cost *first,
		       struct cost *last)
{
	for (int r = 0; r < rounds; r++) {
		char when[32];

		run_round(program, r, seconds);
		take_pings(&servers[PACKBRIDGE]);
		snprintf(when, sizeof(when), "after round %d", r + 1);
		read_cost_at_rest(last);
		print_cost(when, last);
		if (r == 0)
			*first = *last;
	}
}

int main(int argc, char **argv)
{
	double seconds = argc > 2 ? atof(argv[2]) : 3;
	int rounds = argc > 3 ? atoi(argv[3]) : 3;
	struct cost before, first, last;
	struct rlimit limit;
	bool good;

	wanted = argc > 4 ? argv[4] : wanted;
	if (argc < 2 || seconds < 0.1 || rounds < 1 || rounds > ROUNDS_MAX ||
	    all_abuses() > ABUSES_MAX)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	start_echo(&servers[ECHO]);
	start_packbridge(&servers[PACKBRIDGE], argv[1], &(struct stage){.packs = 1});
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max; /* the abusers need more than the servers have */
	setrlimit(RLIMIT_NOFILE, &limit);
	tallies = mmap(NULL, sizeof(*tallies) * PROCESSES_MAX, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tallies == MAP_FAILED)
		die("mmap");
	take_the_lead();
	read_cost_at_rest(&before);
	print_cost("before", &before);
	run_rounds(argv[1], rounds, seconds, &first, &last);
	good = report(rounds, last.descriptors != before.descriptors ||
				      last.pss_kb > first.pss_kb + pss_slack_kb);
	for (int s = 0; s < SERVERS; s++) {
		kill(servers[s].pid, SIGTERM);
		waitpid(servers[s].pid, NULL, 0);
	}
	return !good;
}
