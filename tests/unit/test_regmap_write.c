/* SPDX-License-Identifier: MIT */
/* What clients can write, through the responder, as they do it. */
#include "packbridge/model/battery.h"

#include "map_text.h"
#include "suite.h"

#include <string.h>

static struct pb_map *map;
static struct pb_unit_image *image;
static struct pb_battery data;

/* what the owner of the image was asked */
static struct pb_write asked[8];
static size_t asked_count, asked_times;
static char asked_text[8];
static enum pb_exception verdict;
static const struct pb_peer technician = {.name = "10.0.0.7"};

static enum pb_exception written(void *userdata, const struct pb_peer *peer,
				 const struct pb_map *of, const struct pb_write *writes,
				 size_t count)
{
	ck_assert_ptr_eq(userdata, &asked);
	ck_assert_ptr_eq(peer, &technician);
	ck_assert_ptr_eq(of, map);
	ck_assert_uint_le(count, PB_ARRAY_SIZE(asked));
	memcpy(asked, writes, count * sizeof(*writes));
	if (writes[0].text)
		memcpy(asked_text, writes[0].text, writes[0].text_len);
	asked_count = count;
	asked_times++;
	return verdict;
}

static const char text[] = "map: m\n"
			   "version: 1\n"
			   "title: t\n"
			   "scope: pack\n"
			   "stale: exception\n"
			   "blocks:\n"
			   "  - name: places\n"
			   "    tables: [input, holding]\n"
			   "    addr: 10\n"
			   "    count: 10\n"
			   "    always: true\n"
			   "    rows:\n"
			   "      - {addr: 10, type: u16, value: 7, access: rw}\n"
			   "      - {addr: 11, type: s16, value: -1, access: rw, min: -5, max: 5}\n"
			   "      - {addr: 12, type: u32, value: 70000, access: rw}\n"
			   "      - {addr: 14, type: s32, value: 0, access: rw, min: -100000}\n"
			   "      - {addr: 16, type: string, words: 2, value: ab, access: rw}\n"
			   "      - {addr: 18, type: u16, field: heartbeat}\n"
			   "      - {addr: 19, type: u16, value: 1}\n"
			   "  - name: more\n"
			   "    tables: [holding]\n"
			   "    addr: 20\n"
			   "    count: 2\n"
			   "    rows:\n"
			   "      - {addr: 20, type: u16, value: 1, access: rw}\n"
			   "      - {addr: 21, type: u16, field: cycles}\n"
			   "  - name: flags\n"
			   "    tables: [discrete, coil]\n"
			   "    addr: 0\n"
			   "    count: 11\n"
			   "    always: true\n"
			   "    rows:\n"
			   "      - {addr: 0, type: coil, value: 1, access: rw}\n"
			   "      - {addr: 1, type: coil, value: 0, access: rw}\n"
			   "      - {addr: 2, type: coil, field: connected}\n"
			   "      - {addr: 3, type: coil, value: 0, access: rw}\n"
			   "      - {addr: 4, type: coil, value: 0, access: rw}\n"
			   "      - {addr: 5, type: coil, value: 0, access: rw}\n"
			   "      - {addr: 6, type: coil, value: 0, access: rw}\n"
			   "      - {addr: 7, type: coil, value: 0, access: rw}\n"
			   "      - {addr: 8, type: coil, value: 0, access: rw}\n"
			   "      - {addr: 9, type: coil, value: 0, access: rw}\n"
			   "      - {addr: 10, type: coil, value: 0, access: rw}\n";

static void setup(void)
{
	struct pb_report report = {0};
	int r = pb_map_parse(&map, "m.yaml", text, strlen(text), &report);

	ck_assert_msg(r == 0, "%s", report.count ? report.lines[0] : "?");
	ck_assert_int_eq(pb_unit_image_new(&image, map), 0);
	pb_unit_image_on_write(image, written, &asked);
	pb_unit_image_encode(image, &data, false);
	verdict = PB_EXCEPTION_NONE;
	asked_count = asked_times = 0;
}

