/* SPDX-License-Identifier: MIT */
/* What clients see of batteries, through the responder, as they see it. */
#include "plant_bench.h"
#include "suite.h"

/* Of maps/packbridge.yaml and maps/packbridge-gateway.yaml. */
enum { QUALITY = 1, SEQUENCE = 2, AGE_S = 3, HEARTBEAT = 4, VOLTAGE = 16, DETAILS = 54 };
enum { GATEWAY_ONLINE = 5, GATEWAY_STALE = 6, GATEWAY_CLIENTS = 7, GATEWAY_UNITS = 100 };

static size_t ask(int unit, const uint8_t *pdu, size_t len, uint8_t *reply)
{
	const struct pb_image *image =
		pb_plant_image(pb_plant_table(bench.plant, 0), (uint8_t)unit, bench.now_ms);

	return pb_modbus_reply(NULL, image, pdu, len, reply);
}

/* @return the register; an exception as a negative number */
static int get(int unit, int addr)
{
	const uint8_t pdu[] = {PB_FC_READ_INPUT_REGISTERS, (uint8_t)(addr >> 8), (uint8_t)addr, 0,
			       1};
	uint8_t reply[PB_PDU_MAX];

	ask(unit, pdu, sizeof(pdu), reply);
	return reply[0] & 0x80 ? -reply[1] : pb_get_be16(reply + 2);
}

static int exception_status(int unit)
{
	static const uint8_t pdu[] = {PB_FC_READ_EXCEPTION_STATUS};
	uint8_t reply[PB_PDU_MAX];

	ck_assert_uint_eq(ask(unit, pdu, sizeof(pdu), reply), 2);
	return reply[1];
}

/* ---- a battery ---- */

START_TEST(a_reading)
{
	ck_assert_int_eq(get(1, QUALITY), PB_QUALITY_NEVER);
	ck_assert_int_eq(get(1, AGE_S), 65535);
	ck_assert_int_eq(get(1, VOLTAGE), -PB_EXCEPTION_GATEWAY_TARGET);
	bench_read(PACK_A, bench_sample());
	ck_assert_int_eq(get(1, QUALITY), PB_QUALITY_GOOD);
	ck_assert_int_eq(get(1, SEQUENCE), bench.sequence);
	ck_assert_int_eq(get(1, AGE_S), 0);
	ck_assert_int_eq(get(1, VOLTAGE), 1320);
	ck_assert_int_eq(get(3, QUALITY), PB_QUALITY_GOOD);
	ck_assert_int_eq(get(4, QUALITY), PB_QUALITY_NEVER);
}
END_TEST

/* An image of several seconds: what the clock changes, changes when it does, and not before. */
START_TEST(the_clock)
{
	int heartbeat = get(1, HEARTBEAT);

	ck_assert_int_eq(heartbeat, 1);
	bench.now_ms += 250;
	bench_read(PACK_A, bench_sample()); /* ages are full at .750, heartbeats at .000 */
	ck_assert_int_eq(get(1, AGE_S), 0);
	bench.now_ms += 249;
	ck_assert_int_eq(get(1, HEARTBEAT), 1);
	bench.now_ms += 1;
	ck_assert_int_eq(get(1, HEARTBEAT), 2);
	bench.now_ms += 749;
	ck_assert_int_eq(get(1, AGE_S), 0);
	bench.now_ms += 1;
	ck_assert_int_eq(get(1, AGE_S), 1);
	ck_assert_int_eq(get(1, VOLTAGE), 1320);
	bench.now_ms = bench.start_ms + 65535 * 1000ULL;
	ck_assert_int_eq(get(1, HEARTBEAT), 1);
}
END_TEST

/* Details have an age of their own. */
START_TEST(details)
{
	struct pb_sample sample = bench_sample();
	struct pb_status status = bench_status();

	ck_assert_uint_eq(bench_battery(PACK_A)->details_age_s, 65535);
	status.sequence = 1;
	status.details_ms = bench.now_ms - 100;
	bench_hand_up(PACK_A, (struct pb_reading){.new_reading = true,
						  .new_status = true,
						  .sample = &sample,
						  .status = &status});
	bench.now_ms += 500; /* at a beat: the details' second is the next that is full */
	ck_assert_int_eq(get(1, DETAILS), 0);
	bench.now_ms += 399;
	ck_assert_int_eq(get(1, DETAILS), 0);
	bench.now_ms += 1;
	ck_assert_int_eq(get(1, DETAILS), 1);
	ck_assert_int_eq(get(1, AGE_S), 0);
}
END_TEST

