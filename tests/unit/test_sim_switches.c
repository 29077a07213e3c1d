/* SPDX-License-Identifier: MIT */
/*
 * Simulated boards that are switched: the bytes of commands and replies, what the switches do to
 * the pack, and every fault on request.
 */
#include "packbridge/base.h"
#include "packbridge/sim.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

static struct pb_sim sim;
static struct pb_sim_talk talk;

static void start(const char *address)
{
	struct pb_sim_options options;
	char why[256] = "";

	ck_assert_msg(pb_sim_options_parse(&options, address, why, sizeof(why)) == 0, "%s", why);
	pb_sim_start(&sim, &options);
	talk = (struct pb_sim_talk){.sim = &sim};
}

/* @return the reply as hex; "": none. */
static const char *ask(const char *hex)
{
	const struct pb_sim_board *board = sim.options.profile->board;
	static char text[2 * PB_SIM_REPLY_MAX + 1];
	uint8_t request[64], reply[PB_SIM_REPLY_MAX];
	int len = pb_hex_parse(hex, request, sizeof(request));
	struct pb_sample sample;
	size_t n;

	ck_assert_int_gt(len, 0);
	pb_sim_read(&sim, &sample);
	n = board->answer(board, &talk, &sample, request, (size_t)len, reply);
	text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02X", reply[i]);
	return text;
}

static unsigned int closed(void)
{
	struct pb_sample sample;

	pb_sim_read(&sim, &sample);
	return (sample.charge_fet ? PB_SIM_CHARGE : 0) |
	       (sample.discharge_fet ? PB_SIM_DISCHARGE : 0);
}

enum { BOTH = PB_SIM_CHARGE | PB_SIM_DISCHARGE };

static const struct {
	const char *profile, *request, *reply;
	unsigned int closed; /* then */
} exchanges[] = {
	/* JBD: E1 with a mask, FB with a target */
	{"lfp-4s", "DD5AE1020001FF1C77", "DDE10000000077", PB_SIM_DISCHARGE},
	{"lfp-4s", "DD5AE1020002FF1B77", "DDE10000000077", PB_SIM_CHARGE},
	{"lfp-4s", "DD5AE1020003FF1A77", "DDE10000000077", 0},
	{"lfp-4s", "DD5AE1020000FF1D77", "DDE10000000077", BOTH},
	{"lfp-4s", "DD5AFB020101FF0177", "DDFB0000000077", PB_SIM_DISCHARGE},
	{"lfp-4s", "DD5AFB020001FF0277", "DDFB0000000077", PB_SIM_CHARGE},
	{"lfp-4s", "DD5AFB020A01FEF877", "DDFB0000000077", 0},
	{"lfp-4s", "DD5AFB020A00FEF977", "DDFB0000000077", BOTH},
	/* Daly */
	{"daly-nmc-14s", "A540D9080100000000000000C7", "A501D908010D130D210D17C0BA", BOTH},
	{"daly-nmc-14s", "A540D9080000000000000000C6", "A501D908000D130D210D17C0B9", PB_SIM_CHARGE},
	{"daly-nmc-14s", "A580DA08000000000000000007", "A501DA08000D130D210D17C0BA",
	 PB_SIM_DISCHARGE},
	{"daly-lfp-4s", "D20600A500008A4A", "D20600A500008A4A", PB_SIM_DISCHARGE},
	{"daly-lfp-4s", "D20600A600007A4A", "D20600A600007A4A", PB_SIM_CHARGE},
	{"daly-lfp-4s", "D20600A60001BB8A", "D20600A60001BB8A", BOTH},
	{"daly-lfp-16s", "810601210000C7FC", NULL, PB_SIM_DISCHARGE},
	{"daly-lfp-16s", "81060122000037FC", NULL, PB_SIM_CHARGE},
	/* JK */
	{"jk-lfp-16s", "AA5590EB1D04000000000000000000000000009B",
	 "AA5590EBC8010100000000000000000000000044", PB_SIM_DISCHARGE},
	{"jk-lfp-8s", "AA5590EB1E04000000000000000000000000009C",
	 "AA5590EBC8010100000000000000000000000044", PB_SIM_CHARGE},
	{"jk-nmc-14s", "AA5590EB1D04010000000000000000000000009C",
	 "AA5590EBC8010100000000000000000000000044", BOTH},
};

START_TEST(commands)
{
	start(exchanges[_i].profile);
	ck_assert_uint_eq(closed(), BOTH);
	if (exchanges[_i].reply)
		ck_assert_str_eq(ask(exchanges[_i].request), exchanges[_i].reply);
	else /* P81 answers from its own address */
		ck_assert_mem_eq(ask(exchanges[_i].request), "510601", 6);
	ck_assert_uint_eq(closed(), exchanges[_i].closed);
	ck_assert_uint_eq(sim.offences, 0);
	ck_assert(!talk.offence);
}
END_TEST

