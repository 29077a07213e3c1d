/* SPDX-License-Identifier: MIT */
/*
 * Daly's A5: commands with 8 bytes of data. Big endian.
 *
 *	request  A5 host cmd 08 00*8 sum     reply  A5 01 cmd 08 data*8 sum
 *
 * Cells and temperatures come in several frames, numbered from 1; slots beyond the count hold what
 * was in the frame before. Hosts are 80 (Bluetooth) and 40 (wires, and some Bluetooth modules); a
 * wrong one is not answered.
 *
 * Source: docs/protocols/daly.md
 */
#include "codec.h"
#include "daly.h"
#include "packbridge/base.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	A5 = DALY_A5,
	A5_BMS = 0x01,		/* board 1; others count on */
	A5_WIRE = DALY_A5_WIRE, /* the host that asks board 1 */
	A5_DATA = 8,
	A5_LEN = 4 + A5_DATA + 1,

	CELLS_A_FRAME = 3,
	PROBES_A_FRAME = 7,
	FROM_ZERO = 1, /* pb_sample.carry.layout */
};

/* Behind the first two bytes. */
static int a5_rest(const uint8_t *buf, size_t len, struct pb_frame *ret)
{
	if (len > 3 && buf[3] != A5_DATA)
		return -EPROTO;
	if (len < 4)
		return PB_FRAME_MORE;
	ret->len = A5_LEN;
	if (len < A5_LEN)
		return PB_FRAME_MORE;
	ret->command = buf[2];
	ret->in_parts = buf[2] == 0x95 || buf[2] == 0x96;
	ret->payload = buf + 4;
	ret->payload_len = A5_DATA;
	return bms_checksum(ret, 2, buf[A5_LEN - 1], bms_sum(buf, A5_LEN - 1) & 0xFF);
}

static int a5_frame(const uint8_t *buf, size_t len, const struct pb_query *pending,
		    struct pb_frame *ret)
{
	static const uint8_t head[] = {A5, A5_BMS};

	(void)pending; /* every frame names its command, and those of others are taken whole */
	*ret = (struct pb_frame){.bytes = buf};
	if (len == 0)
		return PB_FRAME_MORE;
	if (buf[0] == DALY_GREETING)
		return daly_greeting_frame(buf, len, ret);
	if (memcmp(buf, head, len < sizeof(head) ? len : sizeof(head)) != 0)
		return -EPROTO;
	return a5_rest(buf, len, ret);
}

/*
 * Board n of a line is asked with host 3F + n and answers with n. A line has requests and replies
 * of all its boards on it.
 */
static int a5_multidrop_frame(const uint8_t *buf, size_t len, const struct pb_query *pending,
			      struct pb_frame *ret)
{
	uint8_t own = pending ? (uint8_t)(pending->bytes[1] - A5_WIRE + 1) : 0;
	bool reply;

	*ret = (struct pb_frame){.bytes = buf, .kind = PB_FRAME_OTHER};
	if (len > 0 && buf[0] != A5)
		return -EPROTO;
	if (len < 2)
		return PB_FRAME_MORE;
	reply = buf[1] >= A5_BMS && buf[1] < A5_BMS + DALY_BOARDS;
	if (!reply && (buf[1] < A5_WIRE || buf[1] >= A5_WIRE + DALY_BOARDS))
		return -EPROTO;
	ret->address = (uint8_t)(reply ? buf[1] : buf[1] - A5_WIRE + 1);
	if (reply && ret->address == own)
		ret->kind = PB_FRAME_REPLY;
	return a5_rest(buf, len, ret);
}

static void a5_request(const struct pb_query *query, uint8_t address, struct pb_query *out)
{
	(void)query;
	out->bytes[1] = (uint8_t)(A5_WIRE - 1 + address);
	out->bytes[A5_LEN - 1] = (uint8_t)bms_sum(out->bytes, A5_LEN - 1);
}

static void a5_pack(const uint8_t *p, struct pb_sample *s)
{
	s->voltage_mv = pb_get_be16(p) * 100;
	s->current_ma = -daly_current_ma(pb_get_be16(p + 4)); /* the other way round than D2 */
	s->soc_permille = pb_get_be16(p + 6);
	s->has |= PB_HAS(PB_HAS_VOLTAGE) | PB_HAS(PB_HAS_CURRENT) | PB_HAS(PB_HAS_SOC);
}

