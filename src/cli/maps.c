/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include "packbridge/bridge.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The folder that the running program lies in, e.g. "/usr/bin"; "." when it can't be told. */
static void program_folder(char *out, size_t cap)
{
	ssize_t len = readlink("/proc/self/exe", out, cap - 1);
	char *slash;

	if (len <= 0) {
		snprintf(out, cap, ".");
		return;
	}
	out[len] = '\0';
	slash = strrchr(out, '/');
	if (slash)
		*slash = '\0';
}

int pb_cli_maps(struct pb_maps **ret)
{
	char bin[PATH_MAX], tree[PATH_MAX + 32], installed[PATH_MAX + 32];
	const char *own = getenv("PACKBRIDGE_MAPS");
	const char *dirs[5];
	size_t count = 0;

	/* found from the program, so that any installation prefix works, and a build in the tree */
	program_folder(bin, sizeof(bin));
	snprintf(tree, sizeof(tree), "%s/../../maps", bin);
	snprintf(installed, sizeof(installed), "%s/../share/packbridge/maps", bin);
	if (own && *own)
		dirs[count++] = own;
	dirs[count++] = "/etc/packbridge/maps";
	dirs[count++] = tree;
	dirs[count++] = installed;
	dirs[count] = NULL;
	return pb_maps_new(ret, dirs);
}