/* No step has to come between: the request decides. */
START_TEST(stale_at_the_request)
{
	bench_read(PACK_A, bench_sample());
	bench.now_ms += 1000 * STALE_S - 1;
	ck_assert_int_eq(get(1, VOLTAGE), 1320);
	ck_assert_int_eq(get(1, QUALITY), PB_QUALITY_GOOD);
	ck_assert_int_eq(get(3, QUALITY), PB_QUALITY_GOOD);
	bench.now_ms += 1;
	ck_assert_int_eq(get(1, VOLTAGE), -PB_EXCEPTION_GATEWAY_TARGET);
	ck_assert_int_eq(get(1, QUALITY), PB_QUALITY_STALE);
	ck_assert_int_eq(get(3, QUALITY), PB_QUALITY_STALE);
	bench_read(PACK_A, bench_sample());
	ck_assert_int_eq(get(1, VOLTAGE), 1320);
}
END_TEST

/* A bank of packs that were read at different times: not at a full second of its own age. */
START_TEST(a_bank_at_the_request)
{
	bench_read(PACK_A, bench_sample());
	bench.now_ms += 5300;
	bench_read(PACK_B, bench_sample());
	ck_assert_int_eq(get(4, QUALITY), PB_QUALITY_GOOD);
	bench.now_ms += 1000 * STALE_S - 5300 - 1;
	ck_assert_int_eq(get(4, QUALITY), PB_QUALITY_GOOD);
	ck_assert_int_eq(get(3, AGE_S), 14);
	bench.now_ms += 1;
	ck_assert_int_eq(get(4, QUALITY), PB_QUALITY_STALE);
	ck_assert_int_eq(get(3, QUALITY), PB_QUALITY_GOOD);
	ck_assert_int_eq(get(3, AGE_S), 9);
	ck_assert_uint_eq(bench.lines, 0);
}
END_TEST

START_TEST(function_7)
{
	struct pb_sample sample = bench_sample();

	ck_assert_int_eq(exception_status(1), 0x01);
	bench_read(PACK_A, sample);
	ck_assert_int_eq(exception_status(1), 0x00);
	sample.charge_fet = false;
	bench.alarms[PACK_A].rules[PB_ALARM_SWITCHED_OFF] = (struct pb_alarm_rule){0};
	bench_read(PACK_A, sample);
	ck_assert_int_eq(exception_status(1), 0x08);
	sample.charge_fet = true;
	sample.discharge_fet = false;
	bench_read(PACK_A, sample);
	ck_assert_int_eq(exception_status(1), 0x10);
	sample.has &= ~(PB_HAS(PB_HAS_CHARGE_FET) | PB_HAS(PB_HAS_DISCHARGE_FET));
	sample.alarm_mask = 4;
	bench_read(PACK_A, sample);
	ck_assert_int_eq(exception_status(1), 0x04);
	sample.has &= ~PB_HAS(PB_HAS_ALARM);
	sample.soc_permille = 150;
	bench_read(PACK_A, sample);
	ck_assert_int_eq(exception_status(1), 0x20);
	sample.protection_mask = 1 << PB_PROTECT_SHORT_CIRCUIT;
	bench_read(PACK_A, sample);
	ck_assert_int_eq(exception_status(1), 0x62);
	bench.now_ms += 1000 * STALE_S;
	ck_assert_int_eq(exception_status(1), 0x61);
}
END_TEST

/* ---- what is encoded ---- */

/* Between two changes an image is not touched: a mark in it stays. */
START_TEST(encoded_once)
{
	struct pb_unit_table *table = pb_plant_table(bench.plant, 0);
	uint8_t *byte;

	bench_read(PACK_A, bench_sample());
	byte = pb_plant_image(table, 1, bench.now_ms)->blocks[0].bytes;
	byte[0] ^= 0x55; /* the map's version, a constant */
	ck_assert_int_ne(get(1, 0), 1);
	bench.now_ms += 499;
	ck_assert_int_ne(get(1, 0), 1);
	bench_read(PACK_B, bench_sample());
	ck_assert_int_ne(get(1, 0), 1);
	bench_read(PACK_A, bench_sample());
	ck_assert_int_eq(get(1, SEQUENCE), bench.sequence);
}
END_TEST

