/* SPDX-License-Identifier: MIT */
/* What is right by itself, but wrong for this program or beside something else in the file. */
#include "packbridge/bridge.h"
#include "packbridge/yaml.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int check(const char *text, struct pb_report *report)
{
	static const char *const dirs[] = {PB_SOURCE_DIR "/maps", NULL};
	PB_CLEANUP(pb_config_freep) struct pb_config *config = NULL;
	PB_CLEANUP(pb_maps_freep) struct pb_maps *maps = NULL;

	ck_assert_int_eq(pb_maps_new(&maps, dirs), 0);
	ck_assert_msg(pb_config_parse(&config, "f", text, strlen(text), report) == 0, "%s",
		      report->count ? report->lines[0] : "");
	return pb_bridge_check(config, maps, report);
}

#define TWO(link1, link2)                                                                          \
	"packs: [{name: a, unit: 1, link: '" link1 "'}, {name: b, unit: 2, link: '" link2 "'}]\n"
#define ADDRESSED(link1, address1, link2, address2)                                                \
	"packs: [{name: a, unit: 1, protocol: daly, link: '" link1 "', address: " #address1        \
	"}, {name: b, unit: 2, protocol: daly, link: '" link2 "', address: " #address2 "}]\n"
#define PACK	  "packs: [{name: a, unit: 1, link: 'serial:/dev/null'}]\n"
#define RECORDING PB_SOURCE_DIR "/tests/data/jbd/short_circuit.recording"

