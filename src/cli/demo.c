/* SPDX-License-Identifier: MIT */
#include "cli.h"
#include "options.h"
#include "serve.h"

#include "packbridge/net.h"
#include "packbridge/server.h"
#include "packbridge/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEMO_LISTEN "127.0.0.1:1502"

static const char help[] =
	"Usage: packbridge demo [--listen HOST:PORT] [--http HOST:PORT] [-v]\n"
	"Serves three simulated packs: a 200 Ah LiFePO4 house battery (unit 1), a 100 Ah starter\n"
	"battery (unit 2) and a 150 Ah solar battery (unit 3). The bank camper (unit 100) is "
	"house\n"
	"and solar together. Programs on this machine may inhibit charging of solar "
	"(docs/control.md).\n"
	"Needs no Bluetooth, no D-Bus, no root.\n"
	"Prints commands that read them. Ends with Ctrl-C.\n"
	"\n"
	"  -l, --listen HOST:PORT  where to listen (default " DEMO_LISTEN ")\n"
	"  -H, --http HOST:PORT    a status page for browsers, e.g. 127.0.0.1:8502\n"
	"  -v, --verbose           also log the bytes to and from the packs\n"
	"  -h, --help              this text\n";

static const char packs[] = "packs:\n"
			    "  - {name: house, link: 'sim:lfp-4s,ah=200,soc=64', unit: 1,"
			    " poll_ms: 1000, gap_ms: 20, settle_ms: 0}\n"
			    "  - {name: starter, link: 'sim:lead-12v,ah=100,soc=92', unit: 2,"
			    " chemistry: lead, poll_ms: 1000, gap_ms: 20, settle_ms: 0}\n"
			    "  - {name: solar, link: 'sim:lfp-4s,ah=150,soc=48', unit: 3,"
			    " poll_ms: 1000, gap_ms: 20, settle_ms: 0, control: charge}\n"
			    "banks:\n"
			    "  - {name: camper, packs: [house, solar], unit: 100}\n";

static void print_lines(const struct pb_config *config, const struct pb_bridge *bridge)
{
	static const struct {
		const char *unit, *range, *what;
	} lines[] = {
		{"1", "-r 0 -c 20 -t 4", "unit 1: state of the data, then voltage (16), SoC (17)"},
		{"1,2,3", "-r 18 -c 1 -t 4:int -B", "current of all three, mA"},
		{"1", "-r 100 -c 4 -t 3", "cells of unit 1, mV"},
		{"100", "-r 18 -c 1 -t 4:int -B", "the bank camper, house and solar: current, mA"},
		{"100", "-r 80 -c 4 -t 4:int -B",
		 "its limits: charge and discharge voltage, mV; charge and discharge current, mA"},
		{"0", "-r 0 -c 12 -t 4", "the gateway itself: uptime, packs online"},
	};
	struct pb_endpoint listens = {0}, client;

	pb_endpoint_parse(&listens, config->listens[0].address, PB_ENDPOINT_LISTEN);
	pb_endpoint_reach(&listens, &client); /* as a client types it */
	puts("Three simulated packs and a bank are served. In another shell:\n");
	for (size_t i = 0; i < PB_ARRAY_SIZE(lines); i++)
		printf("  mbpoll -m tcp -p %u -a %s -0 %s -1 %s\n      # %s\n",
		       pb_bridge_port(bridge, 0), lines[i].unit, lines[i].range, client.host,
		       lines[i].what);
	printf("\n  %s status --watch -s %s\n      # what the daemon sees, live\n",
	       program_invocation_name, config->sockets[PB_SOCKET_STATUS].path);
	printf("\nWhat the registers mean: %s map show packbridge, and packbridge-bank\n"
	       "Ctrl-C ends it.\n",
	       program_invocation_name);
	fflush(stdout);
}

int pb_cli_demo(int argc, char **argv)
{
	struct daemon daemon = {.ready = print_lines};
	struct pb_report report = {0};
	const char *listen = DEMO_LISTEN, *http = "";
	bool verbose = false;
	const struct option_row rows[] = {
		{"listen", 'l', OPTION_TEXT, &listen, 0, 0},
		{"http", 'H', OPTION_TEXT, &http, 0, 0},
		{"verbose", 'v', OPTION_FLAG, &verbose, 0, 0},
		{0},
	};
	char text[sizeof(packs) + (size_t)3 * PB_CONFIG_LINK], why[256];
	int status = pb_cli_options(argc, argv, rows, help, ""), r;

	if (status >= 0)
		return status;
	if (verbose)
		pb_log_set_level(PB_LOG_DEBUG);
	if (pb_server_tcp_check(listen, why, sizeof(why)) < 0 ||
	    (*http && pb_server_tcp_check(http, why, sizeof(why)) < 0)) {
		fprintf(stderr, "packbridge demo: %s\n", why);
		return 2;
	}
	snprintf(text, sizeof(text),
		 "%slisten:\n  - {tcp: '%s', write: [127.0.0.0/8]}\n"
		 "history: off\nstatus: /tmp/packbridge-demo-%d-%u.sock\n"
		 "control: /tmp/packbridge-demo-%d-%u-control.sock\n",
		 packs, listen, (int)getpid(), (unsigned int)getuid(), (int)getpid(),
		 (unsigned int)getuid());
	if (*http)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "http: '%s'\n", http);
	r = pb_config_parse(&daemon.config, "demo", text, strlen(text), &report);
	if (r >= 0)
		r = pb_cli_maps(&daemon.maps);
	if (r >= 0)
		r = pb_bridge_check(daemon.config, daemon.maps, &report);
	pb_report_print(&report, stderr);
	pb_report_clear(&report);
	if (r < 0) {
		pb_config_free(daemon.config);
		pb_maps_free(daemon.maps);
		return 1;
	}
	return pb_cli_serve(&daemon);
}
