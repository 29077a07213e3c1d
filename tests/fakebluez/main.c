/* SPDX-License-Identifier: MIT */
/*
 * fake_bluez: serves org.bluez on $DBUS_SYSTEM_BUS_ADDRESS, prints "ready", then takes commands,
 * one a line, and answers each with a line "ok ..." or "error ...". Ends with `quit` or at the end
 * of stdin.
 *
 *	adapter hci0 ADDRESS [off]	unplug hci0	plug hci0 [off]		power hci0 on|off
 *	pack MAC NAME PROFILE [KEY=VALUE...]	PROFILE as behind sim:, keys in options[]
 *	out MAC, in MAC		out of range, and back
 *	phone MAC on|off	somebody else has it
 *	drop MAC		it ends the connection
 *	half MAC		the next reply ends in its middle, and so does the connection
 *	eof MAC			the descriptors end, the properties change 500 ms later
 *	moved MAC		its services go and come back elsewhere; the connection stays
 *	mute MAC on|off		it swallows requests, and sends nothing by itself
 *	still MAC		it sends nothing by itself until it is asked again
 *	forget MAC		likewise, and it has forgotten all that it was asked before
 *	fail MAC N		the next N connects fail
 *	notify MAC HEX		a pack with outside=y sends that
 *	ghost MAC hci0		shown as connected although it is not
 *	linger MAC hci0		really connected, by a program that is gone
 *	crowd N			N devices of others are listed as well
 *	stats			counters
 *
 *	app MAC charge|discharge off|on		a phone app switches
 *	command MAC WORD	what the board does with commands, as the option command=
 *	current MAC MA		the current at its terminals
 *	power MAC		power-cycled
 *
 * A pack with log=y prints "got MAC HEX" for each request that its board gets. "offence MAC" says
 * that it got one that no pack may get.
 *
 * The board of a pack with outside=y is not here: a line "wrote MAC HEX" tells what it is sent,
 * and "down MAC" that its connection has ended.
 *
 * In NAME, %0A is a byte.
 */
#include "fake.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

struct fake fake;

static struct adapter *find_adapter(const char *name)
{
	for (size_t i = 0; name && i < ADAPTERS_MAX; i++)
		if (fake.adapters[i].exists && strcmp(fake.adapters[i].name, name) == 0)
			return &fake.adapters[i];
	return NULL;
}

static struct pack *find_pack(const char *mac)
{
	for (size_t i = 0; mac && i < PACKS_MAX; i++)
		if (fake.packs[i].exists && strcmp(fake.packs[i].mac, mac) == 0)
			return &fake.packs[i];
	return NULL;
}

/* ---- adapters ---- */

static void device_path(struct device *device)
{
	int at = snprintf(device->path, sizeof(device->path), "%s/dev_", device->adapter->path);

	for (const char *c = device->pack->mac; *c; c++)
		device->path[at++] = *c == ':' ? '_' : *c;
	device->path[at] = '\0';
}

static const char *add_adapter(char **words)
{
	for (size_t i = 0; words[1] && words[2] && i < ADAPTERS_MAX; i++) {
		struct adapter *adapter = &fake.adapters[i];

		if (adapter->exists)
			continue;
		adapter->exists = adapter->present = true;
		adapter->powered = !words[3];
		snprintf(adapter->name, sizeof(adapter->name), "%s", words[1]);
		snprintf(adapter->path, sizeof(adapter->path), "/org/bluez/%s", words[1]);
		snprintf(adapter->address, sizeof(adapter->address), "%s", words[2]);
		emit_added(adapter->path);
		return NULL;
	}
	return "adapter NAME ADDRESS";
}

static void unplug(struct adapter *adapter)
{
	size_t index = (size_t)(adapter - fake.adapters);

	for (size_t i = 0; i < PACKS_MAX; i++) {
		struct device *device = &fake.packs[i].devices[index];

		if (!fake.packs[i].exists || !device->known)
			continue;
		if (device->connected || device->connecting)
			air_drop(device, 0);
		emit_device_removed(device);
		device->known = device->heard = device->paired = false;
	}
	emit_adapter_removed(adapter);
	adapter->present = adapter->scanning = adapter->powered = false;
}

