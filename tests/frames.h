/* SPDX-License-Identifier: MIT */
#pragma once

#include "packbridge/base.h"

#include <check.h>
#include <jansson.h>

/** One entry of a frames.json: the bytes as one run, and where its chunks end. */
struct captured {
	const json_t *entry;
	const char *id;
	size_t len;
	uint8_t bytes[1024];
};

/** The entries of tests/data/@file; the caller keeps the object. */
static inline json_t *captured_load(const char *file)
{
	char path[512];
	json_t *root;

	snprintf(path, sizeof(path), "%s/%s", PB_TEST_DATA, file);
	root = json_load_file(path, 0, NULL);
	ck_assert_msg(root != NULL, "%s can't be read", path);
	return root;
}

static inline void captured_get(const json_t *root, size_t index, struct captured *ret)
{
	const json_t *frame, *chunks, *chunk;
	size_t i;
	int r;

	ret->entry = json_array_get(json_object_get(root, "entries"), index);
	ret->id = json_string_value(json_object_get(ret->entry, "id"));
	ret->len = 0;
	frame = json_object_get(ret->entry, "frame");
	if (frame) {
		r = pb_hex_parse(json_string_value(frame), ret->bytes, sizeof(ret->bytes));
		ck_assert_int_gt(r, 0);
		ret->len = (size_t)r;
		return;
	}
	chunks = json_object_get(ret->entry, "chunks");
	if (!chunks)
		chunks = json_object_get(ret->entry, "frames");
	json_array_foreach(chunks, i, chunk)
	{
		r = pb_hex_parse(json_string_value(chunk), ret->bytes + ret->len,
				 sizeof(ret->bytes) - ret->len);
		ck_assert_int_gt(r, 0);
		ret->len += (size_t)r;
	}
}

static inline const json_t *captured_expect(const struct captured *captured, const char *key)
{
	return json_object_get(json_object_get(captured->entry, "expect"), key);
}
