/* SPDX-License-Identifier: MIT */
/*
 * Simulated Daly and JK boards, told what a captured frame says, send that frame again: byte for
 * byte, but for what the model does not have.
 */
#include "frames.h"
#include "packbridge/sim.h"
#include "suite.h"

#include <string.h>

/* Bytes of a frame, the first and the one behind the last. */
struct span {
	size_t from, to;
};

/* clang-format off */
/* Byte of register @reg in a reply that begins with @first. */
#define AT(first, reg) (3 + 2 * ((size_t)(reg) - (first)))
#define REGS(first, from, last) {AT(first, from), AT(first, (last) + 1)}

/* One frame of A5: without what was left in the last byte, and its sum; all of it. */
#define A5_FRAME(n) {13 * (n), 13 * (n) + 11}
#define A5_WHOLE(n) {13 * (n), 13 * (n) + 13}

/*
 * Spans of the cells' frame, @shift: 0 for 24 slots, 32 for 32. Without the transistors, and
 * without the cells' extremes, which may be a moment older than the cells.
 */
#define JK_CELLS(shift)                                                                            \
	{0, 5}, {6, (shift) ? 78 : 62}, {(shift) + 118, (shift) + 134},                            \
	{(shift) + 136, (shift) + 140}, {(shift) + 141, (shift) + 154},                            \
	{(shift) + 158, (shift) + 159}, {(shift) + 166, (shift) + 168}