/* ---- packs ---- */

static const struct {
	const char *key;
	size_t offset;
} numbers[] = {
	{"rssi", offsetof(struct pack, rssi)},
	{"chunk", offsetof(struct pack, chunk)},
	{"mtu", offsetof(struct pack, mtu)},
	{"connect_ms", offsetof(struct pack, connect_ms)},
	{"resolve_ms", offsetof(struct pack, resolve_ms)},
	{"disconnect_ms", offsetof(struct pack, disconnect_ms)},
	{"reply_ms", offsetof(struct pack, reply_ms)},
	{"fail_ms", offsetof(struct pack, fail_ms)},
	{"wake", offsetof(struct pack, wake)},
	{"hangup", offsetof(struct pack, hangup)},
	{"passkey", offsetof(struct pack, passkey)},
	{"counting", offsetof(struct pack, counting)},
};

static void set_adapters(struct pack *pack, char *names)
{
	pack->adapters = 0;
	for (char *name = strtok(names, "+"); name; name = strtok(NULL, "+"))
		if (find_adapter(name))
			pack->adapters |= 1U << (find_adapter(name) - fake.adapters);
}

static bool set_option(struct pack *pack, char *word)
{
	char *value = strchr(word, '=');

	if (!value)
		return false;
	*value++ = '\0';
	for (size_t i = 0; i < PB_ARRAY_SIZE(numbers); i++) {
		if (strcmp(numbers[i].key, word) == 0) {
			*(int *)((char *)pack + numbers[i].offset) = atoi(value);
			return true;
		}
	}
	if (strcmp(word, "adapters") == 0)
		set_adapters(pack, value);
	else if (strcmp(word, "service") == 0)
		pack->shape = gatt_shape(value);
	else if (strcmp(word, "write") == 0) {
		pack->command = strcmp(value, "request") != 0;
		pack->request = strcmp(value, "command") != 0;
	} else if (strcmp(word, "dead") == 0)
		pack->dead = value[0];
	else if (strcmp(word, "acquire") == 0)
		pack->acquire = value[0] == 'y';
	else if (strcmp(word, "manufacturer") == 0)
		pack->maker = value[0] == 'n' ? '\0' : value[0];
	else if (strcmp(word, "unannounced") == 0)
		pack->unannounced = value[0] == 'y';
	else if (strcmp(word, "outside") == 0)
		pack->outside = value[0] == 'y';
	else if (strcmp(word, "log") == 0)
		pack->log = value[0] == 'y';
	else if (strcmp(word, "noname") == 0)
		pack->no_name = value[0] == 'y';
	else if (strcmp(word, "password") == 0)
		snprintf(pack->password, sizeof(pack->password), "%s", value);
	else
		return false;
	return true;
}

static void set_name(struct pack *pack, const char *word)
{
	size_t at = 0;

	while (*word && at + 1 < sizeof(pack->name)) {
		char digits[3] = {0};

		if (*word == '%' && word[1] && word[2]) {
			memcpy(digits, word + 1, 2);
			pack->name[at++] = (char)strtoul(digits, NULL, 16);
			word += 3;
		} else {
			pack->name[at++] = *word++;
		}
	}
	pack->name[at] = '\0';
}

