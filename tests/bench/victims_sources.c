/* SPDX-License-Identifier: MIT */
/*
 * Abuses of all that the daemon serves beside Modbus: pack links, sockets, page, log, descriptors,
 * D-Bus. Each is done to a daemon of its own.
 */
#include "victims.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 65536, HELD_MAX = 200 };

struct scene scene;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void rest_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* ---- packs ---- */

/* @return the number of the pack that this process is the far end of: each has its own */
static int share_packs(int count)
{
	for (int i = 1; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid > 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		return i;
	}
	return 0;
}

/* The far ends of packs, which send rubbish as fast as they can, or at a rate. */
static void flood_packs(const struct abuse *abuse, uint16_t port, struct tally *tally)
{
	static uint8_t rubbish[CHUNK];
	size_t len = (size_t)(abuse->rate ? abuse->rate / 1000 : CHUNK);
	int listener = scene.floods[share_packs(abuse->stage->floods)];

	(void)port;
	memset(rubbish, 0xDD, sizeof(rubbish));
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		double begin = now();

		for (uint64_t turn = 1; send(fd, rubbish, len, MSG_NOSIGNAL) > 0; turn++) {
			tally->done++;
			/* with a rate, a thousandth of it each millisecond */
			while (abuse->rate && now() - begin < (double)turn / 1000)
				rest_ms(1);
		}
		close(fd);
	}
}

/* ---- sockets and page ---- */

static int connect_path(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0)
		die("socket");
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int connect_to_stage(const char *text)
{
	if (strncmp(text, "GET", 3) == 0)
		return try_connect(scene.page);
	return connect_path(strstr(text, "status") || strstr(text, "metrics") ? scene.status
									      : scene.control);
}

/* Asks in a loop, and takes the answers. */
static void ask_again(const struct abuse *abuse, uint16_t port, struct tally *tally)
{
	char bytes[CHUNK];

	(void)port;
	for (;;) {
		int fd = connect_to_stage(abuse->text);

		if (fd < 0) {
			rest_ms(1);
			continue;
		}
		send(fd, abuse->text, strlen(abuse->text), MSG_NOSIGNAL);
		while (recv(fd, bytes, sizeof(bytes), 0) > 0)
			;
		close(fd);
		tally->done++;
	}
}

/* Asks on as many connections as it gets, and reads nothing; those that are closed come back. */
static void ask_and_hold(const struct abuse *abuse, uint16_t port, struct tally *tally)
{
	int fds[HELD_MAX];

	(void)port;
	for (int i = 0; i < HELD_MAX; i++)
		fds[i] = -1;
	for (;; rest_ms(1))
		for (int i = 0; i < abuse->connections; i++) {
			struct pollfd fd = {.fd = fds[i], .events = POLLRDHUP};

			if (fds[i] >= 0 && poll(&fd, 1, 0) == 0)
				continue;
			if (fds[i] >= 0)
				close(fds[i]);
			fds[i] = connect_to_stage(abuse->text);
			if (fds[i] < 0)
				continue;
			send(fds[i], abuse->text, strlen(abuse->text), MSG_NOSIGNAL);
			tally->done++;
		}
}

/* ---- descriptors ---- */

/* Takes all that there are, and then asks at every other door. */
static void take_descriptors(const struct abuse *abuse, uint16_t port, struct tally *tally)
{
	static const char *const questions[] = {"status\n", "GET /metrics HTTP/1.0\r\n\r\n",
						"take a\n"};
	char bytes[CHUNK];

	for (int i = 0; i < abuse->connections; i++)
		try_connect(port);
	for (int i = 0;; i = (i + 1) % 3) {
		int fd = connect_to_stage(questions[i]);

		if (fd < 0)
			continue;
		send(fd, questions[i], strlen(questions[i]), MSG_NOSIGNAL);
		while (recv(fd, bytes, sizeof(bytes), 0) > 0)
			;
		close(fd);
		tally->done++;
	}
}

