/* SPDX-License-Identifier: MIT */
/*
 * Any text as packbridge.yaml. What is taken holds what the header promises. What stands behind a
 * NUL is in a file, which the text can name: "/proc/self/fd/200".
 */
#include "packbridge/config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FILE_FD = 200, PASSWORD_MAX = 6 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct pb_config *config)
{
	bool units[256] = {false};

	for (size_t i = 0; i < config->pack_count; i++) {
		const struct pb_pack_config *pack = &config->packs[i];

		assert(pack->unit >= 1 && pack->unit <= 247 && !units[pack->unit]);
		units[pack->unit] = true;
		assert(*pack->name && memchr(pack->name, 0, sizeof(pack->name)));
		assert(pack->poll_ms >= 100 && pack->tries >= 1 && pack->stale_after_s >= 1);
		assert(strlen(pack->password) <= PASSWORD_MAX && !strchr(pack->password, ' '));
		assert(!pack->password_file[0] || pack->password[0]);
		for (size_t n = 0; n < pack->limits.charge_by_cell.count; n++)
			assert(pack->limits.charge_by_cell.points[n].permille <= 1000);
	}
	for (size_t i = 0; i < config->bank_count; i++) {
		const struct pb_bank_config *bank = &config->banks[i];

		assert(bank->unit >= 1 && bank->unit <= 247 && !units[bank->unit]);
		units[bank->unit] = true;
		assert(bank->pack_count >= 1 && bank->pack_count <= PB_MEMBERS_MAX);
		for (size_t n = 0; n < bank->pack_count; n++)
			assert(bank->packs[n] < config->pack_count);
	}
	for (size_t i = 0; i < config->listen_count; i++)
		assert(config->listens[i].kind < PB_LISTEN_KINDS && config->listens[i].address[0]);
}

static void write_file(const uint8_t *bytes, size_t len)
{
	static int file = -1;

	if (file < 0) {
		file = memfd_create("file", MFD_CLOEXEC);
		if (file < 0 || dup2(file, FILE_FD) < 0)
			abort();
	}
	if (ftruncate(file, 0) < 0 || pwrite(file, bytes, len, 0) != (ssize_t)len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = memchr(data, 0, size), *file = nul ? nul + 1 : data + size;
	struct pb_report report = {0};
	struct pb_config *config = NULL;
	int r;

	write_file(file, (size_t)(data + size - file));
	r = pb_config_parse(&config, "f", (const char *)data, nul ? (size_t)(nul - data) : size,
			    &report);
	assert((r < 0) == (config == NULL) && (r < 0) == (report.count > 0));
	if (config)
		check(config);
	pb_config_free(config);
	pb_report_clear(&report);
	return 0;
}
