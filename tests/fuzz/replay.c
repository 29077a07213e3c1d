/* SPDX-License-Identifier: MIT */
/*
 * A main() for fuzz targets that are not built with libFuzzer: feeds every file of the folders (or
 * files) given as arguments to the target once, and fails when there was none.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 20 };

static size_t replay_file(const char *path)
{
	static uint8_t buf[INPUT_MAX];
	FILE *file = fopen(path, "rb");
	uint8_t *input;
	size_t len;

	if (!file) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	len = fread(buf, 1, sizeof(buf), file);
	fclose(file);
	/* of its exact size, so that a sanitizer sees a read behind the end */
	input = malloc(len ? len : 1);
	if (!input)
		exit(EXIT_FAILURE);
	memcpy(input, buf, len);
	LLVMFuzzerTestOneInput(input, len);
	free(input);
	return 1;
}

static size_t replay(const char *path)
{
	struct stat info;
	struct dirent *entry;
	size_t count = 0;
	DIR *dir;

	if (stat(path, &info) < 0 || !S_ISDIR(info.st_mode))
		return replay_file(path);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		char name[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		count += replay_file(name);
	}
	if (dir)
		closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	size_t count = 0;

	for (int i = 1; i < argc; i++)
		count += replay(argv[i]);
	printf("%zu inputs\n", count);
	return count ? EXIT_SUCCESS : EXIT_FAILURE;
}
