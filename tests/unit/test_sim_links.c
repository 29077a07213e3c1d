/* SPDX-License-Identifier: MIT */
/*
 * Every kind of link against the contract (link_contract.h), and the faults of simulated packs.
 * A new kind of link is one more row in `kinds`.
 */
#include "link_contract.h"

#include "integration/bluetooth.h"
#include "packbridge/bms.h"
#include "packbridge/sim.h"
#include "suite.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

/* ---- tcp: a board behind a device server, on the loop of the test ---- */

enum { FAR_PIECE = 5, FAR_OUT = 1 << 12 };

struct far_client {
	struct far_client *next;
	enum far_end end;
	int fd;
	int keep;	  /* a serial line's other end */
	bool hang;	  /* its end comes when what was written has been read */
	const char *link; /* a serial line: the symbolic link to it; NULL: a socket */
	sd_event_source *io;
	sd_event_source *more; /* the next piece */
	size_t got, requests;  /* bytes received, requests answered */
	size_t out_len, out_done;
	uint8_t out[FAR_OUT];
};

struct far_server {
	struct far_server *all; /* the first of the FAR_COUNT */
	enum far_end end;
	int fd;
	uint16_t port;
	sd_event_source *io;
	struct far_client *clients;
};

static void far_client_end(struct far_client *client)
{
	client->io = sd_event_source_disable_unref(client->io);
	client->more = sd_event_source_disable_unref(client->more);
	if (client->link && client->fd >= 0)
		close(client->keep);
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}

static void far_plug(struct far_client *client, sd_event *event);

static int far_more(sd_event_source *source, void *userdata)
{
	struct far_client *client = userdata;
	size_t len = client->out_len - client->out_done;
	sd_event *event = sd_event_source_get_event(source);

	if (client->hang && len == 0) {
		client->hang = false;
		far_client_end(client);
		far_plug(client, event);
		return 0;
	}
	if (client->end == FAR_PIECES && len > FAR_PIECE)
		len = FAR_PIECE;
	/* a client that has closed is no concern of the far end */
	if ((client->link
		     ? write(client->fd, client->out + client->out_done, len)
		     : send(client->fd, client->out + client->out_done, len, MSG_NOSIGNAL)) < 0)
		return 0;
	/* a terminal hands on what was written when it finds the time: this waits for it */
	if (client->link && len > 0)
		poll(&(struct pollfd){.fd = client->keep, .events = POLLIN}, 1, 1000);
	client->out_done += len;
	if (client->out_done < client->out_len)
		return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	client->out_len = client->out_done = 0;
	return client->hang ? sd_event_source_set_enabled(source, SD_EVENT_ONESHOT) : 0;
}

static int far_request(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct far_client *client = userdata;
	uint8_t bytes[256];
	ssize_t n = read(fd, bytes, sizeof(bytes));

	(void)source;
	(void)revents;
	if (n <= 0 && client->link) /* nobody has the line open at the moment */
		return sd_event_source_set_enabled(client->io, SD_EVENT_OFF);
	if (n <= 0) {
		far_client_end(client);
		return 0;
	}
	client->got += (size_t)n;
	for (; client->got >= sizeof(contract_request); client->got -= sizeof(contract_request)) {
		if (client->end == FAR_HANGS_UP && client->requests++ > 0) {
			far_more(client->more, client);
			client->hang = client->link != NULL;
			if (client->hang) /* a terminal loses what was not read by then */
				return sd_event_source_set_enabled(client->more, SD_EVENT_ONESHOT);
			far_client_end(client);
			return 0;
		}
		ck_assert_uint_le(client->out_len + REPLY, FAR_OUT);
		memcpy(client->out + client->out_len, contract_reply, REPLY);
		client->out_len += REPLY;
	}
	return sd_event_source_set_enabled(client->more, SD_EVENT_ONESHOT);
}

static int far_accept(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct far_server *server = userdata;
	struct far_client *client = calloc(1, sizeof(*client));
	sd_event *event = sd_event_source_get_event(source);

	(void)revents;
	ck_assert_ptr_nonnull(client);
	client->end = server->end;
	client->fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ck_assert_int_ge(client->fd, 0);
	ck_assert_int_eq(setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)),
			 0);
	ck_assert_int_ge(
		sd_event_add_io(event, &client->io, client->fd, EPOLLIN, far_request, client), 0);
	ck_assert_int_ge(sd_event_add_defer(event, &client->more, far_more, client), 0);
	ck_assert_int_ge(sd_event_source_set_enabled(client->more, SD_EVENT_OFF), 0);
	/* a piece goes out when the one before it has been taken in */
	ck_assert_int_ge(sd_event_source_set_priority(client->more, SD_EVENT_PRIORITY_IDLE), 0);
	client->next = server->clients;
	server->clients = client;
	return 0;
}