/* ---- D-Bus ---- */

static void emit(sd_bus *bus, uint64_t turn)
{
	char path[64];

	snprintf(path, sizeof(path), "/org/bluez/hci0/dev_A5_00_00_00_%02X_%02X",
		 (unsigned int)(turn >> 8 & 0xFF), (unsigned int)(turn & 0xFF));
	sd_bus_emit_signal(bus, "/", "org.freedesktop.DBus.ObjectManager", "InterfacesAdded",
			   "oa{sa{sv}}", path, 1, "org.bluez.Device1", 2, "Address", "s",
			   "A5:00:00:00:00:01", "RSSI", "n", (int16_t)-60);
	sd_bus_emit_signal(bus, path, "org.freedesktop.DBus.Properties", "PropertiesChanged",
			   "sa{sv}as", "org.bluez.Device1", 1, "RSSI", "n",
			   (int16_t) - (int)(40 + turn % 50), 0);
}

/* A bluetoothd that has 65536 devices and tells of them without end. */
static void flood_bus(const struct abuse *abuse, uint16_t port, struct tally *tally)
{
	sd_bus *bus = NULL;

	(void)abuse;
	(void)port;
	if (sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, scene.bus) < 0 ||
	    sd_bus_set_bus_client(bus, true) < 0 || sd_bus_start(bus) < 0 ||
	    sd_bus_add_object_manager(bus, NULL, "/") < 0 ||
	    sd_bus_request_name(bus, "org.bluez", 0) < 0)
		_exit(1);
	for (;; tally->done += 2) {
		emit(bus, tally->done / 2);
		while (sd_bus_process(bus, NULL) > 0)
			;
		sd_bus_flush(bus);
	}
}

static void only_wait(const struct abuse *abuse, uint16_t port, struct tally *tally)
{
	(void)abuse;
	(void)port;
	(void)tally;
	pause();
}

static const struct stage two = {.floods = 2, .packs = 1}, four = {.floods = 4, .packs = 1},
			  crowd = {.packs = 240}, few = {.packs = 1, .descriptors = 64},
			  blocked = {.packs = 32, .blocked_log = true},
			  bluetooth = {.packs = 1, .bus = true};

#define METRICS "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define CLOSED	"GET /metrics HTTP/1.0\r\n\r\n"
/* clang-format off */
const struct abuse source_abuses[] = {
	{"2 packs that flood", flood_packs, 1, .stage = &two},
	{"4 packs that flood", flood_packs, 1, .stage = &four},
	{"2 packs, 20 MB/s", flood_packs, 1, .stage = &two, .rate = 20000000},
	{"2 packs, 2 MB/s", flood_packs, 1, .stage = &two, .rate = 2000000},
	{"2 packs that drip", flood_packs, 1, .stage = &two, .rate = 1000},
	{"240 packs, no abuse", only_wait, 1, .stage = &crowd},
	{"16 ask for status", ask_again, 16, .stage = &crowd, .text = "status\n"},
	{"16 for metrics", ask_again, 16, .stage = &crowd, .text = "metrics\n"},
	{"status, never read", ask_and_hold, 1, .stage = &crowd, .connections = 60, .text = "status\n"},
	{"control, half a line", ask_and_hold, 1, .stage = &crowd, .connections = 60, .text = "rel"},
	{"16 ask to reload", ask_again, 16, .stage = &crowd, .text = "reload\n"},
	{"page: 16 for metrics", ask_again, 16, .stage = &crowd, .text = CLOSED},
	{"page: never read", ask_and_hold, 1, .stage = &crowd, .connections = 60, .text = METRICS},
	{"log that blocks", only_wait, 1, .stage = &blocked},
	{"64 descriptors", take_descriptors, 1, .stage = &few, .connections = 100},
	{"D-Bus signals", flood_bus, 1, .stage = &bluetooth},
};
/* clang-format on */
const int source_abuse_count = sizeof(source_abuses) / sizeof(source_abuses[0]);
