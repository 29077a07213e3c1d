/* SPDX-License-Identifier: MIT */
#include "fake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SEEN_MS = 40, REPEAT_MS = 500, FORGET_MS = 2000, GHOST_MS = 1000, MOVED_MS = 200 };

#define DEVICE	"org.bluez.Device1"
#define ADAPTER "org.bluez.Adapter1"

/* ---- what happens later ---- */

struct later {
	void (*func)(struct device *device);
	struct device *device;
	int life;
};

static int on_later(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct later *later = userdata;

	(void)usec;
	if (later->life == later->device->pack->life)
		later->func(later->device);
	free(later);
	sd_event_source_unref(source);
	return 0;
}

void after(unsigned int ms, void (*func)(struct device *device), struct device *device)
{
	struct later *later = calloc(1, sizeof(*later));
	sd_event_source *source;

	*later = (struct later){func, device, device->pack->life};
	sd_event_add_time_relative(fake.event, &source, CLOCK_MONOTONIC, (uint64_t)ms * 1000, 1,
				   on_later, later);
}

/* ---- advertising ---- */

static bool on_air(const struct device *device)
{
	const struct pack *pack = device->pack;

	return pack->exists && !pack->out && !pack->phone && !pack->link &&
	       pack->adapters >> (device->adapter - fake.adapters) & 1 &&
	       device->adapter->present && device->adapter->powered;
}

static void be_heard(struct device *device)
{
	if (!device->adapter->scanning || !on_air(device))
		return;
	device->heard = true;
	if (!device->known) {
		device->known = device->temporary = true;
		emit_added(device->path);
	} else {
		emit_changed(device->path, DEVICE, "RSSI");
	}
	after(REPEAT_MS, be_heard, device);
}

static void forget(struct device *device)
{
	if (!device->known || !device->temporary || device->adapter->scanning ||
	    device->connected || device->connecting)
		return;
	emit_device_removed(device);
	device->known = device->heard = false;
}

void air_scan(struct adapter *adapter, bool on)
{
	size_t index = (size_t)(adapter - fake.adapters);

	if (adapter->scanning == on)
		return;
	adapter->scanning = on;
	emit_changed(adapter->path, ADAPTER, "Discovering");
	for (size_t i = 0; i < PACKS_MAX; i++) {
		struct device *device = &fake.packs[i].devices[index];

		if (!fake.packs[i].exists)
			continue;
		if (on) {
			after(SEEN_MS, be_heard, device);
		} else if (device->heard) {
			device->heard = false;
			emit_changed(device->path, DEVICE, "RSSI");
			after(FORGET_MS, forget, device);
		}
	}
}

/* ---- the board ---- */

static void notify_pieces(struct device *device, const uint8_t *bytes, size_t len, size_t piece)
{
	for (size_t at = 0; at < len; at += piece) {
		size_t n = len - at < piece ? len - at : piece;

		if (device->notify_fd >= 0)
			send(device->notify_fd, bytes + at, n, MSG_NOSIGNAL);
		else if (device->notifying)
			emit_value(device, bytes + at, n);
	}
}

static void notify(struct device *device, const uint8_t *bytes, size_t len)
{
	notify_pieces(device, bytes, len, device->pack->chunk);
}

/* counting=N: readings that are told of one by one, for who checks what becomes of them; the values
 * are those of tests/soak/soak.py's pack N. */
static void count_up(struct pack *pack, struct pb_sample *sample)
{
	int n, p = pack->counting;

	if (pack->request_len > 2 && pack->request_bytes[2] == 0x03) {
		pack->counted++;
		printf("told %s %d %llu\n", pack->mac, pack->counted,
		       (unsigned long long)pb_now_ms());
		fflush(stdout);
	}
	n = pack->counted;
	sample->voltage_mv = 10 * (1200 + (n * 7 + p * 13) % 300);
	sample->current_ma = 10 * ((n * 11 + p) % 2000 - 1000);
	sample->remaining_mah = 10 * (5000 + n % 4000);
	sample->nominal_mah = sample->full_mah = 100000;
	sample->cycles = n % 65000;
	sample->soc_permille = 10 * (n % 101);
	sample->cell_count = 4;
	sample->cell_has = 0xF;
	for (int i = 0; i < 4; i++)
		sample->cell_mv[i] = 3200 + n % 100 + i;
}

static void read_board(struct pack *pack, struct pb_sample *ret)
{
	uint64_t now = pb_now_ms();

	pb_sim_run(&pack->sim, (double)(now - pack->moved_ms) / 1000);
	pack->moved_ms = now;
	pb_sim_read(&pack->sim, ret);
}

