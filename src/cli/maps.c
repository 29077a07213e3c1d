/* SPDX-License-Identifier: MIT */
#include "maps.h"

#include "cli.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
	const char *dirs[6];
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
	dirs[count++] = PB_MAPS_DIR; /* without /proc */
	dirs[count] = NULL;
	return pb_maps_new(ret, dirs);
}

static void say_nearest(struct map_work *work, const char *command, const char *name)
{
	char **names = NULL, dirs[600];
	const char *near = NULL;

	if (pb_maps_names(work->maps, &names) == 0)
		near = pb_nearest(name, (const char *const *)names);
	if (names && !names[0]) {
		pb_maps_dirs(work->maps, dirs, sizeof(dirs));
		fprintf(stderr,
			"packbridge %s: no maps in %s: install the program completely, or set "
			"PACKBRIDGE_MAPS to the folder of its maps\n",
			command, dirs);
		pb_maps_names_free(names);
		return;
	}
	fprintf(stderr, "packbridge %s: no map '%s'%s%s%s\n", command, name,
		near ? ", expected '" : "", near ? near : "",
		near ? "' perhaps" : "; `packbridge map list` lists all maps");
	pb_maps_names_free(names);
}

static bool is_file(const char *name)
{
	size_t len = strlen(name);

	return strchr(name, '/') || (len > 5 && strcmp(name + len - 5, ".yaml") == 0) ||
	       strstr(name, ".yaml+");
}

/* A configuration that was taken for a map has one of these in its first column. */
static bool is_configuration(const char *path)
{
	static const char *const keys[] = {"packs:", "listen:", "banks:"};
	struct stat about;
	FILE *file = stat(path, &about) == 0 && S_ISREG(about.st_mode) ? fopen(path, "re") : NULL;
	char line[256];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		for (size_t i = 0; i < PB_ARRAY_SIZE(keys); i++)
			found = found || strncmp(line, keys[i], strlen(keys[i])) == 0;
	if (file)
		fclose(file);
	return found;
}

const struct pb_map *pb_cli_find_map(struct map_work *work, const char *command, const char *name)
{
	const struct pb_map *map = NULL;
	int r = work->maps ? 0 : pb_cli_maps(&work->maps);

	if (r < 0) {
		fprintf(stderr, "packbridge %s: %s\n", command, strerror(-r));
		return NULL;
	}
	if (is_file(name) && is_configuration(name)) {
		fprintf(stderr,
			"packbridge %s: %s is a configuration, expected a map (`packbridge map "
			"export --config %s` exports its units)\n",
			command, name, name);
		return NULL;
	}
	if (is_file(name)) {
		pb_map_free(work->file);
		work->file = NULL;
		r = pb_map_load(&work->file, name, &work->report);
		map = work->file;
	} else {
		r = pb_maps_get(work->maps, name, &map, &work->report);
	}
	pb_report_print(&work->report, stderr);
	if (r == -ENOENT && work->report.count == 0)
		say_nearest(work, command, name);
	return r < 0 ? NULL : map;
}

void pb_cli_map_done(struct map_work *work)
{
	pb_map_free(work->file);
	pb_maps_free(work->maps);
	pb_report_clear(&work->report);
}