static void teardown(void)
{
	image = pb_unit_image_free(image);
	map = pb_map_free(map);
}

static void expect(const char *request, const char *reply)
{
	uint8_t pdu[PB_PDU_MAX], got[PB_PDU_MAX];
	char shown[3 * PB_PDU_MAX + 1];
	int len = pb_hex_parse(request, pdu, sizeof(pdu));

	ck_assert_int_gt(len, 0);
	len = (int)pb_modbus_reply(&(struct pb_origin){.peer = &technician},
				   pb_unit_image_get(image), pdu, (size_t)len, got);
	pb_hex_print(shown, sizeof(shown), got, (size_t)len, ' ');
	ck_assert_msg(strcasecmp(shown, reply) == 0, "%s: %s, expected %s", request, shown, reply);
}

START_TEST(starts_with_its_value)
{
	expect("03 000a 0008", "03 10 00 07 FF FF 00 01 11 70 00 00 00 00 61 62 00 00");
	expect("04 000a 0001", "04 02 00 07");
	expect("01 0000 0003", "01 01 01");
}
END_TEST

START_TEST(keeps_what_was_written)
{
	expect("06 000a 1234", "06 00 0A 12 34");
	ck_assert_uint_eq(asked_count, 1);
	ck_assert_uint_eq(asked[0].addr, 10);
	ck_assert_int_eq(asked[0].table, PB_TABLE_HOLDING);
	ck_assert_int_eq(asked[0].value, 0x1234);
	expect("10 000b 0005 0a fffb 00ff 0102 fffe 7960", "10 00 0B 00 05");
	ck_assert_uint_eq(asked_count, 3);
	ck_assert_int_eq(asked[0].value, -5);
	ck_assert_int_eq(asked[1].value, 0xFF0102);
	ck_assert_int_eq(asked[2].value, -100000);
	/* whatever becomes of the pack's data */
	for (int old = 0; old < 2; old++) {
		pb_unit_image_encode(image, &data, old);
		pb_unit_image_refresh(image, &data);
		expect("03 000a 0006", "03 0C 12 34 FF FB 00 FF 01 02 FF FE 79 60");
		expect("04 000a 0001", "04 02 12 34"); /* both tables are one place */
	}
}
END_TEST

START_TEST(text_goes_in_whole)
{
	expect("10 0010 0002 04 7879 7a00", "10 00 10 00 02");
	ck_assert_uint_eq(asked[0].text_len, 4);
	ck_assert_mem_eq(asked_text, "xyz", 4);
	expect("03 0010 0002", "03 04 78 79 7A 00");
	expect("06 0010 4142", "86 03");
	expect("06 0011 4142", "86 03");
}
END_TEST

START_TEST(all_or_nothing)
{
	/* the last one is beyond its limit, is half a number, can't be written, is not there */
	expect("10 000a 0002 04 0001 0006", "90 03");
	expect("10 000a 0003 06 0001 0001 0001", "90 03");
	expect("10 000d 0001 02 0001", "90 03");
	expect("10 0010 0003 06 0001 0001 0001", "90 02");
	expect("10 0014 0002 04 0001 0001", "90 02");
	expect("06 0013 0001", "86 02");
	expect("06 0009 0001", "86 02");
	ck_assert_uint_eq(asked_times, 0);
	expect("03 000a 0008", "03 10 00 07 FF FF 00 01 11 70 00 00 00 00 61 62 00 00");
	/* somebody does not want it */
	verdict = PB_EXCEPTION_DEVICE_BUSY;
	expect("06 000a 0001", "86 06");
	ck_assert_uint_eq(asked_times, 1);
	expect("03 000a 0001", "03 02 00 07");
}
END_TEST