static int a5_counts(const uint8_t *p, struct pb_sample *s)
{
	s->cell_count = p[0];
	s->cycles = pb_get_be16(p + 5);
	s->has |= PB_HAS(PB_HAS_CELLS) | PB_HAS(PB_HAS_CYCLES);
	if (p[0] == 0 || p[0] > PB_CELLS_MAX)
		return -EPROTO;
	s->carry.cells = p[0];
	s->carry.probes = p[1];
	if (p[1] <= PB_TEMPERATURES_MAX)
		return 0;
	s->carry.probes = 0;
	s->temperature_count = p[1];
	s->has |= PB_HAS(PB_HAS_TEMPERATURES);
	return 0;
}

/*
 * Without a count (`decode` of single frames) every slot is shown. A frame 0 means that this board
 * counts from 0, and that its other frames are not what they seem: no reading in this connection.
 */
static int daly_a5_cells(const uint8_t *p, struct pb_sample *s)
{
	unsigned int count = s->carry.cells ? s->carry.cells : PB_CELLS_MAX;
	unsigned int first = (p[0] - 1u) * CELLS_A_FRAME;

	if (p[0] == 0)
		s->carry.layout = FROM_ZERO;
	if (s->carry.layout == FROM_ZERO)
		return -EPROTO;
	for (unsigned int i = 0; i < CELLS_A_FRAME && first + i < count; i++) {
		s->cell_mv[first + i] = pb_get_be16(p + 1 + 2 * (size_t)i);
		s->cell_has |= UINT64_C(1) << (first + i);
		if (!s->carry.cells)
			s->cell_count = (int32_t)(first + i + 1);
	}
	s->has |= PB_HAS(PB_HAS_CELLS);
	return s->carry.cells && s->cell_has != (UINT64_C(1) << count) - 1;
}

/* Only accepts frames in order: a slot without a probe does not show whether its frame arrived. */
static int daly_a5_probes(const uint8_t *p, struct pb_sample *s)
{
	bool known = s->carry.cells;
	unsigned int count = known ? s->carry.probes : PB_TEMPERATURES_MAX;
	unsigned int first = (p[0] - 1u) * PROBES_A_FRAME;

	if (p[0] == 0)
		return -EPROTO;
	if (known && count > 0 && (first >= count || s->temperature_count != (int32_t)first))
		return 1;
	for (unsigned int i = 0; i < PROBES_A_FRAME && first + i < count; i++) {
		daly_put_probe(s, first + i, p[1 + i]);
		s->temperature_count = (int32_t)(first + i + 1);
	}
	s->has |= PB_HAS(PB_HAS_TEMPERATURES);
	return known && first + PROBES_A_FRAME < count;
}

static uint64_t le_bits(const uint8_t *p, size_t bytes)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < bytes; i++)
		bits |= (uint64_t)p[i] << 8 * i;
	return bits;
}

static int a5_decode(const struct pb_frame *frame, struct pb_sample *s)
{
	const uint8_t *p = frame->payload;

	if (frame->kind != PB_FRAME_REPLY)
		return 0;
	switch (frame->command) {
	case 0x50:
		daly_put_capacity(s, &s->nominal_mah, PB_HAS_NOMINAL, pb_get_be32(p));
		return 0;
	case 0x90:
		a5_pack(p, s);
		return 0;
	case 0x93:
		daly_put_switches(s, p[1], p[2]);
		s->remaining_mah = pb_get_be32(p + 4);
		s->has |= PB_HAS(PB_HAS_REMAINING);
		return 0;
	case 0x94:
		return a5_counts(p, s);
	case 0x95:
		return daly_a5_cells(p, s);
	case 0x96:
		return daly_a5_probes(p, s);
	case 0x97:
		s->balance_mask = le_bits(p, 6);
		s->has |= PB_HAS(PB_HAS_BALANCE);
		return 0;
	case 0x98:
		daly_put_alarms(s, le_bits(p, 7));
		return 0;
	default:
		return 0;
	}
}

