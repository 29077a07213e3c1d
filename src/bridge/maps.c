/* SPDX-License-Identifier: MIT */
/*
 * Maps by name, from a list of folders; each is loaded when it is first requested. A failed load is
 * remembered too: its errors are reported once, however many units use the map.
 */
#include "packbridge/bridge.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAME_CAP = 64 };

struct entry {
	struct entry *next;
	struct pb_map *map; /* NULL: @error */
	int error;
	char name[NAME_CAP];
};

struct pb_maps {
	char **dirs; /* ended by NULL */
	struct entry *loaded;
};

static char **strings_free(char **strings)
{
	for (char **s = strings; s && *s; s++)
		free(*s);
	free(strings);
	return NULL;
}

int pb_maps_new(struct pb_maps **ret, const char *const *dirs)
{
	PB_CLEANUP(pb_maps_freep) struct pb_maps *maps = calloc(1, sizeof(*maps));
	size_t count = 0;

	while (dirs[count])
		count++;
	if (!maps)
		return -ENOMEM;
	maps->dirs = calloc(count + 1, sizeof(*maps->dirs));
	if (!maps->dirs)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		maps->dirs[i] = strdup(dirs[i]);
		if (!maps->dirs[i])
			return -ENOMEM;
	}
	*ret = maps;
	maps = NULL;
	return 0;
}

struct pb_maps *pb_maps_free(struct pb_maps *maps)
{
	if (!maps)
		return NULL;
	while (maps->loaded) {
		struct entry *entry = maps->loaded;

		maps->loaded = entry->next;
		pb_map_free(entry->map);
		free(entry);
	}
	strings_free(maps->dirs);
	free(maps);
	return NULL;
}

void pb_maps_dirs(const struct pb_maps *maps, char *out, size_t cap)
{
	size_t at = 0;

	*out = '\0';
	for (char **dir = maps->dirs; *dir && at < cap; dir++)
		at += (size_t)snprintf(out + at, cap - at, "%s%s", at ? ", " : "", *dir);
}

/* A map's name is a file name, so nothing in it may lead out of the folder. */
static bool good_name(const char *name)
{
	return *name && strlen(name) < NAME_CAP &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-+")] == '\0';
}

static int maps_load(struct pb_maps *maps, const char *name, struct pb_map **ret,
		     struct pb_report *report)
{
	for (char **dir = maps->dirs; *dir; dir++) {
		char path[4096];

		int base = (int)strcspn(name, "+");

		if ((size_t)snprintf(path, sizeof(path), "%s/%.*s.yaml", *dir, base, name) +
			    strlen(name) >=
		    sizeof(path))
			continue;
		if (access(path, F_OK) != 0)
			continue;
		strcat(path, name + base); /* options, if there are */
		return pb_map_load(ret, path, report);
	}
	return -ENOENT;
}

static int maps_find(struct pb_maps *maps, const char *name, struct entry **ret,
		     struct pb_report *report)
{
	struct entry *entry = maps->loaded;

	while (entry && strcmp(entry->name, name) != 0)
		entry = entry->next;
	if (!entry) {
		entry = calloc(1, sizeof(*entry));
		if (!entry)
			return -ENOMEM;
		strcpy(entry->name, name);
		entry->error = maps_load(maps, name, &entry->map, report);
		entry->next = maps->loaded;
		maps->loaded = entry;
	}
	*ret = entry;
	return entry->error;
}

int pb_maps_get(struct pb_maps *maps, const char *name, const struct pb_map **ret,
		struct pb_report *report)
{
	struct entry *entry;
	int r = good_name(name) ? maps_find(maps, name, &entry, report) : -ENOENT;

	if (r == 0)
		*ret = entry->map;
	return r;
}

static bool maps_has(char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* Adds the maps of one folder to the list, which is ended by NULL and grows. */
static int add_folder(const char *path, char ***names, size_t *count)
{
	DIR *dir = opendir(path);
	struct dirent *file;
	int r = 0;

	if (!dir)
		return 0;
	while (r == 0 && (file = readdir(dir))) {
		char name[64];
		char **longer;
		size_t len = strlen(file->d_name);

		if (len < 6 || len - 5 >= sizeof(name) ||
		    strcmp(file->d_name + len - 5, ".yaml") != 0)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(len - 5), file->d_name);
		if (!good_name(name) || strchr(name, '+') || maps_has(*names, *count, name))
			continue;
		longer = realloc(*names, (*count + 2) * sizeof(**names));
		if (!longer) {
			r = -ENOMEM;
			break;
		}
		*names = longer;
		longer[*count + 1] = NULL;
		longer[*count] = strdup(name);
		if (!longer[*count])
			r = -ENOMEM;
		else
			++*count;
	}
	closedir(dir);
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int pb_maps_names(struct pb_maps *maps, char ***ret)
{
	char **names = calloc(1, sizeof(*names));
	size_t count = 0;
	int r = names ? 0 : -ENOMEM;

	for (char **dir = maps->dirs; r == 0 && *dir; dir++)
		r = add_folder(*dir, &names, &count);
	if (r < 0) {
		strings_free(names);
		return r;
	}
	qsort(names, count, sizeof(*names), by_name);
	*ret = names;
	return 0;
}

char **pb_maps_names_free(char **names)
{
	return strings_free(names);
}