static const char *add_pack(char **words)
{
	struct pb_sim_options options;
	struct pack *pack = NULL;
	char why[256];

	for (size_t i = 0; !pack && i < PACKS_MAX; i++)
		if (!fake.packs[i].exists)
			pack = &fake.packs[i];
	if (!pack || !words[1] || !words[2] || !words[3])
		return "pack MAC NAME PROFILE [KEY=VALUE...]";
	if (pb_sim_options_parse(&options, words[3], why, sizeof(why)) < 0)
		return "unknown profile";
	*pack = (struct pack){.adapters = ~0U,
			      .rssi = -60,
			      .chunk = 20,
			      .mtu = 23,
			      .connect_ms = 30,
			      .resolve_ms = 30,
			      .disconnect_ms = 20,
			      .reply_ms = 20,
			      .fail_ms = 41000,
			      .shape = gatt_shape("ff00"),
			      .command = true,
			      .acquire = true,
			      .passkey = -1};
	snprintf(pack->mac, sizeof(pack->mac), "%s", words[1]);
	set_name(pack, words[2]);
	pb_sim_start(&pack->sim, &options);
	pack->moved_ms = pb_now_ms();
	for (char **word = words + 4; *word; word++)
		if (!set_option(pack, *word) || !pack->shape)
			return *word;
	for (size_t i = 0; i < ADAPTERS_MAX; i++) {
		struct device *device = &pack->devices[i];

		*device = (struct device){.pack = pack,
					  .adapter = &fake.adapters[i],
					  .service = 0x0e,
					  .notify_fd = -1,
					  .write_fd = -1};
		if (fake.adapters[i].exists)
			device_path(device);
	}
	pack->exists = true;
	air_advertise(pack);
	return NULL;
}

/* It stops being there; @quietly: as a pack out of range. */
static void vanish(struct pack *pack)
{
	if (pack->link)
		air_drop(pack->link, 0);
	for (size_t i = 0; i < ADAPTERS_MAX; i++)
		pack->devices[i].heard = false;
}

/* ---- commands ---- */

static void stats(void)
{
	unsigned int links = 0;

	for (size_t i = 0; i < PACKS_MAX; i++)
		links += fake.packs[i].link != NULL;
	printf("ok calls=%u connects=%u discoveries=%u overlaps=%u connects_while_scanning=%u "
	       "links=%u",
	       fake.calls, fake.connects, fake.discoveries, fake.overlaps,
	       fake.connects_while_scanning, links);
	for (size_t i = 0; i < ADAPTERS_MAX; i++)
		if (fake.adapters[i].exists)
			printf(" max_%s=%u", fake.adapters[i].name, fake.adapters[i].links_max);
	for (size_t i = 0; i < PACKS_MAX; i++)
		if (fake.packs[i].exists)
			printf(" %s=%u/%u", fake.packs[i].mac, fake.packs[i].connects,
			       fake.packs[i].requests);
	putchar('\n');
}

static const char *adapter_command(char **words)
{
	struct adapter *adapter = find_adapter(words[1]);

	if (!adapter)
		return "no such adapter";
	if (strcmp(words[0], "unplug") == 0) {
		unplug(adapter);
	} else if (strcmp(words[0], "plug") == 0) {
		adapter->present = true;
		adapter->powered = !words[2];
		emit_added(adapter->path);
	} else if (words[2]) {
		air_power(adapter, strcmp(words[2], "on") == 0);
	}
	return NULL;
}