/* @says NULL: it is good */
static const struct {
	const char *text, *says;
} texts[] = {
	/* one pack by two spellings */
	{TWO("ble:A4:C1:38:12:34:56", "ble:A4:C1:38:12:34:56"), "already leads to pack 'a'"},
	{TWO("ble:A4:C1:38:12:34:56", "ble:a4:c1:38:12:34:56"), "the same device as"},
	{TWO("ble:A4:C1:38:12:34:56", "ble:A4:C1:38:12:34:56@hci1"), "the same device as"},
	{TWO("ble:A4:C1:38:12:34:56@hci0", "ble:a4:c1:38:12:34:56@hci1"), "the same device as"},
	{TWO("ble:A4:C1:38:12:34:56", "ble:A4:C1:38:12:34:57"), NULL},
	{TWO("ble:name=JBD-1", "ble:name=JBD-1"), "already leads"},
	{TWO("ble:name=JBD-1@hci0", "ble:name=JBD-1@hci1"), NULL},
	{TWO("serial:/dev/null", "serial:/dev/null@19200"), "the same device as"},
	{TWO("serial:/dev/null", "serial:/dev/./null@9600,8N1"), "the same device as"},
	{TWO("serial:/dev/../dev/null", "serial://dev//null"), "the same device as"},
	{TWO("serial:/dev/none-a", "serial:/dev//none-a@1200"), "the same device as"},
	{TWO("serial:/dev/none-a", "serial:/dev/none-b"), NULL},
	{TWO("tcp:10.0.0.1:5000", "tcp:10.0.0.1:05000"), "the same device as"},
	{TWO("tcp:10.0.0.1:5000", "tcp:[::ffff:10.0.0.1]:5000"), "the same device as"},
	{TWO("tcp:10.0.0.1:5000", "tcp:10.0.0.1:5001"), NULL},
	{TWO("tcp:[fe80:0::1]:5000", "tcp:[FE80::1]:5000"), "the same device as"},
	{TWO("tcp:Box.LAN:5000", "tcp:box.lan.:5000"), "the same device as"},
	{TWO("tcp:localhost:5000", "tcp:127.0.0.1:5000"), "the same device as"},
	{TWO("tcp:localhost:5000", "tcp:LocalHost:5000"), "the same device as"},
	{TWO("sim:lfp-4s", "sim:lfp-4s"), NULL},
	{TWO("serial:/dev/null", "tcp:dev:1"), NULL},

	/* packs with addresses on one line */
	{ADDRESSED("tcp:10.0.0.1:5000", 1, "tcp:10.0.0.1:5000", 2), NULL},
	{ADDRESSED("serial:/dev/null", 1, "serial:/dev/null", 16), NULL},
	{ADDRESSED("tcp:10.0.0.1:5000", 2, "tcp:10.0.0.1:5000", 2),
	 "address 2 on 'tcp:10.0.0.1:5000' is that of pack 'a', expected another"},
	{ADDRESSED("serial:/dev/null", 1, "serial:/dev/null@19200", 2),
	 "the same device as 'serial:/dev/null' of pack 'a', expected the same text"},
	{ADDRESSED("serial:/dev/null", 1, "tcp:10.0.0.1:5000", 17),
	 "address 17, expected 1 to 16, which daly boards have"},
	{ADDRESSED("sim:daly-lfp-4s", 1, "tcp:10.0.0.1:5000", 2),
	 "address 1 on sim:daly-lfp-4s, expected a serial: or tcp: link"},
	{"packs: [{name: a, unit: 1, link: 'serial:/dev/null', protocol: daly, address: 1}, "
	 "{name: b, unit: 2, link: 'serial:/dev/null', protocol: daly}]",
	 "already leads to pack 'a', and only one of the two has an address"},
	{"packs: [{name: a, unit: 1, link: 'serial:/dev/null', address: 1}]",
	 "address 1 with protocol 'jbd', expected protocol: daly, whose boards can share a line"},
	{"packs: [{name: a, unit: 1, link: 'serial:/dev/null', protocol: auto, address: 1}]",
	 "address 1 with protocol 'auto', expected protocol: daly"},

	/* packs of one bank */
	{TWO("sim:lfp-4s", "sim:nmc-13s") "banks: [{name: c, unit: 3, packs: [a, b]}]",
	 "pack 'a' has 4 cells and 'b' 13, expected packs in parallel with the same number of "
	 "cells"},
	{TWO("sim:lfp-4s",
	     "sim:nmc-13s") "banks: [{name: c, unit: 3, packs: [a, b], topology: series}]",
	 NULL},
	{TWO("sim:lfp-4s", "sim:lfp-4s,seed=2") "banks: [{name: c, unit: 3, packs: [a, b]}]", NULL},
	{TWO("sim:lfp-4s", "serial:/dev/null") "banks: [{name: c, unit: 3, packs: [a, b]}]", NULL},

	/* sockets where none can be */
	{PACK "control: /nodir/c.sock", "/nodir/c.sock: its folder does not exist"},
	{PACK "status: /dev/null/s.sock", "its folder does not exist"},
	{PACK "status: pb.sock",
	 "'pb.sock', expected an absolute path such as /run/packbridge/pb.sock"},
	{PACK "control: run/pb.sock", "expected an absolute path such as /run/packbridge/pb.sock"},
	{PACK "control: /run/packbridge/other.sock", NULL}, /* the unit makes its folder */
	{PACK "control: /tmp/c.sock", NULL},

	{PACK "http: http://127.0.0.1:8502/", "expected the address alone: 127.0.0.1:8502"},
	{PACK "listen: [{tcp: 'modbus://0.0.0.0:502'}]", "expected the address alone: 0.0.0.0:502"},
	/* told where they stand */
	{PACK
	 "listen:\n  - tcp: 127.0.0.1:2502\n    allow:\n      - 10.0.0.0/8\n      - 10.0.0.1/8",
	 "f:6:9: '10.0.0.1/8'"},
	{PACK "listen:\n  - tcp: 127.0.0.1:2502\n    write: [10.0.0.5, 10.0.0.1/8]",
	 "f:4:23: "
	 "'10.0.0.1/8'"},
	/* packs that nobody can switch so */
	{"packs:\n- {name: a, unit: 1, link: 'sim:replay=" RECORDING "',\n   control: charge}",
	 "f:3:13: control on sim:replay=" RECORDING ", expected control: off"},
	{"packs:\n- {name: a, unit: 1, link: 'sim:daly-lfp-4s', protocol: daly,\n   control: "
	 "charge, "
	 "pin: '123456'}",
	 "f:3:26: a pin with protocol 'daly', expected protocol: jbd"},
	{"packs: [{name: a, unit: 1, link: 'sim:lfp-4s', protocol: auto, control: charge, pin: "
	 "'123456'}]",
	 NULL},
	{PACK "listen:\n  - rtu: /dev/zero\n    parity: even\n    baud: 9601", "f:5:11: 9601 baud"},
	{PACK "listen:\n  - rtu: zero\n    baud: 9600", "f:3:10: device 'zero'"},
	{PACK "http:\n  address: 127.0.0.1:8502\n  allow: [10.0.0.0/8, here]", "f:4:23: 'here'"},
	{PACK "http:\n  address: 127.0.0.1:8502\n  hosts: [a.lan, 'b c']", "f:4:18: "},

	/* one line for packs and masters */
	{PACK "listen: [{rtu: /dev/null}]", "the line of pack 'a'"},
	{PACK "listen: [{rtu: /dev/./null}]", "the line of pack 'a'"},
	{PACK "listen: [{rtu: /dev/zero}]", NULL},
	{PACK "listen: [{rtu: /dev/zero}, {rtu: /dev/zero}]", "twice, expected another line"},
	{PACK "listen: [{rtu: /dev/zero}, {rtu: //dev/zero}]", "the same line as '/dev/zero'"},
	{PACK "listen: [{rtu: /dev/ttyUSB0@9600}]", "rtu: /dev/ttyUSB0, and baud: 9600"},
	{PACK "listen: [{rtu: '/dev/ttyUSB0@19200,8N1'}]", "and baud: 19200"},

	/* one port for two */
	{PACK "listen: [{tcp: '127.0.0.1:2502'}, {tcp: '127.0.0.1:2502'}]", "appears twice"},
	{PACK "listen: [{tcp: '127.0.0.1:2502'}, {rtu-over-tcp: '127.0.0.1:2502'}]",
	 "appears twice"},
	{PACK "listen: [{tcp: '127.0.0.1:2502'}, {tcp: 'localhost:2502'}]", "has the same port as"},
	{PACK "listen: [{tcp: '[::1]:2502'}, {tcp: 'localhost:2502'}]", "has the same port as"},
	{PACK "listen: [{tcp: '127.0.0.1:2502'}, {tcp: '0.0.0.0:2502'}]", "has the same port as"},
	{PACK "listen: [{tcp: '127.0.0.1:2502'}, {tcp: '[::]:2502'}]", "has the same port as"},
	{PACK "listen: [{tcp: '127.0.0.1:2502'}, {tcp: '*:2502'}]", "has the same port as"},
	{PACK "listen: [{tcp: '0.0.0.0:2502'}, {tcp: '[::]:2502'}]", "has the same port as"},
	{PACK "listen: [{tcp: '[::1]:2502'}, {tcp: '[::]:2502'}]", "has the same port as"},
	{PACK "listen: [{tcp: '127.0.0.1:2502'}, {tcp: '127.0.0.1:02502'}]",
	 "has the same port as"},
	{PACK "listen: [{tcp: '127.0.0.1:2502'}, {tcp: '[::ffff:127.0.0.1]:2502'}]",
	 "has the same port as"},
	{PACK "listen: [{tcp: '[::1]:2502'}, {tcp: '[0:0::1]:2502'}]", "has the same port as"},
	{PACK "listen: [{tcp: '127.0.0.1:2502'}]\nhttp: localhost:2502", "has the same port as"},
	{PACK "http: 0.0.0.0:502", "'0.0.0.0:502' appears twice"},
	{PACK "listen: [{tcp: '127.0.0.1:2502'}, {tcp: '127.0.0.2:2502'}]", NULL},
	{PACK "listen: [{tcp: '127.0.0.1:2502'}, {tcp: '[::1]:2502'}]", NULL},
	{PACK "listen: [{tcp: '0.0.0.0:2502'}, {tcp: '[::1]:2502'}]", NULL},
	{PACK "listen: [{tcp: '127.0.0.1:2502'}, {tcp: '127.0.0.1:2503'}]", NULL},
	{PACK "listen: [{tcp: '127.0.0.1:0'}, {tcp: '127.0.0.1:0'}, {tcp: '*:0'}]", NULL},
	{PACK "control: /tmp/a.sock\nstatus: /tmp/a.sock", "the same path, expected two"},
	{PACK "control: /tmp/a.sock\nstatus: /tmp/../tmp//a.sock", "the same path, expected two"},
	{PACK "control: " PB_CONFIG_STATUS, "the same path, expected two"},

	/* a pack that is this program itself */
	{"packs: [{name: a, unit: 1, link: 'tcp:127.0.0.1:502'}]",
	 "a port that this file listens on"},
	{"packs: [{name: a, unit: 1, link: 'tcp:localhost:2502'}]\nlisten: [{tcp: '[::1]:2502'}]",
	 "a port that this file listens on"},
	{"packs: [{name: a, unit: 1, link: 'tcp:[::1]:8502'}]\nhttp: '*:8502'", "listens on"},
	{"packs: [{name: a, unit: 1, link: 'tcp:LOCALHOST:502'}]", "listens on"},
	{"packs: [{name: a, unit: 1, link: 'tcp:[::ffff:127.0.0.1]:502'}]", "listens on"},
	{"packs: [{name: a, unit: 1, link: 'tcp:0.0.0.0:502'}]", "listens on"},
	{"packs: [{name: a, unit: 1, link: 'tcp:[0:0::0:1]:502'}]\nlisten: [{tcp: '[::]:502'}]",
	 "listens on"},
	{"packs: [{name: a, unit: 1, link: 'tcp:127.0.0.2:502'}]\nlisten: [{tcp: '127.0.0.1:502'}]",
	 NULL},
	{"packs: [{name: a, unit: 1, link: 'tcp:[::ffff:10.0.0.1]:502'}]", NULL},
	{"packs: [{name: a, unit: 1, link: 'tcp:192.168.1.5:502'}]", NULL},
	{"packs: [{name: a, unit: 1, link: 'tcp:127.0.0.1:8899'}]", NULL},

	/* links without their kind, protocols that are not spoken */
	{TWO("A4:C1:38:12:34:56", "sim:lfp-4s"), "expected ble:A4:C1:38:12:34:56 perhaps"},
	{TWO("/dev/ttyUSB0", "sim:lfp-4s"), "expected serial:/dev/ttyUSB0@9600 perhaps"},
	{TWO("/dev/ttyUSB0@1200", "sim:lfp-4s"), "expected serial:/dev/ttyUSB0@1200 perhaps"},
	{TWO("192.168.1.5:8899", "sim:lfp-4s"), "expected tcp:192.168.1.5:8899 perhaps"},
	{TWO("BLE:A4:C1:38:12:34:56", "sim:lfp-4s"), "expected ble:A4:C1:38:12:34:56 perhaps"},
	{TWO("lfp-4s", "sim:lfp-4s"), "expected sim:lfp-4s perhaps"},
	{TWO("ble:a4-c1-38-12-34-56", "sim:lfp-4s"), "written so: A4:C1:38:12:34:56"},
	{TWO("ble:A4C138123456", "sim:lfp-4s"), "written so: A4:C1:38:12:34:56"},
	{TWO("sim:daly-lfp-4s", "sim:lfp-4s"), "expected protocol: daly"},
	{"packs: [{name: a, unit: 1, link: 'sim:jk-lfp-16s', protocol: daly}]",
	 "expected protocol: jk"},
	{"packs: [{name: a, unit: 1, link: 'sim:jk-lfp-16s', protocol: auto}]", NULL},

	{"packs: [{name: a, unit: 1, link: 'sim:lfp-4s', map: /etc/packbridge/maps/mine.yaml}]",
	 "the name alone, mine, of a file"},

	/* options of maps are the configuration's */
	{"packs: [{name: a, unit: 1, link: 'sim:lfp-4s', map: packbridge+lowfirst}]",
	 "f:1:53: map 'packbridge' has no option 'lowfirst'"},
	{"packs: [{name: a, unit: 1, link: 'sim:lfp-4s', map: packbridge+low-first}]", NULL},
};

