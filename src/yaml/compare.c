/* SPDX-License-Identifier: MIT */
/*
 * Two structs that were filled through the same rows are compared through them, too, so no key can
 * be forgotten. A row says where its value is: a number or a text beside the others, a section with
 * rows of its own, or a list of items or texts.
 */
#include "packbridge/yaml.h"

#include <assert.h>
#include <string.h>

static const void *compare_at(const void *base, size_t offset)
{
	return (const char *)base + offset;
}

static size_t compare_count(const void *base, const struct pb_yaml_kept *kept)
{
	size_t count;

	memcpy(&count, compare_at(base, kept->count), sizeof(count));
	return count;
}

static const void *compare_pointer(const void *base, size_t offset)
{
	const void *pointer;

	memcpy(&pointer, compare_at(base, offset), sizeof(pointer));
	return pointer;
}

static bool same_value(const struct pb_yaml_kept *kept, const void *a, const void *b)
{
	if (kept->rows)
		return !pb_yaml_differs(kept->rows, a, b);
	return memcmp(a, b, kept->size) == 0;
}

static bool same_list(const struct pb_yaml_kept *kept, const void *a, const void *b)
{
	const char *of_a = compare_pointer(a, kept->offset),
		   *of_b = compare_pointer(b, kept->offset);
	size_t count = compare_count(a, kept);
	bool same = count == compare_count(b, kept);

	for (size_t i = 0; same && i < count; i++) {
		if (kept->shape == PB_YAML_ITEMS)
			same = same_value(kept, of_a + i * kept->size, of_b + i * kept->size);
		else
			same = strcmp(compare_pointer(of_a, i * sizeof(char *)),
				      compare_pointer(of_b, i * sizeof(char *))) == 0;
	}
	return same;
}

static bool same_kept(const struct pb_yaml_kept *kept, const void *a, const void *b)
{
	bool same = kept->shape == PB_YAML_ONE ? same_value(kept, compare_at(a, kept->offset),
							    compare_at(b, kept->offset))
					       : same_list(kept, a, b);

	return same && (!kept->also || same_kept(kept->also, a, b));
}

static bool compare_same_row(const struct pb_yaml_row *row, const void *a, const void *b)
{
	const struct pb_yaml_kept *kept = row->kept;

	assert(kept || row->type != PB_YAML_NODE);
	if (kept)
		return same_kept(kept, a, b);
	a = compare_at(a, row->offset);
	b = compare_at(b, row->offset);
	return row->type == PB_YAML_TEXT ? strcmp(a, b) == 0 : memcmp(a, b, row->size) == 0;
}

const struct pb_yaml_row *pb_yaml_differs(const struct pb_yaml_row *rows, const void *a,
					  const void *b)
{
	for (; rows->key; rows++)
		if (!compare_same_row(rows, a, b))
			return rows;
	return NULL;
}

unsigned int pb_yaml_changes(const struct pb_yaml_row *rows, const void *a, const void *b)
{
	unsigned int changes = 0;

	for (; (rows = pb_yaml_differs(rows, a, b)); rows++)
		changes |= rows->change;
	return changes;
}