static void far_listen(struct far_server *server, sd_event *event)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(server->fd, 0);
	ck_assert_int_eq(bind(server->fd, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(getsockname(server->fd, (struct sockaddr *)&address, &len), 0);
	server->port = ntohs(address.sin_port);
	/* a port that is taken but not listened on refuses */
	if (server->end == FAR_REFUSES)
		return;
	ck_assert_int_eq(listen(server->fd, 64), 0);
	ck_assert_int_ge(
		sd_event_add_io(event, &server->io, server->fd, EPOLLIN, far_accept, server), 0);
}

static void *tcp_setup(sd_event *event)
{
	struct far_server *servers = calloc(FAR_COUNT, sizeof(*servers));

	ck_assert_ptr_nonnull(servers);
	for (int i = 0; i < FAR_COUNT; i++) {
		servers[i].end = (enum far_end)i;
		far_listen(&servers[i], event);
	}
	return servers;
}

static void tcp_teardown(void *far)
{
	struct far_server *servers = far;

	for (int i = 0; i < FAR_COUNT; i++) {
		while (servers[i].clients) {
			struct far_client *client = servers[i].clients;

			servers[i].clients = client->next;
			far_client_end(client);
			free(client);
		}
		sd_event_source_disable_unref(servers[i].io);
		close(servers[i].fd);
	}
	free(servers);
}

static void tcp_address(void *far, enum far_end end, char *out, size_t cap)
{
	struct far_server *servers = far;

	snprintf(out, cap, "127.0.0.1:%u", servers[end].port);
}

static const char *const tcp_bad[][2] = {
	{"", "HOST:PORT"},	    {"gateway", "HOST:PORT"},	 {"gateway:", "port ''"},
	{":4001", "no host"},	    {"gateway:0", "1 to 65535"}, {"gateway:65536", "1 to 65535"},
	{"gateway:40x1", "'40x1'"}, {"gateway:-1", "'-1'"},	 {"gate way:4001", "no host name"},
	{"1.2.3.400:1", "IPv4"},    {"1.2.3:1", "IPv4"},	 {"::1:4001", "brackets"},
	{"[::1:4001", "[IPV6]"},    {"[gateway]:4001", "IPv6"},	 {"[]:4001", "no host"},
	{"[1.2.3.4]:4001", "IPv6"}, {"[::1]", "[IPV6]:PORT"},
};

/* ---- serial: pseudo terminals, behind symbolic links that stay when a line is plugged anew ----
 */

enum { LINE_COPIES = 6, FAR_LINES = FAR_COUNT * LINE_COPIES };

struct far_lines {
	char folder[64], links[FAR_LINES][80];
	struct far_client lines[FAR_LINES];
	size_t next;
};

static int far_line_request(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	return far_request(source, fd, revents, userdata);
}

static void far_plug(struct far_client *line, sd_event *event)
{
	struct termios raw;

	line->got = line->requests = line->out_len = line->out_done = 0;
	line->fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	ck_assert_int_ge(line->fd, 0);
	ck_assert_int_eq(grantpt(line->fd), 0);
	ck_assert_int_eq(unlockpt(line->fd), 0);
	ck_assert_int_eq(tcgetattr(line->fd, &raw), 0);
	cfmakeraw(&raw);
	ck_assert_int_eq(tcsetattr(line->fd, TCSANOW, &raw), 0);
	unlink(line->link);
	ck_assert_int_eq(symlink(ptsname(line->fd), line->link), 0);
	/* held open by us as well, so that it outlives a link that closes */
	line->keep = open(line->link, O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(line->keep, 0);
	ck_assert_int_ge(
		sd_event_add_io(event, &line->io, line->fd, EPOLLIN, far_line_request, line), 0);
	ck_assert_int_ge(sd_event_add_defer(event, &line->more, far_more, line), 0);
	ck_assert_int_ge(sd_event_source_set_enabled(line->more, SD_EVENT_OFF), 0);
	ck_assert_int_ge(sd_event_source_set_priority(line->more, SD_EVENT_PRIORITY_IDLE), 0);
}

static void *serial_setup(sd_event *event)
{
	struct far_lines *far = calloc(1, sizeof(*far));

	ck_assert_ptr_nonnull(far);
	snprintf(far->folder, sizeof(far->folder), "/tmp/packbridge-lines-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(far->folder));
	for (size_t i = 0; i < FAR_LINES; i++) {
		struct far_client *line = &far->lines[i];

		snprintf(far->links[i], sizeof(far->links[i]), "%s/%zu", far->folder, i);
		line->link = far->links[i];
		line->end = (enum far_end)(i % FAR_COUNT);
		line->fd = -1;
		if (line->end != FAR_REFUSES)
			far_plug(line, event);
	}
	return far;
}

static void serial_teardown(void *userdata)
{
	struct far_lines *far = userdata;

	for (size_t i = 0; i < FAR_LINES; i++) {
		far_client_end(&far->lines[i]);
		unlink(far->links[i]);
	}
	rmdir(far->folder);
	free(far);
}

/* A line has one user, so each link gets one of its own. */
static void serial_address(void *userdata, enum far_end end, char *out, size_t cap)
{
	struct far_lines *far = userdata;

	snprintf(out, cap, "%s@9600,8N1",
		 far->links[(size_t)end + FAR_COUNT * (far->next++ % LINE_COPIES)]);
}

static const char *const serial_bad[][2] = {
	{"", "expected a path"},
	{"ttyUSB0", "expected a path"},
	{"/dev/ttyUSB0@", "speed ''"},
	{"/dev/ttyUSB0@fast", "speed 'fast'"},
	{"/dev/ttyUSB0@9601", "9601 baud, expected 1200"},
	{"/dev/ttyUSB0@9600,8X1", "frame 8X1"},
	{"/dev/ttyUSB0@9600,8N", "frame '8N'"},
	{"/dev/ttyUSB0@9600,5N1", "frame 5N1"},
	{"/dev/ttyUSB0@9600,8N3", "frame 8N3"},
	{"/dev/ttyUSB0@9600,", "frame ''"},
};

/* ---- sim ---- */

static void sim_address(void *far, enum far_end end, char *out, size_t cap)
{
	static const char *const addresses[FAR_COUNT] = {
		[FAR_ANSWERS] = "lead-12v",
		[FAR_PIECES] = "lead-12v,chunk=5",
		[FAR_REFUSES] = "lead-12v,down=0+3600",
		[FAR_HANGS_UP] = "lead-12v,drop=1",
	};

	(void)far;
	snprintf(out, cap, "%s", addresses[end]);
}

static const char *const sim_bad[][2] = {
	{"", "lfp-16s, "},
	{"lfp4s", "did you mean lfp-4s?"},
	{"tesla", "(there are: lfp-4s, "},
	{"lfp-4s,", "no option ''"},
	{"lfp-4s,speeed=5", "did you mean speed?"},
	{"lfp-4s,xyzxyz=5", "(there are: seed, "},
	{"lfp-4s,speed", "speed=, expected a number of 1 to 3600"},
	{"lfp-4s,speed=0", "1 to 3600"},
	{"lfp-4s,speed=3601", "1 to 3600"},
	{"lfp-4s,soc=101", "0 to 100"},
	{"lfp-4s,soc=-1", "0 to 100"},
	{"lfp-4s,soc=full", "soc=full"},
	{"lfp-4s,soc=12.34", "soc=12.34"},
	{"lfp-4s,ah=0", "1 to 6000"},
	{"lfp-4s,ah=9223372036854775807", "1 to 6000"},
	{"lfp-4s,lost=101", "0 to 100"},
	{"lfp-4s,silent=10", "AFTER+FOR"},
	{"lfp-4s,silent=10+", "silent=10+,"},
	{"lfp-4s,silent=10+0", "AFTER+FOR"},
	{"lfp-4s,down=+5", "AFTER+FOR"},
};

/* ---- ble: the fake bluetoothd on a bus of its own ---- */

struct far_radio {
	struct bluetooth bluetooth;
	struct pb_bluez *bluez;
	unsigned int next;
};

enum { FAR_COPIES = 6 };

static void *ble_setup(sd_event *event)
{
	static const struct pb_bluez_config config = {.max_connections = 5, .acquire = true};
	struct far_radio *radio = calloc(1, sizeof(*radio));

	ck_assert_ptr_nonnull(radio);
	bluetooth_start(&radio->bluetooth);
	bluetooth_say(&radio->bluetooth, "adapter hci0 00:AA:01:00:00:00");
	for (int number = 0; number < FAR_COUNT * FAR_COPIES; number++) {
		int end = number % FAR_COUNT;

		bluetooth_say(&radio->bluetooth,
			      "pack A5:C2:37:00:00:%02d far lead-12v connect_ms=1 resolve_ms=1 "
			      "disconnect_ms=1 reply_ms=0 %s",
			      number,
			      end == FAR_PIECES	    ? "chunk=5"
			      : end == FAR_HANGS_UP ? "hangup=1"
						    : "");
		if (end == FAR_REFUSES)
			bluetooth_say(&radio->bluetooth, "fail A5:C2:37:00:00:%02d 1000", number);
	}
	ck_assert_int_eq(pb_bluez_new(&radio->bluez, event, &config), 0);
	return radio;
}

static void ble_teardown(void *far)
{
	struct far_radio *radio = far;

	pb_bluez_free(radio->bluez);
	bluetooth_stop(&radio->bluetooth);
	free(radio);
}

static struct pb_bluez *ble_bluez(void *far)
{
	return ((struct far_radio *)far)->bluez;
}

static void ble_address(void *far, enum far_end end, char *out, size_t cap)
{
	struct far_radio *radio = far;

	/* a pack has one central, so each link gets a pack of its own */
	snprintf(out, cap, "A5:C2:37:00:00:%02d",
		 (int)end + FAR_COUNT * (int)(radio->next++ % FAR_COPIES));
}

static const char *const ble_bad[][2] = {
	{"", "expected an address"},
	{"A5:C2:37:00:00", "expected an address"},
	{"A5-C2-37-00-00-01", "expected an address"},
	{"A5:C2:37:00:00:0G", "expected an address"},
	{"A5:C2:37:00:00:01@", "hci0"},
	{"A5:C2:37:00:00:01@eth0", "eth0"},
	{"name=", "name of 0"},
	{"nam=x", "name=PATTERN"},
};

/* ---- taps: lines to simulated packs, with one user each ---- */

enum { TAPS_MAX = 64 };

struct far_multidrop {
	sd_event *event;
	size_t count;
	struct pb_multidrop *lines[TAPS_MAX];
};

static void *tap_setup(sd_event *event)
{
	struct far_multidrop *far = calloc(1, sizeof(*far));

	ck_assert_ptr_nonnull(far);
	far->event = event;
	return far;
}

static void tap_teardown(void *userdata)
{
	struct far_multidrop *far = userdata;

	while (far->count > 0)
		pb_multidrop_unref(far->lines[--far->count]);
	free(far);
}

static struct pb_multidrop *tap_line(void *userdata, const char *address)
{
	struct far_multidrop *far = userdata;
	struct pb_link_setup real = {.address = address, .event = far->event};
	char why[256];

	ck_assert_uint_lt(far->count, TAPS_MAX);
	ck_assert_int_eq(
		pb_multidrop_new(&far->lines[far->count], &pb_link_sim, &real, 1, why, sizeof(why)),
		0);
	return far->lines[far->count++];
}

static const struct pb_pipe jbd_module[] = {{"ff00", "ff01", "ff02"}, {0}};
static const struct pb_pipe *const jbd_modules[] = {jbd_module, NULL};

static const struct link_kind kinds[] = {
	{.type = &pb_link_ble,
	 .setup = ble_setup,
	 .teardown = ble_teardown,
	 .bluez = ble_bluez,
	 .pipes = jbd_modules,
	 .address = ble_address,
	 .bad = ble_bad,
	 .bad_count = PB_ARRAY_SIZE(ble_bad)},
	{.type = &pb_link_serial,
	 .setup = serial_setup,
	 .teardown = serial_teardown,
	 .address = serial_address,
	 .one_stream = true,
	 .bad = serial_bad,
	 .bad_count = PB_ARRAY_SIZE(serial_bad)},
	{.type = &pb_link_sim,
	 .address = sim_address,
	 .bad = sim_bad,
	 .bad_count = PB_ARRAY_SIZE(sim_bad)},
	{.type = &pb_link_tap,
	 .setup = tap_setup,
	 .teardown = tap_teardown,
	 .multidrop = tap_line,
	 .address = sim_address},
	{.type = &pb_link_tcp,
	 .setup = tcp_setup,
	 .teardown = tcp_teardown,
	 .address = tcp_address,
	 .bad = tcp_bad,
	 .bad_count = PB_ARRAY_SIZE(tcp_bad)},
};

static const struct link_kind *link_kind(int index)
{
	return &kinds[index];
}

/* ---- the pipes of radio modules ---- */

static const struct pb_pipe nordic[] = {{"6E400001-B5A3-F393-E0A9-E50E24DCCA9E",
					 "6E400003-B5A3-F393-E0A9-E50E24DCCA9E",
					 "6E400002-B5A3-F393-E0A9-E50E24DCCA9E"},
					{0}};
static const struct pb_pipe serial_modules[] = {
	{"fff0", "fff1", "fff2"},
	{"ff00", "ff01", "ff02"},
	{"FF00", "FF01", "FF02"},
	{"ffe0", "ffe1", "ffe1"},
	{0},
};
static const struct pb_pipe jk_module[] = {{"ffe0", "ffe1", "ffe1"}, {0}};

static const struct {
	const char *shape;
	const struct pb_pipe *pipes[3];
	const char *says; /* of what is used, or of why there is none */
	bool up;
} pipe_rows[] = {
	{"ff00", {serial_modules}, "using 0000ff01 and 0000ff02", true},
	{"ff00", {nordic, serial_modules}, "using 0000ff01 and 0000ff02", true},
	{"nordic", {nordic}, "using 6e400003 and 6e400002", true},
	{"nordic", {serial_modules, nordic}, "using 6e400003 and 6e400002", true},
	{"nordic",
	 {serial_modules},
	 "it has none of fff1 with fff2, ff01 with ff02, and ffe1: not a known pack",
	 false},
	{"ff00", {jk_module, jk_module}, "it has none of ffe1: not a known pack", false},
	{"ff00", {NULL}, "not a known pack", false},
	/* the first in the list, not on the device */
	{"fff0-refusing", {jk_module, serial_modules}, "using 0000ff01 and 0000ff02", true},
	{"all-refusing", {serial_modules, serial_modules}, "another program uses them", false},
};

static void pipe_line(void *userdata, const char *text)
{
	struct watch *w = userdata;

	if (strncmp(text, "using", 5) == 0)
		snprintf(w->why, sizeof(w->why), "%s", text);
}

#define MODULE "A5:C2:37:00:01:00"

static void pipe_address(void *far, enum far_end end, char *out, size_t cap)
{
	(void)far;
	(void)end;
	snprintf(out, cap, MODULE);
}

START_TEST(pipes)
{
	struct link_kind kind = {
		.type = &pb_link_ble,
		.bluez = ble_bluez,
		.address = pipe_address,
		.teardown = ble_teardown,
		.pipes = pipe_rows[_i].pipes,
	};
	struct far_radio *radio;
	struct watch *w;

	contract_kind = &kind;
	ck_assert_int_ge(sd_event_new(&contract_event), 0);
	contract_far = radio = ble_setup(contract_event);
	bluetooth_say(&radio->bluetooth,
		      "pack " MODULE " far lead-12v connect_ms=1 "
		      "resolve_ms=1 disconnect_ms=1 reply_ms=0 service=%s",
		      pipe_rows[_i].shape);
	w = watch_new(0, FAR_ANSWERS);
	ck_assert_int_eq(watch_open(w), 0);
	WAIT_FOR(w->ups + w->downs, 1U);
	ck_assert_uint_eq(w->ups, pipe_rows[_i].up);
	if (pipe_rows[_i].up)
		pb_link_ble.describe(w->link, pipe_line, w);
	ck_assert_msg(strstr(w->why, pipe_rows[_i].says), "%s", w->why);
	watch_free(w);
	contract_teardown();
}
END_TEST

/* ---- faults of simulated packs ---- */

static const char *sim_fault_address;

static void sim_address_fault(void *far, enum far_end end, char *out, size_t cap)
{
	(void)far;
	/* calm() talks to a pack without faults */
	snprintf(out, cap, "%s", end == FAR_ANSWERS ? "lead-12v" : sim_fault_address);
}

static const struct link_kind sim_faults = {.type = &pb_link_sim, .address = sim_address_fault};

/* An open link to a simulated pack. */
static struct watch *fault_setup(const char *address)
{
	contract_kind = &sim_faults;
	sim_fault_address = address;
	ck_assert_int_ge(sd_event_new(&contract_event), 0);
	return watch_new_up(FAR_COUNT);
}

static void fault_teardown(struct watch *w)
{
	watch_free(w);
	contract_event = sd_event_unref(contract_event);
}

static const struct pb_query query_name = {.name = "name", .command = 0x05};

/* Sends one request and @return how the reply of a BMS would be taken. */
struct verdict {
	bool silent, good;
	uint32_t bad_frames, garbage_bytes;
	unsigned int pieces;
};

static struct verdict ask(struct watch *w)
{
	struct verdict verdict = {0};
	struct pb_stream stream = {0};
	struct pb_frame frame;
	unsigned int before = w->datas;

	w->len = 0;
	ck_assert_int_eq(watch_send(w), 0);
	drain();
	pb_stream_push(&stream, w->bytes, w->len);
	while (pb_stream_next(&stream, &pb_codec_jbd, &query_name, &frame))
		verdict.good |=
			frame.len == REPLY && memcmp(frame.bytes, contract_reply, REPLY) == 0;
	verdict.silent = w->len == 0;
	verdict.bad_frames = stream.bad_frames;
	verdict.garbage_bytes = stream.garbage_bytes + (uint32_t)stream.len;
	verdict.pieces = w->datas - before;
	return verdict;
}

struct tally {
	unsigned int good, silent, bad, garbage;
};

static struct tally ask_often(const char *address, int times)
{
	struct watch *w = fault_setup(address);
	struct tally tally = {0};

	for (int i = 0; i < times; i++) {
		struct verdict verdict = ask(w);

		tally.good += verdict.good;
		tally.silent += verdict.silent;
		tally.bad += verdict.bad_frames > 0;
		tally.garbage += verdict.garbage_bytes > 0;
	}
	fault_teardown(w);
	return tally;
}

START_TEST(no_faults_unless_asked)
{
	struct tally tally = ask_often("lead-12v", 1000);

	ck_assert_uint_eq(tally.good, 1000);
	ck_assert_uint_eq(tally.garbage, 0);
}
END_TEST

START_TEST(lost)
{
	struct tally tally = ask_often("lead-12v,lost=20", 1000);

	ck_assert_uint_gt(tally.silent, 150);
	ck_assert_uint_lt(tally.silent, 250);
	ck_assert_uint_eq(tally.good, 1000 - tally.silent);
	ck_assert_uint_eq(ask_often("lead-12v,lost=100", 50).silent, 50);
}
END_TEST

START_TEST(bad_checksum)
{
	struct tally tally = ask_often("lead-12v,bad=10", 1000);

	ck_assert_uint_gt(tally.bad, 60);
	ck_assert_uint_lt(tally.bad, 140);
	ck_assert_uint_eq(tally.good, 1000 - tally.bad);
	ck_assert_uint_eq(tally.silent, 0);
}
END_TEST

/* Stray bytes hide a reply only when they look like the start of a frame, which is rare. */
START_TEST(stray)
{
	struct tally tally = ask_often("lead-12v,stray=50", 1000);

	ck_assert_uint_gt(tally.garbage, 400);
	ck_assert_uint_lt(tally.garbage, 600);
	ck_assert_uint_gt(tally.good, 990);
}
END_TEST

START_TEST(stray_greeting)
{
	struct watch *w = fault_setup("lead-12v,stray=100");

	drain();
	ck_assert_uint_eq(w->len, 1);
	ck_assert_uint_eq(w->bytes[0], 0);
	fault_teardown(w);
}
END_TEST

START_TEST(faults_repeat_with_the_seed)
{
	static const char *const address = "lead-12v,seed=7,lost=30,bad=30";
	struct tally a = ask_often(address, 300), b = ask_often(address, 300);
	struct tally c = ask_often("lead-12v,seed=8,lost=30,bad=30", 300);

	ck_assert_mem_eq(&a, &b, sizeof(a));
	ck_assert_mem_ne(&a, &c, sizeof(a));
}
END_TEST

START_TEST(chunk)
{
	struct watch *w = fault_setup("lead-12v,chunk=4");
	struct verdict verdict = ask(w);

	ck_assert(verdict.good);
	ck_assert_uint_eq(verdict.pieces, (REPLY + 3) / 4);
	fault_teardown(w);
}
END_TEST

START_TEST(wake)
{
	struct watch *w = fault_setup("lead-12v,wake=2");

	for (unsigned int connection = 1; connection <= 2; connection++) {
		ck_assert(ask(w).silent);
		ck_assert(ask(w).silent);
		ck_assert(ask(w).good);
		ck_assert(ask(w).good);
		watch_close(w);
		ck_assert_int_eq(watch_open(w), 0);
		WAIT_FOR(w->ups, connection + 1);
	}
	fault_teardown(w);
}
END_TEST

START_TEST(drop)
{
	struct watch *w = fault_setup("lead-12v,drop=3");

	for (int i = 0; i < 3; i++)
		ck_assert(ask(w).good);
	ck_assert_uint_eq(w->downs, 0);
	w->len = 0;
	ck_assert_int_eq(watch_send(w), 0);
	WAIT_FOR(w->downs, 1U);
	/* it ends in the middle of the reply */
	ck_assert_uint_gt(w->len, 0);
	ck_assert_uint_lt(w->len, REPLY);
	ck_assert(strstr(w->why, "drop="));
	fault_teardown(w);
}
END_TEST

START_TEST(silent)
{
	ck_assert_uint_eq(ask_often("lead-12v,silent=0+3600", 20).silent, 20);
	ck_assert_uint_eq(ask_often("lead-12v,silent=3600+1", 20).good, 20);
}
END_TEST

START_TEST(delay)
{
	struct watch *w = fault_setup("lead-12v,delay=30");
	uint64_t begin = pb_now_ms();

	for (unsigned int i = 0; i < 3; i++)
		ck_assert_int_eq(watch_send(w), 0);
	drain();
	ck_assert(w->len == 0 || pb_now_ms() - begin >= 30);
	WAIT_FOR(w->len, (size_t)3 * REPLY);
	ck_assert_uint_ge(pb_now_ms() - begin, 30);
	/* closed with a reply on its way: it never comes */
	ck_assert_int_eq(watch_send(w), 0);
	watch_close(w);
	calm();
	assert_replies(w, 3);
	fault_teardown(w);
}
END_TEST

/* More requests than a board holds: the surplus is lost, and nothing else. */
START_TEST(flood)
{
	struct watch *w = fault_setup("lead-12v");

	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(watch_send(w), 0);
	drain();
	ck_assert_uint_gt(w->len, 0);
	ck_assert_uint_lt(w->len, 1000 * REPLY);
	assert_replies(w, w->len / REPLY);
	ck_assert(ask(w).good);
	fault_teardown(w);
}
END_TEST

START_TEST(garbage_is_not_answered)
{
	static const uint8_t module[] = {0xFF, 0xAA, 0x17, 0x00, 0x17};
	struct watch *w = fault_setup("lead-12v");

	ck_assert_int_eq(w->link->type->send(w->link, module, sizeof(module)), 0);
	ck_assert_int_eq(w->link->type->send(w->link, module, 0), 0);
	drain();
	ck_assert_uint_eq(w->len, 0);
	ck_assert(ask(w).good);
	fault_teardown(w);
}
END_TEST

START_TEST(rssi)
{
	struct watch *w = fault_setup("lead-12v");
	int32_t first = 0, dbm = 0;
	bool moved = false;

	for (int i = 0; i < 50; i++) {
		ck_assert(w->link->type->rssi(w->link, &dbm));
		ck_assert_int_ge(dbm, -100);
		ck_assert_int_le(dbm, -40);
		first = i == 0 ? dbm : first;
		moved |= dbm != first;
		ck_assert_int_le(abs(dbm - first), 6);
		ck_assert(ask(w).good);
	}
	ck_assert(moved);
	watch_close(w);
	ck_assert(!w->link->type->rssi(w->link, &dbm));
	fault_teardown(w);
}
END_TEST

static void add_faults(TCase *tcase)
{
	tcase_add_test(tcase, no_faults_unless_asked);
	tcase_add_test(tcase, lost);
	tcase_add_test(tcase, bad_checksum);
	tcase_add_test(tcase, stray);
	tcase_add_test(tcase, stray_greeting);
	tcase_add_test(tcase, faults_repeat_with_the_seed);
	tcase_add_test(tcase, chunk);
	tcase_add_test(tcase, wake);
	tcase_add_test(tcase, drop);
	tcase_add_test(tcase, silent);
	tcase_add_test(tcase, delay);
	tcase_add_test(tcase, flood);
	tcase_add_test(tcase, garbage_is_not_answered);
	tcase_add_test(tcase, rssi);
}

/* ---- boards that send by themselves ---- */

enum { JK_REPLY = 320, JK_STREAMED = 304 /* with the command of a modem */ };

static void jk_send(struct watch *w, size_t query)
{
	const struct pb_query *q = &pb_codec_jk.queries[query];

	ck_assert_int_eq(w->link->type->send(w->link, q->bytes, q->len), 0);
}

/* Asks all that a board wants to be asked before it streams. */
static void jk_begin(struct watch *w)
{
	for (size_t i = 0; i < pb_codec_jk.query_count; i++)
		jk_send(w, i);
}

/* @return sound frames of cells among what came from @from on. */
static unsigned int jk_cells(const struct watch *w, size_t from, struct pb_stream *ret)
{
	unsigned int count = 0;
	struct pb_frame frame;

	*ret = (struct pb_stream){0};
	pb_stream_push(ret, w->bytes + from, w->len - from);
	while (pb_stream_next(ret, &pb_codec_jk, &pb_codec_jk.queries[1], &frame))
		count += frame.kind == PB_FRAME_REPLY && frame.bytes[4] == 2;
	return count;
}

/* One piece a frame, one frame after the other, until the link is closed; and not again unasked. */
START_TEST(stream)
{
	struct watch *w = fault_setup("jk-lfp-16s"), *other;
	struct pb_stream left;

	jk_begin(w);
	WAIT_FOR(w->len, (size_t)2 * JK_REPLY + 2 * JK_STREAMED);
	ck_assert_uint_eq(w->datas, 4);
	ck_assert_uint_eq(jk_cells(w, (size_t)2 * JK_REPLY, &left), 2);
	ck_assert_uint_eq(left.garbage_bytes, 0);
	watch_close(w);
	other = watch_new(1, FAR_COUNT);
	ck_assert_int_eq(watch_open(other), 0);
	WAIT_FOR(other->ups, 1U);
	jk_begin(other);
	WAIT_FOR(other->len, (size_t)2 * JK_REPLY + JK_STREAMED);
	ck_assert_int_eq(watch_open(w), 0);
	w->len = 0;
	WAIT_FOR(other->len, (size_t)2 * JK_REPLY + 3 * JK_STREAMED);
	ck_assert_uint_eq(w->len, 0);
	watch_free(other);
	fault_teardown(w);
}
END_TEST

/* What was not delivered when the link was closed has nothing to do with what streams later. */
START_TEST(stream_after_leftovers)
{
	struct watch *w = fault_setup("jk-lfp-16s");
	struct pb_stream left;

	jk_begin(w);
	jk_send(w, 0);
	watch_close(w);
	ck_assert_int_eq(watch_open(w), 0);
	WAIT_FOR(w->ups, 2U);
	jk_begin(w);
	WAIT_FOR(w->len, (size_t)2 * JK_REPLY + JK_STREAMED);
	drain();
	ck_assert_uint_eq(w->len, 2 * JK_REPLY + JK_STREAMED);
	ck_assert_uint_eq(jk_cells(w, (size_t)2 * JK_REPLY, &left), 1);
	fault_teardown(w);
}
END_TEST

START_TEST(stream_chunk)
{
	struct watch *w = fault_setup("jk-lfp-16s,chunk=20");
	struct pb_stream left;

	jk_begin(w);
	WAIT_FOR(w->len, (size_t)2 * JK_REPLY + JK_STREAMED);
	ck_assert_uint_eq(w->datas, 2 * (JK_REPLY / 20) + (JK_STREAMED + 19) / 20);
	ck_assert_uint_eq(jk_cells(w, (size_t)2 * JK_REPLY, &left), 1);
	fault_teardown(w);
}
END_TEST

START_TEST(stream_bad_checksum)
{
	struct watch *w = fault_setup("jk-lfp-16s,bad=100");
	struct pb_stream left;

	jk_begin(w);
	WAIT_FOR(w->len, (size_t)2 * JK_REPLY + JK_STREAMED);
	ck_assert_uint_eq(jk_cells(w, (size_t)2 * JK_REPLY, &left), 0);
	ck_assert_uint_ge(left.bad_frames, 1);
	fault_teardown(w);
}
END_TEST

/* Stray bytes stand before a frame, and hide none. */
START_TEST(stream_stray)
{
	struct watch *w = fault_setup("jk-lfp-16s,stray=100");
	struct pb_stream left;
	size_t asked;

	drain();
	jk_begin(w);
	drain();
	asked = w->len;
	WAIT_FOR(w->len, asked + JK_STREAMED);
	ck_assert_uint_gt(w->len, asked + JK_STREAMED);
	ck_assert_uint_eq(jk_cells(w, asked, &left), 1);
	ck_assert_uint_gt(left.garbage_bytes, 0);
	fault_teardown(w);
}
END_TEST

START_TEST(stream_drop)
{
	struct watch *w = fault_setup("jk-lfp-16s,drop=2");

	jk_begin(w);
	WAIT_FOR(w->downs, 1U);
	ck_assert_uint_eq(w->len, 2 * JK_REPLY + JK_STREAMED / 2);
	ck_assert(strstr(w->why, "drop="));
	fault_teardown(w);
}
END_TEST

/* A pack that goes out of reach while it streams is missed without a request. */
START_TEST(stream_down)
{
	struct watch *w = fault_setup("jk-lfp-16s,down=1+3600");

	jk_begin(w);
	WAIT_FOR(w->downs, 1U);
	ck_assert(strstr(w->why, "down="));
	fault_teardown(w);
}
END_TEST

/* ---- boards of all makers ---- */

static const struct pb_codec *codec_of(const struct pb_sim_profile *profile)
{
	static const struct pb_codec *const codecs[] = {&pb_codec_jbd, &pb_codec_daly,
							&pb_codec_jk};

	for (size_t i = 0; i < PB_ARRAY_SIZE(codecs); i++)
		if (strcmp(codecs[i]->name, profile->board->maker) == 0)
			return codecs[i];
	ck_abort_msg("no codec '%s'", profile->board->maker);
	return NULL;
}

static void ask_query(struct watch *w, const struct pb_query *query)
{
	w->len = 0;
	ck_assert_int_eq(w->link->type->send(w->link, query->bytes, query->len), 0);
	drain();
}

/* @return the dialect that the board answers. */
static const struct pb_codec *dialect_of(struct watch *w, const struct pb_codec *codec)
{
	for (; codec; codec = codec->next) {
		ask_query(w, &codec->queries[0]);
		if (w->len > 0)
			return codec;
	}
	ck_abort_msg("nothing is answered");
	return NULL;
}

/* @return true: what has come is a whole reply, as a session takes it. */
static bool is_answered(const struct watch *w, const struct pb_codec *codec,
			const struct pb_query *query, int cells)
{
	struct pb_sample sample = {.carry.cells = (uint8_t)cells};
	struct pb_stream bytes = {0};
	struct pb_frame frame;

	pb_stream_push(&bytes, w->bytes, w->len);
	while (pb_stream_next(&bytes, codec, query, &frame))
		if (frame.kind == PB_FRAME_REPLY && frame.command == query->command &&
		    codec->decode(&frame, &sample) == 0)
			return true;
	return false;
}

/* Asks for all that a reading needs. @return replies that are whole. */
static unsigned int answers(const char *faults, int index, unsigned int *ret_asked)
{
	const struct pb_sim_profile *profile = &pb_sim_profiles()[index];
	const struct pb_codec *codec;
	char address[64];
	struct watch *w;
	unsigned int good = 0;

	snprintf(address, sizeof(address), "%s%s", profile->name, faults);
	w = fault_setup(address);
	codec = dialect_of(w, codec_of(profile));
	*ret_asked = 0;
	for (size_t i = 0; i < codec->query_count; i++) {
		const struct pb_query *query = &codec->queries[i];

		if (!query->required)
			continue;
		ask_query(w, query);
		if (query->streams)
			WAIT_FOR(w->len, (size_t)JK_REPLY + 1);
		good += is_answered(w, codec, query, profile->cells);
		++*ret_asked;
	}
	fault_teardown(w);
	return good;
}

/* A wrong checksum is where it is looked at, in replies of several frames, too. */
START_TEST(bad_checksum_of_all_boards)
{
	unsigned int asked;

	ck_assert_uint_eq(answers("", _i, &asked), asked);
	ck_assert_uint_gt(asked, 0);
	ck_assert_uint_eq(answers(",bad=100", _i, &asked), 0);
}
END_TEST

static void add_makers(TCase *tcase)
{
	int profiles = 0;

	while (pb_sim_profiles()[profiles].name)
		profiles++;
	tcase_add_loop_test(tcase, bad_checksum_of_all_boards, 0, profiles);
	tcase_add_test(tcase, stream);
	tcase_add_test(tcase, stream_after_leftovers);
	tcase_add_test(tcase, stream_chunk);
	tcase_add_test(tcase, stream_bad_checksum);
	tcase_add_test(tcase, stream_stray);
	tcase_add_test(tcase, stream_drop);
	tcase_add_test(tcase, stream_down);
}

int main(void)
{
	TCase *tcase = tcase_create("links");

	tcase_set_timeout(tcase, 30);
	link_contract_add(tcase, PB_ARRAY_SIZE(kinds));
	tcase_add_loop_test(tcase, pipes, 0, PB_ARRAY_SIZE(pipe_rows));
	add_faults(tcase);
	add_makers(tcase);
	return pb_run_suite("links", tcase);
}