START_TEST(mask_write_and_read_write)
{
	expect("06 000a 0012", "06 00 0A 00 12");
	expect("16 000a 00f2 0025", "16 00 0A 00 F2 00 25"); /* APP 6.16's example */
	expect("03 000a 0001", "03 02 00 17");
	expect("17 000a 0001 000a 0001 02 0099", "17 02 00 99"); /* what is read shows it */
	expect("16 000b 0000 0064", "96 03");			 /* 100 is beyond the limit */
	expect("03 000b 0001", "03 02 FF FF");
}
END_TEST

START_TEST(coils)
{
	expect("05 0001 ff00", "05 00 01 FF 00");
	ck_assert_int_eq(asked[0].table, PB_TABLE_COIL);
	ck_assert_int_eq(asked[0].value, 1);
	expect("05 0000 0000", "05 00 00 00 00");
	expect("01 0000 0003", "01 01 02");
	expect("0f 0003 0008 01 a5", "0F 00 03 00 08");
	ck_assert_uint_eq(asked_count, 8);
	expect("01 0000 000b", "01 02 2A 05");
	expect("02 0000 000b", "02 02 2A 05");
	expect("05 0002 ff00", "85 02");
	expect("0f 0001 0002 01 00", "8F 02"); /* the second of them */
	expect("01 0000 000b", "01 02 2A 05");
}
END_TEST

START_TEST(old_data_lock_their_block)
{
	pb_unit_image_encode(image, &data, true);
	expect("06 0014 0001", "86 0B");
	expect("06 000a 0001", "06 00 0A 00 01"); /* always */
	pb_unit_image_encode(image, &data, false);
	expect("06 0014 0005", "06 00 14 00 05");
	pb_unit_image_encode(image, &data, true);
	pb_unit_image_encode(image, &data, false);
	expect("03 0014 0001", "03 02 00 05");
}
END_TEST

/* ---- access control ---- */

static const char wishes[] =
	"map: m\n"
	"version: 1\n"
	"title: t\n"
	"scope: pack\n"
	"stale: exception\n"
	"blocks:\n"
	"  - name: control\n"
	"    tables: [input, holding]\n"
	"    addr: 0\n"
	"    count: 8\n"
	"    always: true\n"
	"    rows:\n"
	"      - {addr: 0, type: u16, field: inhibit_charge, access: control}\n"
	"      - {addr: 1, type: u16, field: inhibit_discharge, access: control}\n"
	"      - {addr: 2, type: u16, field: control_lease_s, access: control}\n"
	"      - {addr: 3, type: u16, field: inhibit_both, values: [1, 2], access: control}\n"
	"      - {addr: 4, type: u32, field: control_reset, access: control}\n"
	"      - {addr: 6, type: u16, value: 7, access: rw, max: 9}\n"
	"      - {addr: 7, type: u16, field: control_state}\n"
	"  - name: flags\n"
	"    tables: [discrete, coil]\n"
	"    addr: 0\n"
	"    count: 3\n"
	"    always: true\n"
	"    rows:\n"
	"      - {addr: 0, type: coil, field: inhibit_charge, access: control}\n"
	"      - {addr: 1, type: coil, field: inhibit_discharge, not: true, access: control}\n"
	"      - {addr: 2, type: coil, field: control_reset, access: control}\n";

/* The owner does what it is asked for, and shows it. */
static enum pb_exception obey(void *userdata, const struct pb_peer *peer, const struct pb_map *of,
			      const struct pb_write *writes, size_t count)
{
	enum pb_exception code = written(userdata, peer, of, writes, count);

	if (code != PB_EXCEPTION_NONE)
		return code;
	for (size_t i = 0; i < count; i++)
		if (writes[i].field)
			pb_field_set(writes[i].field, &data, 0, writes[i].value);
	pb_unit_image_encode(image, &data, false);
	return code;
}

static void wish_setup(void)
{
	struct pb_report report = {0};
	int r = pb_map_parse(&map, "m.yaml", wishes, strlen(wishes), &report);

	ck_assert_msg(r == 0, "%s", report.count ? report.lines[0] : "?");
	ck_assert_int_eq(pb_unit_image_new(&image, map), 0);
	pb_unit_image_on_write(image, obey, &asked);
	memset(&data, 0, sizeof(data));
	data.control.lease_s = PB_LEASE_NONE_S;
	pb_unit_image_encode(image, &data, false);
	verdict = PB_EXCEPTION_NONE;
	asked_count = asked_times = 0;
}