static void answer_board(struct device *device)
{
	struct pack *pack = device->pack;
	const struct pb_sim_board *board = pack->sim.options.profile->board;
	uint8_t reply[PB_SIM_REPLY_MAX];
	struct pb_sample sample;
	size_t len;

	read_board(pack, &sample);
	if (pack->counting)
		count_up(pack, &sample);
	len = board->answer(board, &pack->talk, &sample, pack->request_bytes, pack->request_len,
			    reply);
	pack->requests++;
	pack->still = false;
	if (pack->talk.offence)
		printf("offence %s\n", pack->mac);
	pack->offences += pack->talk.offence;
	pack->talk.offence = false;
	if (pack->hangup && pack->answered++ == pack->hangup) {
		air_drop(device, 0);
		return;
	}
	if (pack->half) {
		pack->half = false;
		notify(device, reply, len / 2);
		air_drop(device, 10);
		return;
	}
	if (pack->talk.piece)
		notify_pieces(device, reply, len, pack->talk.piece);
	else
		notify(device, reply, len);
	pack->talk.piece = 0;
	if (pack->talk.hang_up)
		air_drop(device, 0);
	pack->talk.hang_up = false;
}

static void module_reply(struct device *device, uint8_t command, uint8_t value)
{
	uint8_t reply[6] = {0xFF, 0xAA, command, 1, value, (uint8_t)(command + 1 + value)};

	notify(device, reply, sizeof(reply));
}

static bool right_password(const struct pack *pack)
{
	uint8_t mac[6], hidden;

	pb_hex_parse(pack->mac, mac, sizeof(mac));
	for (size_t i = 0; i < 6; i++) {
		hidden = (uint8_t)((mac[i] ^ (uint8_t)pack->password[i]) + pack->random);
		if (pack->request_bytes[4 + i] != hidden)
			return false;
	}
	return true;
}

static void answer_module(struct device *device)
{
	struct pack *pack = device->pack;
	uint8_t command = pack->request_bytes[2];

	if (!pack->password[0])
		return;
	if (command == 0x15)
		module_reply(device, command, memcmp(pack->request_bytes + 4, "000000", 6) ? 1 : 0);
	if (command == 0x17)
		module_reply(device, command, ++pack->random);
	if (command == 0x18) {
		pack->unlocked = right_password(pack);
		module_reply(device, command, pack->unlocked ? 0 : 1);
	}
	if (command == 0x1D) {
		pack->talk.unlocked = true;
		module_reply(device, command, 0);
	}
}

/* By its first bytes, whatever board it is for. */
static size_t request_len(const uint8_t *bytes)
{
	switch (bytes[0]) {
	case 0xFF: /* the module's own */
		return 5 + (size_t)bytes[3];
	case 0xD2: /* Daly */
	case 0x81:
		return 8;
	case 0xA5:
		return 13;
	case 0xAA: /* JK */
		return 20;
	default:
		return 7 + (size_t)bytes[3];
	}
}

static void print_request(const struct pack *pack, const char *word, const uint8_t *bytes,
			  size_t len)
{
	printf("%s %s ", word, pack->mac);
	for (size_t i = 0; i < len; i++)
		printf("%02X", bytes[i]);
	putchar('\n');
}

/* What a board sends by itself, from its first request on. */
static void stream(struct device *device)
{
	struct pack *pack = device->pack;
	const struct pb_sim_board *board = pack->sim.options.profile->board;
	uint8_t bytes[PB_SIM_REPLY_MAX];
	struct pb_sample sample;

	pack->streaming = pack->link == device;
	if (!pack->streaming)
		return;
	after(board->stream_ms, stream, device);
	if (pack->mute || pack->still)
		return;
	read_board(pack, &sample);
	notify(device, bytes, board->stream(board, &pack->talk, &sample, bytes));
}

/* Answers the request at the head of what came in. */
static void answer(struct device *device)
{
	struct pack *pack = device->pack;
	size_t len = request_len(pack->in);
	bool module = pack->in[0] == 0xFF, asleep = !module && pack->wakes_left > 0;

	memcpy(pack->request_bytes, pack->in, len);
	pack->request_len = len;
	pack->in_len -= len;
	pack->in_taken -= len;
	memmove(pack->in, pack->in + len, pack->in_len);
	pack->wakes_left -= asleep;
	if (pack->log)
		print_request(pack, "got", pack->request_bytes, len);
	if (pack->mute || asleep)
		return;
	if (module)
		answer_module(device);
	else if (!pack->password[0] || pack->unlocked)
		answer_board(device);
	if (pack->sim.options.profile->board->stream && !pack->streaming) {
		pack->streaming = true;
		after(pack->sim.options.profile->board->stream_ms, stream, device);
	}
}

void air_say(struct pack *pack, const char *hex)
{
	uint8_t bytes[VALUE_MAX];
	int len = pb_hex_parse(hex, bytes, sizeof(bytes));

	if (pack->link && len > 0)
		notify(pack->link, bytes, (size_t)len);
}