/* What no pack may ever be sent: reset, passwords, calibration, factory mode and so on. */
static const struct {
	const char *profile, *request;
} forbidden[] = {
	{"lfp-4s", "DD5A00025678FF3077"}, /* factory mode */
	{"lfp-4s", "DD5A01022828FFAD77"},
	{"lfp-4s", "DD5A0A021881FF5B77"},
	{"lfp-4s", "DD5A0E028118FF5777"},
	{"lfp-4s", "DD5AE1020004FF1977"},
	{"lfp-4s", "DD5AFB020301FEFF77"}, /* pre-discharge */
	{"lfp-4s", "DD5AAD020001FF5077"},
	{"lfp-4s", "FFAA16063030303030303C"},
	{"daly-lfp-4s", "D20600F000015B9A"},
	{"daly-lfp-4s", "D20600CF00016B96"},
	{"daly-lfp-16s", "810600F60001B7F8"},
	{"daly-nmc-14s", "A54000080000000000000000ED"},
	{"daly-nmc-14s", "A540D9080200000000000000C8"},
	{"daly-nmc-14s", "A540210800000000000000000E"},
	{"jk-lfp-16s", "AA5590EB650401000000000000000000000000E4"},
	{"jk-lfp-16s", "AA5590EB1F04010000000000000000000000009E"},
};

START_TEST(offences)
{
	start(forbidden[_i].profile);
	ask(forbidden[_i].request);
	ck_assert_msg(talk.offence && sim.offences == 1, "%s", forbidden[_i].request);
	ck_assert_uint_eq(closed(), BOTH);
	/* a board that nobody can switch notices it, too */
	talk = (struct pb_sim_talk){0};
	ask(forbidden[_i].request);
	ck_assert(talk.offence);
}
END_TEST

/* ---- faults ---- */

#define CHARGE_OFF "DD5AE1020001FF1C77"

static const struct {
	const char *option, *reply;
	bool obeyed;
} faults[] = {
	{"obey", "DDE10000000077", true},
	{"refuse", "DDE18000FF8077", false},
	{"refuse-81", "DDE18100FF7F77", false},
	{"refuse-82", "DDE18200FF7E77", false},
	{"refuse-bad", "DDE18000FFD577", false},
	{"ignore", "DDE10000000077", false},
	{"refuse-e1", "DDE18000FF8077", false},
	{"ignore-e1", "DDE10000000077", false},
	{"mute", "", true},
	{"hangup", "DDE10000000077", true},
	{"garble", "DDE10000005577", true},
	{"split", "DDE10000000077", true},
};

START_TEST(fault)
{
	char address[64];

	snprintf(address, sizeof(address), "lfp-4s,command=%s", faults[_i].option);
	start(address);
	ck_assert_str_eq(ask(CHARGE_OFF), faults[_i].reply);
	ck_assert_uint_eq(closed(), faults[_i].obeyed ? PB_SIM_DISCHARGE : BOTH);
	ck_assert(talk.hang_up == (strcmp(faults[_i].option, "hangup") == 0));
	ck_assert_uint_eq(talk.piece, strcmp(faults[_i].option, "split") == 0 ? 10 : 0);
	if (strstr(faults[_i].option, "-e1")) {
		ck_assert_str_eq(ask("DD5AFB020101FF0177"), "DDFB0000000077");
		ck_assert_uint_eq(closed(), PB_SIM_DISCHARGE);
	}
}
END_TEST

/* Daly and JK were never seen to refuse: silence. */
START_TEST(silent_refusals)
{
	start("daly-lfp-4s,command=refuse");
	ck_assert_str_eq(ask("D20600A500008A4A"), "");
	start("daly-nmc-14s,command=refuse");
	ck_assert_str_eq(ask("A540D9080000000000000000C6"), "");
	start("jk-lfp-16s,command=refuse");
	ck_assert_str_eq(ask("AA5590EB1D04000000000000000000000000009B"), "");
	ck_assert_uint_eq(closed(), BOTH);
}
END_TEST

START_TEST(garbled_echoes)
{
	start("daly-lfp-4s,command=garble");
	ck_assert_str_eq(ask("D20600A500008A4A"), "D20600A50000DF4A");
	start("daly-nmc-14s,command=garble");
	ck_assert_str_eq(ask("A540D9080000000000000000C6"), "A501D908000D130D210D17C0EC");
	start("jk-lfp-16s,command=garble");
	ck_assert_str_eq(ask("AA5590EB1D04000000000000000000000000009B"),
			 "AA5590EBC8010100000000000000000000000011");
	ck_assert_uint_eq(closed(), PB_SIM_DISCHARGE);
}
END_TEST