/* The same battery by the same map is one image in all tables. */
START_TEST(shared)
{
	struct pb_unit_table *one = pb_plant_table(bench.plant, 0);
	struct pb_unit_table *other = pb_plant_table(bench.plant, 1);

	ck_assert_ptr_null(pb_plant_image(other, 7, bench.now_ms));
	ck_assert_int_eq(pb_plant_add_unit(bench.plant, 1, 7, PACK_A, bench.maps[0]), 0);
	ck_assert_ptr_eq(pb_plant_image(other, 7, bench.now_ms),
			 pb_plant_image(one, 1, bench.now_ms));
	ck_assert_ptr_eq(pb_plant_map(other, 7), bench.maps[0]);
	ck_assert_ptr_null(pb_plant_image(other, 1, bench.now_ms));
	ck_assert_int_eq(pb_plant_add_unit(bench.plant, 1, 8, PACK_B, bench.maps[0]), 0);
	ck_assert_ptr_ne(pb_plant_image(other, 8, bench.now_ms),
			 pb_plant_image(other, 7, bench.now_ms));
}
END_TEST

START_TEST(no_such_unit)
{
	const struct pb_unit_table *table = pb_plant_table(bench.plant, 0);

	for (int id = 0; id <= 255; id++)
		ck_assert_int_eq(pb_plant_owns(table, (uint8_t)id), id <= BATTERIES || id == 255);
	ck_assert_int_eq(get(5, QUALITY), -PB_EXCEPTION_GATEWAY_PATH);
	ck_assert_int_eq(get(248, QUALITY), -PB_EXCEPTION_GATEWAY_PATH);
	ck_assert_int_eq(get(254, QUALITY), -PB_EXCEPTION_GATEWAY_PATH);
}
END_TEST

/* ---- the gateway ---- */

START_TEST(gateway_fields)
{
	struct pb_sample fault = bench_sample();
	const struct pb_gateway *gateway;

	gateway = pb_plant_gateway(bench.plant, bench.now_ms);
	ck_assert_int_eq(gateway->alarms, 0);
	ck_assert_int_eq(gateway->warnings, 0);
	fault.protection_mask = 1 << PB_PROTECT_SHORT_CIRCUIT;
	bench_read(PACK_A, fault);
	ck_assert_int_eq(get(0, GATEWAY_ONLINE), 1);
	ck_assert_int_eq(get(255, GATEWAY_STALE), 1);
	ck_assert_int_eq(get(0, GATEWAY_UNITS + 1), PB_QUALITY_GOOD + 1);
	ck_assert_int_eq(get(0, GATEWAY_UNITS + 2), PB_QUALITY_NEVER + 1);
	ck_assert_int_eq(get(0, GATEWAY_UNITS + 3), PB_QUALITY_GOOD + 1);
	ck_assert_int_eq(get(0, GATEWAY_UNITS + 5), 0);
	ck_assert_ptr_eq(pb_plant_map(pb_plant_table(bench.plant, 0), 0), bench.maps[2]);
	gateway = pb_plant_gateway(bench.plant, bench.now_ms);
	ck_assert_int_eq(gateway->packs, 2);
	ck_assert_int_eq(gateway->banks, 2);
	ck_assert_int_eq(gateway->alarms, 1);
	ck_assert_int_eq(gateway->warnings, 1);
	ck_assert_str_eq(gateway->version, "1.2.3");
	bench.now_ms += 1000 * STALE_S;
	ck_assert_int_eq(get(0, GATEWAY_ONLINE), 0);
	ck_assert_int_eq(get(0, GATEWAY_STALE), 2);
	ck_assert_int_eq(get(0, GATEWAY_UNITS + 3), PB_QUALITY_STALE + 1);
	ck_assert_uint_eq(pb_plant_gateway(bench.plant, bench.now_ms)->uptime_s, 15);
}
END_TEST

/* A burst of requests counts once; each table has its own units. */
START_TEST(gateway_in_a_burst)
{
	struct pb_unit_table *other = pb_plant_table(bench.plant, 1);
	const struct pb_image *image;

	ck_assert_int_eq(get(0, GATEWAY_CLIENTS), 1);
	ck_assert_int_eq(get(0, GATEWAY_CLIENTS), 1);
	bench.now_ms++;
	ck_assert_int_eq(get(0, GATEWAY_CLIENTS), 2);
	ck_assert_int_eq(get(0, GATEWAY_UNITS + 1), PB_QUALITY_NEVER + 1);
	image = pb_plant_image(other, 0, bench.now_ms);
	ck_assert_ptr_eq(image, pb_plant_image(pb_plant_table(bench.plant, 0), 0, bench.now_ms));
	pb_plant_image(other, 0, bench.now_ms);
	ck_assert_ptr_nonnull(image);
	ck_assert_str_eq(image->name, "gateway");
}
END_TEST

/* ---- control ---- */

/* Of maps/packbridge.yaml and maps/packbridge-bank.yaml. */
enum { INHIBIT_CHARGE = 400 };