static const struct {
	const char *file, *id;
	const struct pb_sim_board *board;
	struct span spans[12];
} captures[] = {
	{"daly", "a5-4s-416-90", &pb_sim_daly_a5_wire, {A5_WHOLE(0)}},
	{"daly", "a5-14s-sr-90", &pb_sim_daly_a5, {A5_WHOLE(0)}},
	{"daly", "a5-16s-venus-90a", &pb_sim_daly_a5, {A5_WHOLE(0)}},
	{"daly", "a5-16s-venus-90b", &pb_sim_daly_a5, {A5_WHOLE(0)}},
	{"daly", "a5-12s-90", &pb_sim_daly_a5, {A5_WHOLE(0)}},
	/* behind the numbers: what was left of 0x90 */
	{"daly", "a5-14s-sr-91", &pb_sim_daly_a5, {{0, 10}}},
	{"daly", "a5-16s-venus-91a", &pb_sim_daly_a5, {{0, 10}}},
	{"daly", "a5-14s-sr-92", &pb_sim_daly_a5, {{0, 8}}},
	{"daly", "a5-16s-venus-92", &pb_sim_daly_a5, {{0, 8}}},
	{"daly", "a5-16s-kr-92", &pb_sim_daly_a5, {{0, 8}}},
	/* between them: the heartbeat */
	{"daly", "a5-14s-sr-93", &pb_sim_daly_a5, {{0, 7}, {8, 12}}},
	{"daly", "a5-16s-venus-93a", &pb_sim_daly_a5, {{0, 7}, {8, 12}}},
	{"daly", "a5-16s-kr-93", &pb_sim_daly_a5, {{0, 7}, {8, 12}}},
	{"daly", "a5-12s-93", &pb_sim_daly_a5, {{0, 7}, {8, 12}}},
	{"daly", "a5-4s-416-94", &pb_sim_daly_a5_wire, {A5_FRAME(0)}},
	{"daly", "a5-16s-venus-94", &pb_sim_daly_a5, {{0, 8}, {9, 11}}},
	{"daly", "a5-16s-kr-94", &pb_sim_daly_a5, {A5_WHOLE(0)}},
	/* places behind the last cell, too */
	{"daly", "a5-14s-sr-95", &pb_sim_daly_a5,
	 {A5_FRAME(0), A5_FRAME(1), A5_FRAME(2), A5_FRAME(3), A5_FRAME(4)}},
	{"daly", "a5-16s-kr-95", &pb_sim_daly_a5,
	 {A5_WHOLE(0), A5_WHOLE(1), A5_WHOLE(2), A5_WHOLE(3), A5_WHOLE(4), A5_WHOLE(5)}},
	{"daly", "a5-12s-95", &pb_sim_daly_a5,
	 {A5_FRAME(0), A5_FRAME(1), A5_FRAME(2), A5_FRAME(3)}},
	{"daly", "a5-16s-kr-96", &pb_sim_daly_a5, {A5_WHOLE(0), A5_WHOLE(1)}},
	{"daly", "a5-16s-kr-97", &pb_sim_daly_a5, {A5_WHOLE(0)}},
	/* up to the transistors */
	{"daly", "d2-16s-blue80-a", &pb_sim_daly_d2, {{0, AT(0, 0x42)}}},
	{"daly", "d2-16s-blue80-b", &pb_sim_daly_d2, {{0, AT(0, 0x42)}}},
	{"daly", "d2-16s-blue80-c", &pb_sim_daly_d2, {{0, AT(0, 0x42)}}},
	/* its places without a probe are marked, and there is a warning, which the model has not */
	{"daly", "d2-16s-it-status", &pb_sim_daly_d2,
	 {{0, AT(0, 0x22)}, REGS(0, 0x28, 0x3A), REGS(0, 0x3C, 0x3D)}},
	/* its author has edited the state */
	{"daly", "d2-4s-aio-status", &pb_sim_daly_d2,
	 {{0, AT(0, 0x2D)}, REGS(0, 0x30, 0x38), REGS(0, 0x3A, 0x3D)}},
	/* without the limits that the owner has set */
	{"daly", "d2-16s-it-settings", &pb_sim_daly_d2,
	 {{0, AT(0x80, 0x81)}, REGS(0x80, 0x82, 0x85), REGS(0x80, 0xA5, 0xA7)}},
	{"daly", "d2-settings-soc68", &pb_sim_daly_d2,
	 {{0, AT(0x80, 0x81)}, REGS(0x80, 0x82, 0x88), REGS(0x80, 0xA5, 0xA7)}},
	{"daly", "p81-16s-ess-cells", &pb_sim_daly_p81, {{0, AT(0, 0x3B)}, REGS(0, 0x3C, 0x3F)}},
	{"daly", "p81-16s-ess-status", &pb_sim_daly_p81,
	 {{0, 3}, REGS(0x41, 0x48, 0x48), REGS(0x41, 0x4B, 0x4C), REGS(0x41, 0x4F, 0x55),
	  REGS(0x41, 0x57, 0x58)}},
	{"daly", "p81-16s-ess-settings", &pb_sim_daly_p81,
	 {{0, 3}, REGS(0x100, 0x101, 0x101), REGS(0x100, 0x109, 0x10C)}},
	{"jk", "jk-b2a24s20p-1007-02", &pb_sim_jk_24s, {JK_CELLS(0)}},
	{"jk", "jk-b2a8s20p-1117-02", &pb_sim_jk_32s, /* it balances */
	 {{0, 5}, {6, 78}, {150, 166}, {173, 186}, {190, 191}, {198, 200}}},
	{"jk", "jk-pb2a16s20p-1927-02", &pb_sim_jk_new, {JK_CELLS(32), {78, 80}, {256, 260}}},
	/* hardware, software, name, date */
	{"jk", "jk-b2a24s20p-1007-03", &pb_sim_jk_24s, {{0, 5}, {22, 38}, {46, 62}, {78, 84}}},
	{"jk", "jk-b2a24s20p-1007-01", &pb_sim_jk_24s, {{0, 5}, {114, 126}, {130, 134}}},
};
/* clang-format on */