START_TEST(wrapped_acknowledgement)
{
	start("jk-lfp-16s,command=wrap");
	ck_assert_str_eq(ask("AA5590EB1D04000000000000000000000000009B"),
			 "41540D0AAA5590EBC801010000000000000000000000004441540D0A");
}
END_TEST

START_TEST(late)
{
	start("lfp-4s,command=late,speed=10");
	ask(CHARGE_OFF);
	pb_sim_run(&sim, 9);
	ck_assert_uint_eq(closed(), BOTH);
	pb_sim_run(&sim, 2);
	ck_assert_uint_eq(closed(), PB_SIM_DISCHARGE);
}
END_TEST

START_TEST(pin)
{
	start("lfp-4s,pin=333333");
	ck_assert_str_eq(ask(CHARGE_OFF), "DDE18000FF8077");
	ck_assert_str_eq(ask("DD5A060706030303030304FFDA77"), "DD068300FF7D77");
	ck_assert_str_eq(ask(CHARGE_OFF), "DDE18000FF8077");
	ck_assert_str_eq(ask("DD5A060706030303030303FFDB77"), "DD060000000077");
	ck_assert_str_eq(ask(CHARGE_OFF), "DDE10000000077");
	/* in the same connection only */
	talk = (struct pb_sim_talk){.sim = &sim};
	ck_assert_str_eq(ask(CHARGE_OFF), "DDE18000FF8077");
	/* without a PIN it is refused, and means nothing */
	start("lfp-4s");
	ck_assert_str_eq(ask("DD5A060706030303030303FFDB77"), "DD068000FF8077");
	ck_assert_str_eq(ask(CHARGE_OFF), "DDE10000000077");
	ck_assert_uint_eq(sim.offences, 0);
}
END_TEST

START_TEST(login)
{
	start("lfp-4s,login=1");
	ck_assert_str_eq(ask(CHARGE_OFF), "");
	ck_assert_str_eq(ask("FFAA1D001D"), "FFAA1D01001E");
	ck_assert_str_eq(ask(CHARGE_OFF), "DDE10000000077");
	start("lfp-4s");
	ck_assert_str_eq(ask("FFAA1D001D"), "");
}
END_TEST

/* ---- what the switches do ---- */

START_TEST(currents)
{
	start("lfp-4s,soc=50,current=20");
	pb_sim_run(&sim, 1);
	ck_assert(sim.current_c > 0.19);
	ask(CHARGE_OFF);
	pb_sim_run(&sim, 1);
	ck_assert(sim.current_c == 0);
	sim.options.current_ma = -20000;
	pb_sim_run(&sim, 1);
	ck_assert(sim.current_c < -0.19);
	ask("DD5AE1020003FF1A77");
	pb_sim_run(&sim, 1);
	ck_assert(sim.current_c == 0);
}
END_TEST

START_TEST(reclosing)
{
	start("lfp-4s,soc=50,current=-1,reclose=1");
	ask(CHARGE_OFF);
	pb_sim_run(&sim, 1);
	ck_assert_uint_eq(closed(), PB_SIM_DISCHARGE);
	sim.options.current_ma = -5000;
	pb_sim_run(&sim, 1);
	ck_assert_uint_eq(closed(), BOTH);
	ck_assert_uint_eq(sim.ordered, PB_SIM_CHARGE);
	sim.options.current_ma = -1000;
	pb_sim_run(&sim, 1);
	ck_assert_uint_eq(closed(), PB_SIM_DISCHARGE);
}
END_TEST

START_TEST(protection_and_heating)
{
	struct pb_sample sample;

	start("lfp-4s");
	sim.forced_protection = 1 << PB_PROTECT_CELL_OVERVOLTAGE;
	pb_sim_run(&sim, 1);
	ck_assert_uint_eq(closed(), PB_SIM_DISCHARGE);
	pb_sim_read(&sim, &sample);
	ck_assert(!(sample.protection_mask & 1 << PB_PROTECT_FET_LOCKED));
	ask(CHARGE_OFF);
	pb_sim_read(&sim, &sample);
	ck_assert(sample.protection_mask & 1 << PB_PROTECT_FET_LOCKED);
	start("jk-lfp-16s,heat=1");
	ck_assert_uint_eq(closed(), PB_SIM_DISCHARGE);
	ck_assert_uint_eq(sim.ordered, 0);
}
END_TEST