static void expect_asked(size_t at, const char *field, bool valid, int64_t value)
{
	ck_assert_uint_lt(at, asked_count);
	ck_assert_str_eq(asked[at].field ? asked[at].field->name : "", field);
	ck_assert_int_eq(asked[at].valid, valid);
	if (valid)
		ck_assert_int_eq(asked[at].value, value);
}

START_TEST(wishes_are_handed_over)
{
	expect("06 0000 0001", "06 00 00 00 01");
	expect_asked(0, "inhibit_charge", true, 1);
	expect("10 0001 0002 04 0001 003c", "10 00 01 00 02"); /* one request is one wish */
	ck_assert_uint_eq(asked_count, 2);
	expect_asked(0, "inhibit_discharge", true, 1);
	expect_asked(1, "control_lease_s", true, 60);
	expect("05 0002 ff00", "05 00 02 FF 00");
	expect_asked(0, "control_reset", true, 1);
	expect("0f 0000 0003 01 01", "0F 00 00 00 03");
	ck_assert_uint_eq(asked_count, 3);
	expect_asked(0, "inhibit_charge", true, 1);
	expect_asked(1, "inhibit_discharge", true, 1); /* the coil shows its opposite */
	expect_asked(2, "control_reset", true, 0);
	expect("06 0003 0002", "06 00 03 00 02");
	expect_asked(0, "inhibit_both", true, 1);
	expect("10 0004 0002 04 0000 0001", "10 00 04 00 02");
	expect_asked(0, "control_reset", true, 1);
}
END_TEST

/* What a row shows comes from the owner, so a refused wish leaves no trace. */
START_TEST(wishes_are_not_stored)
{
	pb_unit_image_on_write(image, written, &asked);
	expect("06 0000 0001", "06 00 00 00 01");
	expect("05 0000 ff00", "05 00 00 FF 00");
	expect("03 0000 0004", "03 08 00 00 00 00 FF FF 00 01");
	expect("01 0000 0003", "01 01 02");
	pb_unit_image_on_write(image, obey, &asked);
	verdict = PB_EXCEPTION_DEVICE_BUSY;
	expect("06 0000 0001", "86 06");
	expect("03 0000 0001", "03 02 00 00");
	verdict = PB_EXCEPTION_NONE;
	expect("06 0000 0001", "06 00 00 00 01");
	expect("04 0000 0001", "04 02 00 01");
	expect("02 0000 0001", "02 01 01");
}
END_TEST

/* Whether it may be asked for at all is known to the owner only, so it decides first. */
START_TEST(impossible_wishes_are_told)
{
	verdict = PB_EXCEPTION_ILLEGAL_ADDRESS;
	expect("06 0000 0002", "86 02");
	expect_asked(0, "inhibit_charge", false, 0);
	expect("06 0002 ffff", "86 02");
	expect_asked(0, "control_lease_s", false, 0);
	expect("06 0003 0000", "86 02");
	expect_asked(0, "inhibit_both", false, 0);
	expect("06 0002 fffe", "86 02");
	expect_asked(0, "control_lease_s", true, 65534);
	/* half a number is no value of anything */
	asked_times = 0;
	expect("06 0005 0001", "86 03");
	ck_assert_uint_eq(asked_times, 0);
}
END_TEST

/* With a stored row: all or nothing. */
START_TEST(wishes_beside_stored_rows)
{
	expect("10 0004 0003 06 0000 0001 000a", "90 03"); /* 10 is above max */
	ck_assert_uint_eq(asked_times, 0);
	verdict = PB_EXCEPTION_DEVICE_BUSY;
	expect("10 0004 0003 06 0000 0001 0009", "90 06");
	expect("03 0006 0001", "03 02 00 07");
	verdict = PB_EXCEPTION_NONE;
	expect("10 0004 0003 06 0000 0001 0009", "10 00 04 00 03");
	expect("03 0006 0001", "03 02 00 09");
	expect("10 0006 0002 04 0009 0001", "90 02"); /* the state is only told */
}
END_TEST

