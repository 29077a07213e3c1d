/* SPDX-License-Identifier: MIT */
/* The bytes in lines of logs, as people and programs write them. */
#include "../../src/cli/logline.h"
#include "packbridge/base.h"

#include "suite.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *line, *hex; /* "": no bytes */
} lines[] = {
	/* plain */
	{"DDA50300FFFD77", "DDA50300FFFD77"},
	{"dd a5 03 00 ff fd 77", "DDA50300FFFD77"},
	{"DD:A5:03:00:FF:FD:77", "DDA50300FFFD77"},
	{"0xdd 0xa5, 0x03,0x00", "DDA50300"},
	{"[0xdd, 0xa5, 0x03]", "DDA503"},
	{"0000000000000000", "0000000000000000"},
	{"00000000 00000000", "0000000000000000"},
	{"10203040 50607080", "1020304050607080"},
	{"55AAEB90 02 CD", "55AAEB9002CD"},
	{"55AAEB90 02CD 670C", "55AAEB9002CD670C"},
	{"10:20:30", "102030"},
	{"77", "77"},
	{"", ""},
	{"   ", ""},
	/* of `packbridge record` */
	{"packbridge recording 1", ""},
	{"# packbridge 0.1.0, link ble", ""},
	{"# 20 bytes of a password's dialogue, sent", ""},
	{"350 up", ""},
	{"123456 > DDA50300FFFD77", ""},
	{"12 < DD03", "DD03"},
	{"123456789012 < 77", "77"},
	{"9000 down connection lost: AB", ""},
	/* of ESPHome */
	{"[22:09:10][D][uart_debug:114]: <<< A2:00:14:A3", "A20014A3"},
	{"[22:09:10][D][uart_debug:114]: >>> 4E:57:00:13", ""},
	{"[16:09:31][VV][jk_bms_ble:468]:   55.AA.EB.90.02.2B.C8 (150)", "55AAEB90022BC8"},
	{"[16:09:31][I][jk_bms_ble:467]: Cell info frame (version 3, 300 bytes) received", ""},
	{"55.AA.EB.90.02.2B.C8", "55AAEB90022BC8"},
	/* with times */
	{"[2026-05-24 23:15:52] BT legacy-ble crc=True 55 AA EB 90 02 38", "55AAEB900238"},
	{"2026-11-06 10:20:30.123 55AAEB90", "55AAEB90"},
	{"2026-11-06T10:20:30Z 55 AA EB 90", "55AAEB90"},
	{"10:20:30 55 AA EB 90", "55AAEB90"},
	{"1:20 55 AA EB 90", "55AAEB90"},
	{"10:20:30.5 RX 55 AA EB 90", "55AAEB90"},
	{"10:20:30.5 TX: AA 55 90 EB 97", ""},
	{"1718221234.250 55aaeb90", "55AAEB90"},
	{"1718221234 55aaeb90", "55AAEB90"},
	{"123456 55 aa eb 90", "55AAEB90"},
	{"11-06 10:20:30.123 D/Ble: notify 55aaeb90", "55AAEB90"},
	{"2026-06-07 20:46:12,685 - bms_comm - DEBUG - 55AAEB90", "55AAEB90"},
	{"2026-06-07 20:46:12,685 - bms_comm - DEBUG - Received 1265 bytes", ""},
	{"-> AA 55 90 EB", ""},
	{"<- 55 AA EB 90", "55AAEB90"},
	{"Sending request: DD A5 03 00 FF FD 77", ""},
	{"Received (20 bytes) after the request: DD 03 00 1D", "DD03001D"},
	/* hex dumps */
	{"00000010  55 aa eb 90 02  |U....|", "55AAEB9002"},
	{"0010: 55aa eb90 02cd", "55AAEB9002CD"},
	/* words that look like hex */
	{"the bad face added 20 bytes", ""},
	{"dd03 is the head of dd03001d05 here", "DD03001D05"},
	{"value 0x1", ""},
	{"55 AA EB 9", "55AAEB"},
};

START_TEST(bytes_of_a_line)
{
	uint8_t bytes[128];
	char hex[300] = "";
	size_t len = logline_bytes(lines[_i].line, bytes);

	pb_hex_print(hex, sizeof(hex), bytes, len, 0);
	ck_assert_msg(strcmp(hex, lines[_i].hex) == 0, "'%s': %s", lines[_i].line, hex);
}
END_TEST

/* Any text: never more bytes than half of it has room for. */
START_TEST(any_text)
{
	static const char letters[] = "0123456789abcdefAFxX:.-_, \t<>=()[]#zT";
	struct pb_random random;

	pb_random_seed(&random, 7);
	for (int round = 0; round < 50000; round++) {
		char line[64] = "";
		uint8_t *bytes;
		size_t len = pb_random_below(&random, sizeof(line));

		for (size_t i = 0; i < len; i++)
			line[i] = letters[pb_random_below(&random, sizeof(letters) - 1)];
		bytes = malloc(strlen(line) / 2 + 1);
		ck_assert_uint_le(logline_bytes(line, bytes), strlen(line) / 2);
		free(bytes);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("logline");

	tcase_add_loop_test(tcase, bytes_of_a_line, 0, PB_ARRAY_SIZE(lines));
	tcase_add_test(tcase, any_text);
	return pb_run_suite("cli/logline", tcase);
}