START_TEST(beside_each_other)
{
	struct pb_report report = {0};
	int r = check(texts[_i].text, &report);

	if (!texts[_i].says) {
		ck_assert_msg(r == 0, "%s", report.count ? report.lines[0] : "?");
		return;
	}
	ck_assert_int_lt(r, 0);
	ck_assert_msg(report.count == 1, "and then '%s'", report.count > 1 ? report.lines[1] : "");
	ck_assert_msg(strncmp(report.lines[0], "f:", 2) == 0 && strstr(report.lines[0], "expected"),
		      "%s", report.lines[0]);
	ck_assert_msg(strstr(report.lines[0], texts[_i].says), "'%s', expected '%s'",
		      report.lines[0], texts[_i].says);
	pb_report_clear(&report);
}
END_TEST

/* /dev/serial/by-id/... is a link to the device */
START_TEST(a_line_by_its_other_name)
{
	struct pb_report report = {0};
	char folder[] = "/tmp/packbridge-check-XXXXXX", link[64], text[512];

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(link, sizeof(link), "%s/usb-FTDI-if00", folder);
	ck_assert_int_eq(symlink("/dev/null", link), 0);
	snprintf(text, sizeof(text),
		 "packs: [{name: a, unit: 1, link: 'serial:/dev/null'}, "
		 "{name: b, unit: 2, link: 'serial:%s@9600'}]\nlisten: [{rtu: %s}]\n",
		 link, link);
	ck_assert_int_lt(check(text, &report), 0);
	ck_assert_uint_eq(report.count, 2);
	ck_assert_ptr_nonnull(strstr(report.lines[0], "the same device as"));
	ck_assert_ptr_nonnull(strstr(report.lines[1], "the line of pack 'a'"));
	pb_report_clear(&report);
	unlink(link);
	rmdir(folder);
}
END_TEST