static const char *pack_command(char **words)
{
	struct pack *pack = find_pack(words[1]);
	const char *word = words[0];
	bool on = words[2] && strcmp(words[2], "on") == 0;
	struct adapter *adapter = find_adapter(words[2]);
	struct device *device = pack && adapter ? &pack->devices[adapter - fake.adapters] : NULL;

	if (!pack)
		return "no such pack";
	if (strcmp(word, "out") == 0 || (strcmp(word, "phone") == 0 && on)) {
		pack->out |= word[0] == 'o';
		pack->phone |= word[0] == 'p';
		vanish(pack);
	} else if (strcmp(word, "in") == 0 || strcmp(word, "phone") == 0) {
		pack->out = pack->phone = false;
		air_advertise(pack);
	} else if (strcmp(word, "drop") == 0 || strcmp(word, "eof") == 0) {
		if (pack->link)
			air_drop(pack->link, word[0] == 'e' ? 500 : 0);
	} else if (strcmp(word, "half") == 0) {
		pack->half = true;
	} else if (strcmp(word, "moved") == 0) {
		air_moved(pack);
	} else if (strcmp(word, "mute") == 0) {
		pack->mute = on;
	} else if (strcmp(word, "still") == 0 || strcmp(word, "forget") == 0) {
		pack->still = true;
		if (word[0] == 'f')
			pack->talk = (struct pb_sim_talk){.sim = &pack->sim};
	} else if (strcmp(word, "fail") == 0 && words[2]) {
		pack->fails = (unsigned int)atoi(words[2]);
	} else if (strcmp(word, "notify") == 0 && words[2]) {
		air_say(pack, words[2]);
	} else if (strcmp(word, "app") == 0 && words[2] && words[3]) {
		pb_sim_app(&pack->sim, words[2][0] == 'c' ? PB_SIM_CHARGE : PB_SIM_DISCHARGE,
			   strcmp(words[3], "off") == 0);
	} else if (strcmp(word, "command") == 0 && words[2]) {
		if (!pb_sim_obey_parse(words[2], &pack->sim.options.obey))
			return words[2];
	} else if (strcmp(word, "current") == 0 && words[2]) {
		pack->sim.options.has_current = true;
		pack->sim.options.current_ma = atoi(words[2]);
	} else if (strcmp(word, "power") == 0) {
		pb_sim_power_cycle(&pack->sim);
	} else if (strcmp(word, "ghost") == 0 && device) {
		air_ghost(device);
	} else if (strcmp(word, "linger") == 0 && device) {
		air_linger(device);
	} else {
		return "no such command";
	}
	return NULL;
}

static const char *set_crowd(char **words)
{
	if (!words[1])
		return "crowd N";
	fake.crowd = (unsigned int)atoi(words[1]);
	return NULL;
}

static void obey(char *line)
{
	char *words[24] = {NULL};
	const char *why;
	size_t count = 0;

	for (char *word = strtok(line, " "); word && count < 23; word = strtok(NULL, " "))
		words[count++] = word;
	if (!words[0])
		return;
	if (strcmp(words[0], "stats") == 0) {
		stats();
		return;
	}
	if (strcmp(words[0], "quit") == 0)
		exit(0);
	if (strcmp(words[0], "adapter") == 0)
		why = add_adapter(words);
	else if (strcmp(words[0], "pack") == 0)
		why = add_pack(words);
	else if (strcmp(words[0], "crowd") == 0)
		why = set_crowd(words);
	else if (strstr("unplug plug power", words[0]))
		why = adapter_command(words);
	else
		why = pack_command(words);
	if (why)
		printf("error %s\n", why);
	else
		puts("ok");
}

static int on_stdin(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	static char buf[4096];
	static size_t len;
	ssize_t n = read(fd, buf + len, sizeof(buf) - 1 - len);
	char *end;

	(void)source;
	(void)revents;
	(void)userdata;
	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 0 : sd_event_exit(fake.event, 0);
	len += (size_t)n;
	buf[len] = '\0';
	while ((end = strchr(buf, '\n'))) {
		*end++ = '\0';
		obey(buf);
		len -= (size_t)(end - buf);
		memmove(buf, end, len + 1);
	}
	return 0;
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (sd_event_default(&fake.event) < 0 || sd_bus_open_system(&fake.bus) < 0 ||
	    sd_bus_attach_event(fake.bus, fake.event, 0) < 0 ||
	    sd_bus_add_fallback(fake.bus, NULL, "/", objects_message, NULL) < 0 ||
	    sd_bus_request_name(fake.bus, "org.bluez", 0) < 0) {
		fputs("fake_bluez: no bus\n", stderr);
		return 1;
	}
	puts("ready");
	if (sd_event_add_io(fake.event, NULL, STDIN_FILENO, EPOLLIN, on_stdin, NULL) < 0)
		return 1;
	return sd_event_loop(fake.event) < 0;
}