/* JBD forgets a command without power, the others keep it. */
START_TEST(power_cycle)
{
	start("lfp-4s");
	pb_sim_app(&sim, PB_SIM_CHARGE, true);
	ck_assert_uint_eq(closed(), PB_SIM_DISCHARGE);
	pb_sim_power_cycle(&sim);
	ck_assert_uint_eq(closed(), BOTH);
	start("jk-lfp-16s");
	pb_sim_app(&sim, PB_SIM_CHARGE, true);
	pb_sim_power_cycle(&sim);
	ck_assert_uint_eq(closed(), PB_SIM_DISCHARGE);
	pb_sim_app(&sim, PB_SIM_CHARGE, false);
	ck_assert_uint_eq(closed(), BOTH);
}
END_TEST

/* ---- where the makers show a command ---- */

/* @return byte @at of the reply. */
static unsigned int byte_of(const char *request, size_t at)
{
	unsigned int value = 0;

	ck_assert_int_eq(sscanf(ask(request) + 2 * at, "%2X", &value), 1);
	return value;
}

static const char *words_request(uint8_t head, uint16_t first, uint16_t count)
{
	static char hex[17];
	uint8_t bytes[8] = {head, 3};

	pb_put_be16(bytes + 2, first);
	pb_put_be16(bytes + 4, count);
	pb_put_le16(bytes + 6, pb_crc16(bytes, 6));
	for (size_t i = 0; i < 8; i++)
		snprintf(hex + 2 * i, 3, "%02X", bytes[i]);
	return hex;
}

START_TEST(shown_by_daly)
{
	start("daly-lfp-4s");
	ck_assert_uint_eq(byte_of(words_request(0xD2, 0xA5, 2), 4), 1);
	ask("D20600A500008A4A");
	ck_assert_uint_eq(byte_of(words_request(0xD2, 0xA5, 2), 4), 0);
	ck_assert_uint_eq(byte_of(words_request(0xD2, 0xA5, 2), 6), 1);
	ck_assert_uint_eq(byte_of(words_request(0xD2, 0, 62), 4 + 2 * 0x3D), 1 << 4);
	start("daly-lfp-16s");
	ask("810601210000C7FC");
	ck_assert_uint_eq(byte_of(words_request(0x81, 0x121, 2), 4), 0);
	ck_assert_uint_eq(byte_of(words_request(0x81, 0x41, 62), 3 + 2 * (0x73 - 0x41)), 1);
}
END_TEST

START_TEST(shown_by_jk)
{
	const char *settings = "AA5590EB96000000000000000000000000000010";

	start("jk-lfp-16s,heat=1");
	ck_assert_uint_eq(byte_of(settings, 118), 1); /* though the FET is open */
	ask("AA5590EB1D04000000000000000000000000009B");
	ck_assert_uint_eq(byte_of(settings, 118), 0);
	ck_assert_uint_eq(byte_of(settings, 122), 1);
}
END_TEST

START_TEST(stuck_byte)
{
	start("daly-nmc-14s,stuck=1");
	ask("A540D9080000000000000000C6");
	ck_assert_uint_eq(closed(), PB_SIM_CHARGE);
	ck_assert_uint_eq(byte_of("A5409308000000000000000080", 6), 1);
}
END_TEST

START_TEST(bad_options)
{
	static const char *const bad[] = {"command=never", "command=",	"pin=12345", "pin=12345x",
					  "current=1001",  "current=x", "reclose=2"};
	struct pb_sim_options options;
	char address[64], why[256];

	snprintf(address, sizeof(address), "lfp-4s,%s", bad[_i]);
	ck_assert_int_lt(pb_sim_options_parse(&options, address, why, sizeof(why)), 0);
	ck_assert_ptr_nonnull(strstr(why, "expected"));
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("switches");

	tcase_add_loop_test(tcase, commands, 0, PB_ARRAY_SIZE(exchanges));
	tcase_add_loop_test(tcase, offences, 0, PB_ARRAY_SIZE(forbidden));
	tcase_add_loop_test(tcase, fault, 0, PB_ARRAY_SIZE(faults));
	tcase_add_test(tcase, silent_refusals);
	tcase_add_test(tcase, garbled_echoes);
	tcase_add_test(tcase, wrapped_acknowledgement);
	tcase_add_test(tcase, late);
	tcase_add_test(tcase, pin);
	tcase_add_test(tcase, login);
	tcase_add_test(tcase, currents);
	tcase_add_test(tcase, reclosing);
	tcase_add_test(tcase, protection_and_heating);
	tcase_add_test(tcase, power_cycle);
	tcase_add_test(tcase, shown_by_daly);
	tcase_add_test(tcase, shown_by_jk);
	tcase_add_test(tcase, stuck_byte);
	tcase_add_loop_test(tcase, bad_options, 0, 7);
	return pb_run_suite("sim/switches", tcase);
}