void air_write(struct device *device, const struct gatt_part *part, const uint8_t *bytes,
	       size_t len, char type)
{
	struct pack *pack = device->pack;

	if (pack->link != device || pack->dead == type)
		return;
	/* replies come where the request went */
	if (!device->heard_on || gatt_service(part) != gatt_service(device->heard_on))
		return;
	if (pack->passkey >= 0 && !device->paired) {
		notify(device, bytes, len);
		return;
	}
	if (pack->outside) {
		print_request(pack, "wrote", bytes, len);
		return;
	}
	if (pack->in_len + len > sizeof(pack->in))
		return;
	memcpy(pack->in + pack->in_len, bytes, len);
	pack->in_len += len;
	while (pack->in_len - pack->in_taken >= 4 &&
	       pack->in_len - pack->in_taken >= request_len(pack->in + pack->in_taken)) {
		pack->in_taken += request_len(pack->in + pack->in_taken);
		after(pack->reply_ms, answer, device);
	}
}

/* ---- descriptors ---- */

static int on_write_fd(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct device *device = userdata;
	uint8_t bytes[VALUE_MAX];
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	(void)source;
	(void)revents;
	if (n > 0) {
		air_write(device, device->written, bytes, (size_t)n, 'c');
	} else if (n == 0 || errno != EAGAIN) {
		device->write_io = sd_event_source_disable_unref(device->write_io);
		close(device->write_fd);
		device->write_fd = -1;
	}
	return 0;
}

/* @return the client's end, to be closed once it is sent. */
static int make_pair(int *ours)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	*ours = ends[0];
	return ends[1];
}

int air_acquire_notify(struct device *device)
{
	return make_pair(&device->notify_fd);
}

int air_acquire_write(struct device *device)
{
	int fd = make_pair(&device->write_fd);

	sd_event_add_io(fake.event, &device->write_io, device->write_fd, EPOLLIN, on_write_fd,
			device);
	return fd;
}

static void close_fds(struct device *device)
{
	device->write_io = sd_event_source_disable_unref(device->write_io);
	if (device->notify_fd >= 0)
		close(device->notify_fd);
	if (device->write_fd >= 0)
		close(device->write_fd);
	device->notify_fd = device->write_fd = -1;
	device->notifying = false;
	device->heard_on = NULL;
}

/* ---- links ---- */

static void signal_drop(struct device *device)
{
	if (device->resolved) {
		device->resolved = false;
		emit_changed(device->path, DEVICE, "ServicesResolved");
	}
	if (device->connected) {
		device->connected = false;
		emit_changed(device->path, DEVICE, "Connected");
	}
	reply_done(&device->disconnecting);
	air_advertise(device->pack);
}

void air_drop(struct device *device, unsigned int signals_ms)
{
	struct pack *pack = device->pack;

	pack->life++; /* replies that are under way, a resolution... */
	pack->in_len = pack->in_taken = 0;
	if (pack->link == device) {
		pack->link = NULL;
		device->adapter->links--;
		if (pack->outside)
			printf("down %s\n", pack->mac);
	}
	device->ghost = false;
	close_fds(device);
	reply_error(&device->connecting, "org.bluez.Error.Failed", "le-connection-abort-by-local");
	reply_error(&device->pairing, "org.bluez.Error.AuthenticationCanceled",
		    "Authentication Canceled");
	if (signals_ms)
		after(signals_ms, signal_drop, device);
	else
		signal_drop(device);
}

static void resolved(struct device *device)
{
	if (!device->gatt) {
		device->gatt = true;
		emit_gatt_added(device);
	}
	device->resolved = true;
	emit_changed(device->path, DEVICE, "ServicesResolved");
}

static void linked(struct device *device)
{
	struct pack *pack = device->pack;

	if (!device->connecting)
		return;
	if (pack->fails > 0 || pack->link || pack->out || pack->phone) {
		if (pack->fails > 0)
			pack->fails--;
		reply_error(&device->connecting, "org.bluez.Error.Failed",
			    "le-connection-abort-by-local");
		return;
	}
	pack->link = device;
	pack->connects++;
	pack->unlocked = false;
	pack->streaming = pack->still = false;
	pack->talk = (struct pb_sim_talk){.sim = &pack->sim};
	pack->wakes_left = pack->wake;
	pack->answered = 0;
	device->temporary = false;
	device->connected = true;
	if (++device->adapter->links > device->adapter->links_max)
		device->adapter->links_max = device->adapter->links;
	if (!pack->unannounced)
		emit_changed(device->path, DEVICE, "Connected");
	reply_done(&device->connecting);
	after(pack->resolve_ms, resolved, device);
}

static void connect_fails(struct device *device)
{
	reply_error(&device->connecting, "org.bluez.Error.Failed", "le-connection-abort-by-local");
}