START_TEST(wishes_by_mask_and_with_a_read)
{
	expect("16 0000 fffe 0001", "16 00 00 FF FE 00 01");
	expect_asked(0, "inhibit_charge", true, 1);
	expect("16 0000 fffe 0001", "16 00 00 FF FE 00 01"); /* of the wish as it is now */
	expect_asked(0, "inhibit_charge", true, 1);
	expect("17 0000 0003 0001 0002 04 0001 0014", "17 06 00 01 00 01 00 14");
	expect("16 0000 fffe 0000", "16 00 00 FF FE 00 00");
	expect("03 0000 0001", "03 02 00 00");
}
END_TEST

/* A map by itself, as in `packbridge map`, has nobody to ask. */
START_TEST(wishes_that_nobody_takes)
{
	pb_unit_image_on_write(image, NULL, NULL);
	expect("06 0000 0001", "86 02");
}
END_TEST

/*
 * What was written into one image, as it is read from an image of the same map with one change.
 * @find, @put: the change in the map's text, of the same length.
 */
static void expect_kept(const char *find, const char *put, const char *request, const char *reply)
{
	struct pb_report report = {0};
	struct pb_map *first = map;
	struct pb_unit_image *from = image;
	char changed[sizeof(text)];

	memcpy(changed, text, sizeof(text));
	memcpy(strstr(changed, find), put, strlen(put));
	ck_assert_int_eq(pb_map_parse(&map, "m.yaml", changed, strlen(changed), &report), 0);
	ck_assert_int_eq(pb_unit_image_new(&image, map), 0);
	pb_unit_image_keep_writes(image, from);
	pb_unit_image_encode(image, &data, false);
	expect(request, reply);
	pb_unit_image_free(image);
	pb_map_free(map);
	map = first;
	image = from;
}

/* A value that the row's limits of today may not allow is not taken over. */
START_TEST(written_values_go_over_where_the_row_is_the_same)
{
	expect("10 000a 0002 04 1234 fffb", "10 00 0A 00 02");
	expect("05 0001 ff00", "05 00 01 FF 00");
	expect_kept("map: m", "map: n", "03 000a 0002", "03 04 12 34 FF FB");
	expect_kept("map: m", "map: n", "01 0000 0003", "01 01 03");
	expect_kept("min: -5", "min: -4", "03 000a 0002", "03 04 12 34 FF FF");
	expect_kept("max: 5", "max: 6", "03 000a 0002", "03 04 12 34 FF FF");
	expect_kept("10, type: u16", "10, type: s16", "03 000a 0002", "03 04 00 07 FF FB");
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("write"), *control = tcase_create("control");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, starts_with_its_value);
	tcase_add_test(tcase, keeps_what_was_written);
	tcase_add_test(tcase, text_goes_in_whole);
	tcase_add_test(tcase, all_or_nothing);
	tcase_add_test(tcase, mask_write_and_read_write);
	tcase_add_test(tcase, coils);
	tcase_add_test(tcase, old_data_lock_their_block);
	tcase_add_test(tcase, written_values_go_over_where_the_row_is_the_same);
	tcase_add_checked_fixture(control, wish_setup, teardown);
	tcase_add_test(control, wishes_are_handed_over);
	tcase_add_test(control, wishes_are_not_stored);
	tcase_add_test(control, impossible_wishes_are_told);
	tcase_add_test(control, wishes_beside_stored_rows);
	tcase_add_test(control, wishes_by_mask_and_with_a_read);
	tcase_add_test(control, wishes_that_nobody_takes);
	return pb_run_suite("regmap/write", tcase) | pb_run_suite("regmap/control", control);
}