static void a5_explain(const uint8_t *buf, size_t len, int reason, const struct pb_frame *frame,
		       char *out, size_t cap)
{
	if (bms_explain(len, A5_LEN, reason, frame, out, cap))
		return;
	if (buf[0] != A5)
		snprintf(out, cap, "no start byte: expected A5, found %02X", buf[0]);
	else if (len > 1 && (buf[1] == 0x40 || buf[1] == 0x80))
		snprintf(out, cap, "a request of host %02X, not a reply", buf[1]);
	else if (len > 1 && buf[1] != A5_BMS)
		snprintf(out, cap, "sent by %02X, expected 01", buf[1]);
	else
		snprintf(out, cap, "%u bytes of data, expected 8", len > 3 ? buf[3] : 0U);
}

static const struct pb_bound a5_bounds[] = {DALY_BOUNDS, {0}};

/*
 * The data of a request means nothing. On wires, requests whose data is 00 get lost far more often
 * than with AA, which has an edge in every bit [docs/protocols/daly.md].
 */
#define A5_QUERY(host, fill, cmd)                                                                  \
	.command = (cmd), .len = A5_LEN,                                                           \
	.bytes = {A5,                                                                              \
		  (host),                                                                          \
		  (cmd),                                                                           \
		  A5_DATA,                                                                         \
		  (fill),                                                                          \
		  (fill),                                                                          \
		  (fill),                                                                          \
		  (fill),                                                                          \
		  (fill),                                                                          \
		  (fill),                                                                          \
		  (fill),                                                                          \
		  (fill),                                                                          \
		  (A5 + (host) + (cmd) + A5_DATA + A5_DATA * (fill)) & 0xFF}

/* The counts go before the cells: they cut them. */
#define A5_PLAN(host, fill)                                                                        \
	{                                                                                          \
		{"pack", .required = true, A5_QUERY(host, fill, 0x90)},                            \
			{"counts", .required = true, A5_QUERY(host, fill, 0x94)},                  \
			{"cells", .required = true, A5_QUERY(host, fill, 0x95)},                   \
			{"switches", A5_QUERY(host, fill, 0x93)},                                  \
			{"temperatures", A5_QUERY(host, fill, 0x96)},                              \
			{"balance", A5_QUERY(host, fill, 0x97)},                                   \
			{"alarms", A5_QUERY(host, fill, 0x98)},                                    \
			{"capacity", .when = PB_ONCE_AFTER, .brings = PB_HAS(PB_HAS_NOMINAL),      \
			 A5_QUERY(host, fill, 0x50)},                                              \
	}

static const struct pb_query a5_queries[] = A5_PLAN(DALY_A5_RADIO, 0x00);
static const struct pb_query a5_wire_queries[] = A5_PLAN(DALY_A5_WIRE, 0xAA);

const struct pb_codec daly_a5_multidrop = {
	.name = "daly",
	.dialect = "A5",
	.addresses = DALY_BOARDS,
	.queries = a5_wire_queries,
	.query_count = PB_ARRAY_SIZE(a5_wire_queries),
	.bounds = a5_bounds,
	.frame = a5_multidrop_frame,
	.decode = a5_decode,
	.request = a5_request,
	.dialogue = daly_a5_multidrop_dialogue,
	.explain = a5_explain,
};

static const struct pb_codec a5_wire_codec = {
	.name = "daly",
	.dialect = "A5, host 40",
	.queries = a5_wire_queries,
	.query_count = PB_ARRAY_SIZE(a5_wire_queries),
	.bounds = a5_bounds,
	.frame = a5_frame,
	.decode = a5_decode,
	.dialogue = daly_a5_wire_dialogue,
	.explain = a5_explain,
};

const struct pb_codec daly_a5_codec = {
	.name = "daly",
	.dialect = "A5",
	.next = &a5_wire_codec,
	.queries = a5_queries,
	.query_count = PB_ARRAY_SIZE(a5_queries),
	.bounds = a5_bounds,
	.frame = a5_frame,
	.decode = a5_decode,
	.dialogue = daly_a5_dialogue,
	.explain = a5_explain,
};
