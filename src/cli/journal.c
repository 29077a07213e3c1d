/* SPDX-License-Identifier: MIT */
/*
 * The journal keeps what a message is about beside its text: `journalctl PACKBRIDGE_PACK=house`.
 *
 * sd_journal_sendv() waits while journald does not read, for as long as that takes. So the same
 * datagrams are sent here without waiting: "NAME=value" and a newline for each field, or, when the
 * value has newlines, "NAME", a newline, its length in 64 bits, little endian, the value, a newline
 * (systemd: docs/JOURNAL_NATIVE_PROTOCOL.md). Messages are of limited length, far below what a
 * socket takes, so none ever needs a file instead.
 */
#include "journal.h"

#include "packbridge/base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { MESSAGE_CAP = 4096 };

/* One thread logs. */
static struct {
	int fd;
	struct sockaddr_un address;
} journal = {.fd = -1};

struct message {
	size_t len;
	char bytes[MESSAGE_CAP];
};

static void add_bytes(struct message *message, const void *bytes, size_t len)
{
	memcpy(message->bytes + message->len, bytes, len);
	message->len += len;
}

/* A field that does not fit is left out whole. */
static void journal_add_field(struct message *message, const char *name, const char *value)
{
	size_t name_len = strlen(name), len = value ? strlen(value) : 0;
	uint8_t size[8] = {0};

	if (!value || message->len + name_len + len + sizeof(size) + 2 > sizeof(message->bytes))
		return;
	add_bytes(message, name, name_len);
	if (strchr(value, '\n')) {
		pb_put_le16(size, (uint16_t)len); /* no more fits */
		add_bytes(message, "\n", 1);
		add_bytes(message, size, sizeof(size));
	} else {
		add_bytes(message, "=", 1);
	}
	add_bytes(message, value, len);
	add_bytes(message, "\n", 1);
}

static int send_message(const struct message *message)
{
	ssize_t n = sendto(journal.fd, message->bytes, message->len, MSG_DONTWAIT | MSG_NOSIGNAL,
			   (const struct sockaddr *)&journal.address, sizeof(journal.address));

	return n < 0 ? -errno : 0;
}

static int journal_line(enum pb_log_level level, const struct pb_log_about *about, const char *text)
{
	struct message message = {0};
	char priority[4], unit[8];

	snprintf(priority, sizeof(priority), "%d", (int)level);
	snprintf(unit, sizeof(unit), "%d", about->unit % 1000);
	journal_add_field(&message, "MESSAGE", text);
	journal_add_field(&message, "PRIORITY", priority);
	journal_add_field(&message, "SYSLOG_IDENTIFIER", program_invocation_short_name);
	journal_add_field(&message, "PACKBRIDGE_PACK", about->pack);
	journal_add_field(&message, "PACKBRIDGE_BANK", about->bank);
	journal_add_field(&message, "PACKBRIDGE_UNIT", about->unit ? unit : NULL);
	journal_add_field(&message, "PACKBRIDGE_ALARM", about->alarm);
	journal_add_field(&message, "PACKBRIDGE_ERROR", about->error);
	journal_add_field(&message, "PACKBRIDGE_LISTENER", about->listener);
	journal_add_field(&message, "PACKBRIDGE_CLIENT", about->client);
	return send_message(&message);
}

int pb_cli_journal_open(const char *path)
{
	if (strlen(path) >= sizeof(journal.address.sun_path))
		return -ENAMETOOLONG;
	if (journal.fd < 0)
		journal.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (journal.fd < 0)
		return -errno;
	/* its name each time: journald may be started anew */
	journal.address.sun_family = AF_UNIX;
	strcpy(journal.address.sun_path, path);
	pb_log_set_sink(journal_line);
	return 0;
}

void pb_cli_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM"), *path = getenv("PACKBRIDGE_JOURNAL");
	char own[48];
	struct stat err;

	if (!stream || fstat(STDERR_FILENO, &err) < 0)
		return;
	snprintf(own, sizeof(own), "%llu:%llu", (unsigned long long)err.st_dev,
		 (unsigned long long)err.st_ino);
	if (strcmp(own, stream) == 0)
		pb_cli_journal_open(path ? path : "/run/systemd/journal/socket");
}
