/* SPDX-License-Identifier: MIT */
/*
 * A ring of the last exchanges of a listener, printed for a person.
 *
 *	each request ──▶ trace_add(): copies it into the ring; the oldest is overwritten
 *	each question ──▶ trace_tell(): prints those since the last question
 *
 * trace_tell() creates the ring, trace_add() frees it TRACE_MS after the last question.
 */
#include "trace.h"

#include "packbridge/base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	TRACE_KEPT = 128,
	TRACE_TELL = 64, /* exchanges in one answer: a millisecond's work */
	TRACE_MS = 5000,
};

struct kept {
	struct timespec when;
	char peer[64];
	uint8_t unit;
	size_t request_len, reply_len;
	uint8_t request[PB_PDU_MAX], reply[PB_PDU_MAX];
};

struct trace {
	uint64_t next; /* number of the exchange to come, from 1 */
	uint64_t asked_ms;
	struct kept kept[TRACE_KEPT]; /* by their number */
};

void trace_add(struct trace **trace, const struct trace_exchange *exchange, uint64_t now_ms)
{
	struct kept *kept;

	if (now_ms - (*trace)->asked_ms > TRACE_MS) {
		*trace = trace_free(*trace);
		return;
	}
	kept = &(*trace)->kept[(*trace)->next++ % TRACE_KEPT];
	clock_gettime(CLOCK_REALTIME, &kept->when);
	snprintf(kept->peer, sizeof(kept->peer), "%s", exchange->peer);
	kept->unit = exchange->unit;
	kept->request_len = exchange->request_len;
	kept->reply_len = exchange->reply_len;
	memcpy(kept->request, exchange->request, kept->request_len);
	if (kept->reply_len)
		memcpy(kept->reply, exchange->reply, kept->reply_len);
}

/* ---- in words ---- */

/* Functions whose requests are an address and a count. */
static const struct {
	uint8_t function;
	const char *what;
} ranges[] = {
	{0x01, "reads coils"},
	{0x02, "reads discrete inputs"},
	{0x03, "reads holding registers"},
	{0x04, "reads input registers"},
	{0x0F, "writes coils"},
	{0x10, "writes holding registers"},
};

static const struct {
	uint8_t function;
	const char *what;
} others[] = {
	{0x05, "writes a coil"},
	{0x06, "writes a holding register"},
	{0x07, "reads the status"},
	{0x08, "diagnostics"},
	{0x0B, "reads the counter"},
	{0x11, "asks for the server's id"},
	{0x16, "masks a register"},
	{0x17, "reads and writes registers"},
	{0x2B, "asks for the device's identification"},
};

static const char *exception_text(uint8_t code)
{
	switch (code) {
	case PB_EXCEPTION_ILLEGAL_FUNCTION:
		return "no such function";
	case PB_EXCEPTION_ILLEGAL_ADDRESS:
		return "no such address";
	case PB_EXCEPTION_ILLEGAL_VALUE:
		return "a value that is not allowed: the count, or what is to be written";
	case PB_EXCEPTION_DEVICE_FAILURE:
		return "device failure";
	case PB_EXCEPTION_DEVICE_BUSY:
		return "busy";
	case PB_EXCEPTION_GATEWAY_PATH:
		return "no such unit";
	case PB_EXCEPTION_GATEWAY_TARGET:
		return "the reading is stale, or there is none";
	default:
		return "?";
	}
}

static void print_request(const struct kept *kept, FILE *out)
{
	uint8_t function = kept->request[0];

	for (size_t i = 0; i < PB_ARRAY_SIZE(ranges) && kept->request_len >= 5; i++) {
		unsigned int addr = pb_get_be16(kept->request + 1);
		unsigned int count = pb_get_be16(kept->request + 3);

		if (ranges[i].function != function)
			continue;
		fprintf(out, "%s %u to %u", ranges[i].what, addr, addr + count - (count > 0));
		return;
	}
	for (size_t i = 0; i < PB_ARRAY_SIZE(others); i++)
		if (others[i].function == function) {
			fputs(others[i].what, out);
			return;
		}
	fprintf(out, "function %02X", function);
}

static void print_hex(const uint8_t *bytes, size_t len, char separator, FILE *out)
{
	char hex[3 * PB_PDU_MAX + 1];

	pb_hex_print(hex, sizeof(hex), bytes, len, separator);
	fputs(hex, out);
}

static bool reads_registers(const struct kept *kept)
{
	uint8_t function = kept->reply_len ? kept->reply[0] : 0;

	return function == 0x03 || function == 0x04 || function == 0x17;
}

/*
 * The words of a reply to a read. Behind the function stands one byte with the number of bytes, or,
 * in maps with `reply_format: word-count`, two with that of words: the length is odd then alone.
 */
static void print_words(const struct kept *kept, FILE *out)
{
	size_t head = 2 + kept->reply_len % 2, count;

	if (!reads_registers(kept) || kept->reply_len <= head)
		return;
	count = (kept->reply_len - head) / 2;
	fprintf(out, "    %zu word%s:", count, count == 1 ? "" : "s");
	for (size_t i = 0; i < count; i++)
		fprintf(out, " %u", pb_get_be16(kept->reply + head + 2 * i));
	fputc('\n', out);
}

static void print_reply(const struct kept *kept, FILE *out)
{
	if (kept->reply_len == 0) {
		fputs("  < no reply\n", out);
		return;
	}
	fputs("  < ", out);
	print_hex(kept->reply, kept->reply_len, ' ', out);
	if (kept->reply[0] & 0x80 && kept->reply_len > 1)
		fprintf(out, ": exception %02X, %s", kept->reply[1],
			exception_text(kept->reply[1]));
	fputc('\n', out);
	print_words(kept, out);
}

static void print_kept(const struct kept *kept, FILE *out)
{
	struct tm local;
	char clock[16];

	localtime_r(&kept->when.tv_sec, &local);
	strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	fprintf(out, "%s.%03ld %s unit %u: ", clock, kept->when.tv_nsec / 1000000, kept->peer,
		kept->unit);
	print_request(kept, out);
	fputs("\n  > ", out);
	print_hex(kept->request, kept->request_len, ' ', out);
	fputc('\n', out);
	print_reply(kept, out);
}

int trace_tell(struct trace **trace, uint64_t since, uint64_t now_ms, FILE *out)
{
	uint64_t oldest, end;

	if (*trace && now_ms - (*trace)->asked_ms > TRACE_MS)
		*trace = trace_free(*trace);
	if (!*trace) {
		*trace = calloc(1, sizeof(**trace));
		if (!*trace)
			return -ENOMEM;
		(*trace)->next = 1;
	}
	(*trace)->asked_ms = now_ms;
	oldest = (*trace)->next > TRACE_KEPT ? (*trace)->next - TRACE_KEPT : 1;
	if (since == 0 || since > (*trace)->next) /* of an earlier trace */
		since = (*trace)->next;
	end = (*trace)->next;
	if (end - (since > oldest ? since : oldest) > TRACE_TELL)
		end = (since > oldest ? since : oldest) + TRACE_TELL;
	fprintf(out, "trace %llu %llu\n", (unsigned long long)end,
		(unsigned long long)(since < oldest ? oldest - since : 0));
	for (uint64_t i = since > oldest ? since : oldest; i < end; i++)
		print_kept(&(*trace)->kept[i % TRACE_KEPT], out);
	return 0;
}

struct trace *trace_free(struct trace *trace)
{
	free(trace);
	return NULL;
}