static void ghost_ends(struct device *device)
{
	if (device->ghost)
		air_drop(device, 0);
}

void air_connect(struct device *device, sd_bus_message *m)
{
	struct pack *pack = device->pack;

	fake.connects++;
	for (size_t i = 0; i < PACKS_MAX; i++)
		fake.overlaps += fake.packs[i].exists &&
				 fake.packs[i].devices[device->adapter - fake.adapters].connecting;
	fake.connects_while_scanning += device->adapter->scanning;
	if (!device->adapter->powered) {
		reply_error(&m, "org.bluez.Error.NotReady", "Resource Not Ready");
		return;
	}
	if (device->connecting) {
		reply_error(&m, "org.bluez.Error.InProgress", "Operation already in progress");
		return;
	}
	if (device->connected) { /* a ghost, too */
		reply_done(&m);
		if (device->ghost)
			after(GHOST_MS, ghost_ends, device);
		return;
	}
	device->connecting = m;
	/* silent, but the pack may come back meanwhile */
	if (on_air(device))
		after(pack->connect_ms, linked, device);
	else
		after(pack->fail_ms, connect_fails, device);
}

static void disconnected(struct device *device)
{
	air_drop(device, 0);
}

void air_disconnect(struct device *device, sd_bus_message *m)
{
	if (device->disconnecting) { /* the real one answers both when it is done */
		reply_done(&device->disconnecting);
		device->disconnecting = m;
		return;
	}
	if (!device->connected && !device->connecting) {
		reply_error(&m, "org.bluez.Error.NotConnected", "Not Connected");
		return;
	}
	device->disconnecting = m;
	after(device->pack->disconnect_ms, disconnected, device);
}

/* ---- pairing ---- */

static int on_passkey(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct device *device = userdata;
	uint32_t passkey = UINT32_MAX;

	(void)error;
	if (!device->pairing)
		return 0;
	if (!sd_bus_message_is_method_error(m, NULL))
		sd_bus_message_read(m, "u", &passkey);
	if ((int)passkey != device->pack->passkey) {
		reply_error(&device->pairing, "org.bluez.Error.AuthenticationFailed",
			    "Authentication Failed");
		return 0;
	}
	device->paired = true;
	emit_changed(device->path, DEVICE, "Paired");
	reply_done(&device->pairing);
	return 0;
}

void air_pair(struct device *device, sd_bus_message *m)
{
	if (device->paired) {
		reply_error(&m, "org.bluez.Error.AlreadyExists", "Already Exists");
		return;
	}
	if (device->pack->link != device || !fake.agent_owner[0] || device->pack->passkey < 0) {
		reply_error(&m, "org.bluez.Error.AuthenticationFailed", "Authentication Failed");
		return;
	}
	device->pairing = m;
	sd_bus_call_method_async(fake.bus, NULL, fake.agent_owner, fake.agent_path,
				 "org.bluez.Agent1", "RequestPasskey", on_passkey, device, "o",
				 device->path);
}

/* It is there again: scans hear it, and connects that wait for it get it. */
void air_advertise(struct pack *pack)
{
	for (size_t i = 0; i < ADAPTERS_MAX; i++) {
		struct device *device = &pack->devices[i];

		if (fake.adapters[i].scanning)
			after(SEEN_MS, be_heard, device);
		if (device->connecting && on_air(device))
			after(pack->connect_ms, linked, device);
	}
}

/* ---- more faults ---- */

static void moved_back(struct device *device)
{
	device->service += 6;
	device->gatt = true;
	emit_gatt_added(device);
}

void air_moved(struct pack *pack)
{
	struct device *device = pack->link;

	if (!device)
		return;
	pack->life++;
	close_fds(device);
	emit_gatt_removed(device);
	device->gatt = false;
	after(MOVED_MS, moved_back, device);
}

void air_ghost(struct device *device)
{
	device->known = true;
	device->temporary = false;
	device->connected = device->ghost = true;
	emit_added(device->path);
}

void air_linger(struct device *device)
{
	device->known = device->connected = device->resolved = device->gatt = true;
	device->pack->link = device;
	device->adapter->links++;
	emit_added(device->path);
	emit_gatt_added(device);
}

void air_power(struct adapter *adapter, bool on)
{
	size_t index = (size_t)(adapter - fake.adapters);

	if (adapter->powered == on)
		return;
	if (!on) {
		air_scan(adapter, false);
		for (size_t i = 0; i < PACKS_MAX; i++)
			if (fake.packs[i].exists && (fake.packs[i].devices[index].connected ||
						     fake.packs[i].devices[index].connecting))
				air_drop(&fake.packs[i].devices[index], 0);
	}
	adapter->powered = on;
	emit_changed(adapter->path, ADAPTER, "Powered");
}