static bool take(const struct captured *captured, const char *key, int64_t scale, int64_t *ret)
{
	const json_t *value = captured_expect(captured, key);
	double scaled = json_number_value(value) * (double)scale;

	if (!value)
		return false;
	*ret = json_is_boolean(value) ? json_is_true(value)
				      : (int64_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
	return true;
}

static int64_t number(const struct captured *captured, const char *key, int64_t scale)
{
	int64_t value = 0;

	take(captured, key, scale, &value);
	return value;
}

/* @return how many there are. */
static int list(const struct captured *captured, const char *key, int32_t *out, int at, int max)
{
	const json_t *value, *values = captured_expect(captured, key);
	size_t i;

	json_array_foreach(values, i, value)
	{
		double scaled = json_number_value(value) * 1000;

		if (at < max)
			out[at++] = (int32_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
	}
	return at;
}

static void tell_cells(const struct captured *captured, struct pb_sample *s)
{
	int64_t count;

	s->cell_count = list(captured, "cell_voltages_v", s->cell_mv, 0, PB_CELLS_MAX);
	if (!s->cell_count)
		s->cell_count = list(captured, "cell_slots_v", s->cell_mv, 0, PB_CELLS_MAX);
	/* slots behind the last cell are not told */
	if (strcmp(captured->id, "a5-14s-sr-95") == 0)
		s->cell_count = 14;
	if (strcmp(captured->id, "a5-16s-kr-95") == 0)
		s->cell_count = 16;
	if (take(captured, "cell_count", 1, &count) || take(captured, "board1_cells", 1, &count))
		s->cell_count = (int32_t)count;
	s->cell_has = (UINT64_C(1) << s->cell_count) - 1;
	s->has |= PB_HAS(PB_HAS_CELLS);
}

/* The list has the bytes 258, 256 and 254: probes 4 and 3, and the transistors once more. */
static int more_probes(const struct captured *captured, int32_t *mc, int n)
{
	int32_t backwards[PB_TEMPERATURES_MAX];

	list(captured, "temperatures345_c", backwards, 0, 2);
	mc[n] = backwards[1];
	mc[n + 1] = backwards[0];
	return n + 2;
}

static void tell_temperatures(const struct captured *captured, struct pb_sample *s)
{
	int64_t count;
	int n = list(captured, "temperatures_c", s->temperature_mc, 0, PB_TEMPERATURES_MAX);

	if (captured_expect(captured, "temperatures345_c"))
		n = more_probes(captured, s->temperature_mc, n);
	if (captured_expect(captured, "temperature_slots_c")) {
		list(captured, "temperature_slots_c", s->temperature_mc, 0, 1);
		n = 1;
	}
	if (take(captured, "max_temperature_c", 1000, &count)) {
		s->temperature_mc[0] = (int32_t)count;
		n = 1;
	}
	if (take(captured, "temperature_count", 1, &count) ||
	    take(captured, "board1_probes", 1, &count))
		n = (int)count;
	s->temperature_count = n;
	s->temperature_has = (UINT64_C(1) << n) - 1;
	s->has |= PB_HAS(PB_HAS_TEMPERATURES);
}

static void tell_pack(const struct captured *captured, struct pb_sample *s)
{
	const char *state = json_string_value(captured_expect(captured, "state"));
	int64_t capacity;

	if (!state)
		state = json_string_value(captured_expect(captured, "mode"));
	s->voltage_mv = (int32_t)number(captured, "total_voltage_v", 1000);
	if (captured_expect(captured, "current_a"))
		s->current_ma = (int32_t)number(captured, "current_a", 1000);
	else if (state)
		s->current_ma = strcmp(state, "discharging") == 0 ? -1000
				: strcmp(state, "charging") == 0  ? 1000
								  : 0;
	s->soc_permille = (int32_t)(number(captured, "soc_percent", 10) +
				    number(captured, "soc_setting_percent", 10));
	s->remaining_mah = number(captured, "capacity_remaining_ah", 1000);
	/* the boards divide by it */
	capacity = number(captured, "capacity_full_ah", 1000);
	s->nominal_mah = s->full_mah = capacity ? capacity : 1000;
	s->cycles = (int32_t)number(captured, "cycles", 1);
	s->charge_fet = number(captured, "charge_fet", 1) || number(captured, "charge_switch", 1);
	s->discharge_fet =
		number(captured, "discharge_fet", 1) || number(captured, "discharge_switch", 1);
	s->balance_mask = (uint64_t)number(captured, "balance_mask", 1);
	if (!captured_expect(captured, "balance_masks"))
		s->balance_mask |= (uint64_t)number(captured, "balancing_raw", 1);
	s->production_date = 20220511; /* of the one frame that has it */
	snprintf(s->device_name, sizeof(s->device_name), "JK-B2A24S20P");
}

/* What boards say of cells as a whole does not always agree with the cells. */
static void tell_summary(const struct captured *captured, struct pb_sample *s)
{
	static const struct {
		const char *key;
		size_t offset;
		int64_t scale;
	} rows[] = {
		{"max_cell_v", offsetof(struct pb_sample, cell_max_mv), 1000},
		{"min_cell_v", offsetof(struct pb_sample, cell_min_mv), 1000},
		{"mean_cell_v", offsetof(struct pb_sample, cell_avg_mv), 1000},
		{"delta_cell_v", offsetof(struct pb_sample, cell_delta_mv), 1000},
		{"max_cell_no", offsetof(struct pb_sample, cell_max_index), 1},
		{"min_cell_no", offsetof(struct pb_sample, cell_min_index), 1},
	};
	int64_t value;

	for (size_t i = 0; i < PB_ARRAY_SIZE(rows); i++)
		if (take(captured, rows[i].key, rows[i].scale, &value))
			*(int32_t *)((char *)s + rows[i].offset) = (int32_t)value;
	if (take(captured, "power_raw_w", 1000, &value) || take(captured, "power_w", 1000, &value))
		s->power_mw = value;
}

/* What the captured frame says, as a reading. */
static void tell(const struct captured *captured, struct pb_sample *s)
{
	memset(s, 0, sizeof(*s));
	tell_cells(captured, s);
	tell_temperatures(captured, s);
	tell_pack(captured, s);
	s->has |= PB_HAS(PB_HAS_VOLTAGE) | PB_HAS(PB_HAS_CURRENT);
	pb_sample_derive(s);
	tell_summary(captured, s);
}

static void find(const json_t *root, const char *id, struct captured *ret)
{
	for (size_t i = 0; i < json_array_size(json_object_get(root, "entries")); i++) {
		captured_get(root, i, ret);
		if (strcmp(ret->id, id) == 0)
			return;
	}
	ck_abort_msg("no capture '%s'", id);
}

/* Of JK, type 02 comes by itself; the modem's command before it is no part of the frame. */
static size_t ask(const struct pb_sim_board *board, const struct captured *captured,
		  const struct pb_sample *sample, uint8_t *bytes)
{
	const char *hex = json_string_value(json_object_get(captured->entry, "request_hex"));
	struct pb_sim_talk talk = {.asked = UINT8_MAX >> 6};
	uint8_t request[32];
	int request_len = pb_hex_parse(hex, request, sizeof(request));
	size_t len;

	ck_assert_int_gt(request_len, 0);
	if (json_integer_value(json_object_get(captured->entry, "frame_type")) != 2)
		return board->answer(board, &talk, sample, request, (size_t)request_len, bytes);
	len = board->stream(board, &talk, sample, bytes);
	if (memcmp(bytes, "AT\r\n", 4) == 0) {
		len -= 4;
		memmove(bytes, bytes + 4, len);
	}
	return len;
}

START_TEST(same_bytes)
{
	uint8_t bytes[PB_SIM_REPLY_MAX];
	struct captured captured;
	struct pb_sample sample;
	char file[32];
	json_t *root;
	size_t len;

	snprintf(file, sizeof(file), "%s/frames.json", captures[_i].file);
	root = captured_load(file);
	find(root, captures[_i].id, &captured);
	tell(&captured, &sample);
	len = ask(captures[_i].board, &captured, &sample, bytes);
	ck_assert_uint_ge(len, captured.len);
	ck_assert_uint_gt(captures[_i].spans[0].to, 0);
	for (size_t i = 0; i < PB_ARRAY_SIZE(captures[_i].spans); i++) {
		struct span span = captures[_i].spans[i];

		ck_assert_uint_le(span.to, captured.len);
		for (size_t at = span.from; at < span.to; at++)
			ck_assert_msg(bytes[at] == captured.bytes[at],
				      "%s: byte %zu is %02X, captured %02X", captured.id, at,
				      bytes[at], captured.bytes[at]);
	}
	json_decref(root);
}
END_TEST

/* Behind JK's answers, whatever was asked. */
START_TEST(acknowledgement)
{
	static const uint8_t ready[20] = {0xAA, 0x55, 0x90, 0xEB, 0xC8, 1, 1, [19] = 0x44};
	uint8_t request[20] = {0xAA, 0x55, 0x90, 0xEB, 0x96, [19] = 0x10};
	struct pb_sample sample = {.nominal_mah = 1000};
	uint8_t bytes[PB_SIM_REPLY_MAX];
	struct pb_sim_talk talk = {0};

	for (int i = 0; i < 2; i++, request[4]++, request[19]++) {
		ck_assert_uint_eq(pb_sim_jk_32s.answer(&pb_sim_jk_32s, &talk, &sample, request,
						       sizeof(request), bytes),
				  320);
		ck_assert_mem_eq(bytes + 300, ready, sizeof(ready));
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("captures");

	tcase_add_loop_test(tcase, same_bytes, 0, PB_ARRAY_SIZE(captures));
	tcase_add_test(tcase, acknowledgement);
	return pb_run_suite("sim/captures", tcase);
}
