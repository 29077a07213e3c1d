/* SPDX-License-Identifier: MIT */
#include "cli.h"
#include "configfile.h"
#include "serve.h"

#include <stdio.h>

static const char help[] = "Usage: packbridge run [-c FILE] [-v]\n"
			   "Polls the packs of the configuration and serves each as a Modbus unit, "
			   "in the foreground,\n"
			   "until SIGTERM or SIGINT. SIGHUP, or `packbridge reload`, loads "
			   "the file and its maps anew.\n"
			   "Messages go to stderr.\n\n"
			   "  -c, --config FILE  configuration (default " PB_CONFIG_FILE ")\n"
			   "  -v, --verbose      also log the bytes to and from the packs\n"
			   "  -h, --help         this text\n";

int pb_cli_run(int argc, char **argv)
{
	struct daemon daemon = {0};
	int status = pb_cli_config_options(argc, argv, help, &daemon.file);

	if (status >= 0)
		return status;
	if (pb_cli_config_load(daemon.file, &daemon.config, &daemon.maps) < 0) {
		pb_maps_free(daemon.maps);
		return 1;
	}
	return pb_cli_serve(&daemon);
}
