/* SPDX-License-Identifier: MIT */
/*
 * No allocation in the steady state: the bridge runs in this process, where malloc() and its kin
 * are counted, while a client in a child process reads it; between two marks of the client lie
 * several polls of every pack and hundreds of requests.
 */
#include "suite.h"

#include "packbridge/base.h"
#include "packbridge/bridge.h"
#include "packbridge/yaml.h"

#include <errno.h>
#include <modbus/modbus.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

enum { PACKS = 3, WARM_POLLS = 3, COUNTED_POLLS = 5, REG_POLLS = 9 };

/* ---- counting ---- */

static bool counting;
static unsigned int allocations;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
	allocations += counting;
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	allocations += counting;
	return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	allocations += counting;
	return __libc_realloc(old, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
	allocations += counting;
	*ret = __libc_memalign(alignment, size);
	return *ret ? 0 : ENOMEM;
}

/* ---- the client, a process of its own ---- */

static int client_polls(modbus_t *client, int unit)
{
	uint16_t regs[120];

	modbus_set_slave(client, unit);
	if (modbus_read_input_registers(client, 0, 16, regs) != 16)
		_exit(10);
	modbus_read_registers(client, 0, 120, regs); /* an exception until the first reading */
	modbus_read_input_bits(client, 0, 90, (uint8_t *)regs);
	modbus_read_registers(client, 5000, 1, regs); /* an exception for ever */
	modbus_set_slave(client, 0);
	modbus_read_registers(client, 0, 40, regs);
	return regs[0] == 1 ? 0 : -1;
}

static void client_until(modbus_t *client, unsigned int polls)
{
	for (int unit = 1; unit <= PACKS; unit++) {
		uint16_t seen = 0;

		while (seen < polls) {
			if (client_polls(client, unit) < 0)
				_exit(11);
			modbus_set_slave(client, unit);
			if (modbus_read_registers(client, REG_POLLS, 1, &seen) != 1)
				_exit(12);
			poll(NULL, 0, 1);
		}
	}
}

static void client_run(uint16_t port, int marks)
{
	modbus_t *client = modbus_new_tcp("127.0.0.1", port);

	if (!client || modbus_connect(client) < 0)
		_exit(13);
	client_until(client, WARM_POLLS);
	if (write(marks, "w", 1) != 1)
		_exit(14);
	client_until(client, WARM_POLLS + COUNTED_POLLS);
	if (write(marks, "d", 1) != 1)
		_exit(14);
	_exit(0);
}

/* ---- the bridge ---- */

static int on_mark(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	char mark = 0;

	(void)revents;
	(void)userdata;
	counting = false;
	if (read(fd, &mark, 1) != 1)
		return sd_event_exit(sd_event_source_get_event(source), 1);
	if (mark == 'd')
		return sd_event_exit(sd_event_source_get_event(source), 0);
	counting = true;
	return 0;
}

static const char text[] =
	"packs:\n"
	"  - {name: a, link: 'sim:lfp-4s,chunk=20', unit: 1, poll_ms: 100, gap_ms: 5,"
	" settle_ms: 0}\n"
	"  - {name: b, link: 'sim:lfp-16s', unit: 2, poll_ms: 100, gap_ms: 0,"
	" settle_ms: 0}\n"
	"  - {name: c, link: 'sim:nmc-13s', unit: 3, poll_ms: 100, gap_ms: 0,"
	" settle_ms: 0}\n"
	"listen:\n"
	"  - tcp: 127.0.0.1:0\n";

START_TEST(no_allocation)
{
	static const char *const dirs[] = {PB_SOURCE_DIR "/maps", NULL};
	PB_CLEANUP(pb_bridge_freep) struct pb_bridge *bridge = NULL;
	struct pb_config *config = NULL; /* the bridge takes it, and the maps */
	struct pb_maps *maps = NULL;
	struct pb_report report = {0};
	sd_event *event;
	int marks[2], status;
	pid_t pid;

	ck_assert_int_ge(sd_event_default(&event), 0);
	ck_assert_int_eq(pb_config_parse(&config, "test", text, strlen(text), &report), 0);
	ck_assert_int_eq(pb_maps_new(&maps, dirs), 0);
	ck_assert_int_eq(pb_bridge_check(config, maps, &report), 0);
	ck_assert_int_eq(pb_bridge_new(&bridge, event, config, maps, "test", &report), 0);
	ck_assert_int_eq(pipe(marks), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		client_run(pb_bridge_port(bridge, 0), marks[1]);
	close(marks[1]);
	ck_assert_int_ge(sd_event_add_io(event, NULL, marks[0], POLLIN, on_mark, NULL), 0);
	ck_assert_int_ge(pb_bridge_start(bridge), 0);

	ck_assert_int_eq(sd_event_loop(event), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(allocations, 0);

	/* and the counter does count */
	counting = true;
	config->file = realloc(config->file, 100);
	counting = false;
	ck_assert_uint_eq(allocations, 1);
	bridge = pb_bridge_free(bridge);
	close(marks[0]);
	sd_event_unref(event);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("steady");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, no_allocation);
	return pb_run_suite("integration/steady", tcase);
}