/* A program without its maps says where it looked, and what to do. */
START_TEST(no_maps_at_all)
{
	static const char text[] = "packs: [{name: a, unit: 1, link: 'sim:lfp-4s'}]";
	static const char *const dirs[] = {"/nowhere/a", "/nowhere/b", NULL};
	PB_CLEANUP(pb_config_freep) struct pb_config *config = NULL;
	PB_CLEANUP(pb_maps_freep) struct pb_maps *maps = NULL;
	struct pb_report report = {0};

	ck_assert_int_eq(pb_maps_new(&maps, dirs), 0);
	ck_assert_int_eq(pb_config_parse(&config, "f", text, strlen(text), &report), 0);
	ck_assert_int_lt(pb_bridge_check(config, maps, &report), 0);
	ck_assert_uint_eq(report.count, 1);
	ck_assert_ptr_nonnull(strstr(report.lines[0], "no maps in /nowhere/a, /nowhere/b"));
	ck_assert_ptr_nonnull(strstr(report.lines[0], "PACKBRIDGE_MAPS"));
	pb_report_clear(&report);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("check");

	tcase_add_loop_test(tcase, beside_each_other, 0, PB_ARRAY_SIZE(texts));
	tcase_add_test(tcase, a_line_by_its_other_name);
	tcase_add_test(tcase, no_maps_at_all);
	return pb_run_suite("bridge/check", tcase);
}