static const struct pb_peer may = {.name = "10.0.0.7", .may_control = true};
static const struct pb_peer may_not = {.name = "10.0.0.8"};

/* @return 0 or the exception of a request, as @peer sends it */
static int ask_as(const struct pb_peer *peer, int unit, const char *request)
{
	const struct pb_origin origin = {.peer = peer};
	uint8_t pdu[PB_PDU_MAX], reply[PB_PDU_MAX];
	int len = pb_hex_parse(request, pdu, sizeof(pdu));
	const struct pb_image *image =
		pb_plant_image(pb_plant_table(bench.plant, 0), (uint8_t)unit, bench.now_ms);

	ck_assert_int_gt(len, 0);
	pb_modbus_reply(&origin, image, pdu, (size_t)len, reply);
	return reply[0] & 0x80 ? reply[1] : 0;
}

/* Every function that writes: the wish to inhibit charging. */
static const char *const inhibit[] = {
	"05 0080 ff00",		"06 0190 0001",	     "0f 0080 0001 01 01",
	"10 0190 0001 02 0001", "16 0190 fffe 0001", "17 0000 0001 0190 0001 02 0001",
};

/* Whoever asks, and whatever for. */
START_TEST(control_is_off)
{
	bench_read(PACK_A, bench_sample());
	ck_assert_int_eq(ask_as(&may, 1, inhibit[_i]), 2);
	ck_assert_int_eq(ask_as(&may, 3, inhibit[_i]), 2);
	ck_assert_int_eq(ask_as(&may_not, 1, inhibit[_i]), 2);
	ck_assert_int_eq(ask_as(NULL, 1, inhibit[_i]), 2);
	ck_assert_int_eq(ask_as(&may, 1, "06 0190 0002"), 2); /* no such value */
	ck_assert_int_eq(get(1, INHIBIT_CHARGE), 0);
}
END_TEST

static void enable(int battery, int mode)
{
	bench.control[battery].mode = mode;
}

START_TEST(control_by_whom)
{
	enable(PACK_A, PB_CONTROL_BOTH);
	ck_assert_int_eq(ask_as(&may_not, 1, inhibit[_i]), 1);
	ck_assert_int_eq(ask_as(NULL, 1, inhibit[_i]), 1);
	ck_assert_int_eq(ask_as(&may_not, 1, "06 0190 0002"), 1);
	ck_assert_int_eq(ask_as(&may_not, 2, inhibit[_i]), 2); /* not enabled, by nobody */
	/* a bank, when all of its packs are */
	ck_assert_int_eq(ask_as(&may_not, 3, inhibit[_i]), 2);
	enable(PACK_B, PB_CONTROL_CHARGE);
	ck_assert_int_eq(ask_as(&may_not, 3, inhibit[_i]), 1);
	ck_assert_int_eq(ask_as(&may_not, 3, "06 0191 0001"), 2);
}
END_TEST

START_TEST(control_of_what)
{
	enable(PACK_A, PB_CONTROL_CHARGE);
	ck_assert_int_eq(ask_as(&may, 1, "06 0191 0001"), 2);
	ck_assert_int_eq(ask_as(&may, 1, "06 0191 0000"), 2);
	ck_assert_int_eq(ask_as(&may, 1, "10 0190 0002 04 0000 0001"), 2);
	ck_assert_int_eq(ask_as(&may, 1, "06 0190 0002"), 3);
	ck_assert_int_eq(ask_as(&may, 1, "06 0192 ffff"), 3);
	ck_assert_int_eq(ask_as(&may, 1, "06 0193 0002"), 3);
	ck_assert_int_eq(ask_as(&may, 1, "06 0194 0002"), 2); /* only told */
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("unit");

	tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
	tcase_add_test(tcase, a_reading);
	tcase_add_test(tcase, the_clock);
	tcase_add_test(tcase, details);
	tcase_add_test(tcase, stale_at_the_request);
	tcase_add_test(tcase, a_bank_at_the_request);
	tcase_add_test(tcase, function_7);
	tcase_add_test(tcase, encoded_once);
	tcase_add_test(tcase, shared);
	tcase_add_test(tcase, no_such_unit);
	tcase_add_test(tcase, gateway_fields);
	tcase_add_test(tcase, gateway_in_a_burst);
	tcase_add_loop_test(tcase, control_is_off, 0, PB_ARRAY_SIZE(inhibit));
	tcase_add_loop_test(tcase, control_by_whom, 0, PB_ARRAY_SIZE(inhibit));
	tcase_add_test(tcase, control_of_what);
	return pb_run_suite("plant/unit", tcase);
}
