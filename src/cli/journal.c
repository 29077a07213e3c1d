/* SPDX-License-Identifier: MIT */
/*
 * The journal keeps what a message is about beside its text: `journalctl PACKBRIDGE_PACK=house`.
 */
#include "journal.h"

#include "packbridge/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

enum { FIELDS_MAX = 10, FIELD_SIZE = 1100 };

struct message {
	int count;
	struct iovec fields[FIELDS_MAX];
	char text[FIELDS_MAX][FIELD_SIZE];
};

static void add(struct message *message, const char *name, const char *value)
{
	struct iovec *field = &message->fields[message->count];
	char *text = message->text[message->count];

	if (!value)
		return;
	snprintf(text, FIELD_SIZE, "%s=%s", name, value);
	*field = (struct iovec){text, strlen(text)};
	message->count++;
}

static void send_line(enum pb_log_level level, const struct pb_log_about *about, const char *text)
{
	static struct message message; /* large; there is one thread that logs */
	char priority[4], unit[8];

	snprintf(priority, sizeof(priority), "%d", (int)level);
	snprintf(unit, sizeof(unit), "%d", about->unit % 1000);
	message.count = 0;
	add(&message, "MESSAGE", text);
	add(&message, "PRIORITY", priority);
	add(&message, "PACKBRIDGE_PACK", about->pack);
	add(&message, "PACKBRIDGE_BANK", about->bank);
	add(&message, "PACKBRIDGE_UNIT", about->unit ? unit : NULL);
	add(&message, "PACKBRIDGE_ALARM", about->alarm);
	add(&message, "PACKBRIDGE_ERROR", about->error);
	add(&message, "PACKBRIDGE_LISTENER", about->listener);
	add(&message, "PACKBRIDGE_CLIENT", about->client);
	if (sd_journal_sendv(message.fields, message.count) < 0)
		fprintf(stderr, "<%d>%s\n", (int)level, text); /* the pipe is there as well */
}

void pb_cli_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[48];
	struct stat err;

	if (!stream || fstat(STDERR_FILENO, &err) < 0)
		return;
	snprintf(own, sizeof(own), "%llu:%llu", (unsigned long long)err.st_dev,
		 (unsigned long long)err.st_ino);
	if (strcmp(own, stream) == 0)
		pb_log_set_sink(send_line);
}
