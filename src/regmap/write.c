/* SPDX-License-Identifier: MIT */
/*
 * Writes to an image. A request is split into rows and values. If all of them are valid, and the
 * owner of the image accepts, all are stored; else none. Rows of control are never stored: the
 * owner takes what they ask for, and its next data shows what has become of it.
 */
#include "image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One request. */
struct map_write {
	struct pb_unit_image *image;
	enum pb_table table;
	uint32_t addr, end;
	const uint8_t *bytes; /* as on the wire, of @addr and on */
	size_t count;
	bool control; /* it asks the owner for something */
	struct pb_write writes[PB_WRITE_BITS_MAX];
};

static bool bit_at(const uint8_t *bytes, uint32_t at)
{
	return bytes[at / 8] >> at % 8 & 1;
}

/* @from: bytes as on the wire, of @addr and on, in which the row is whole. */
static void copy_row(const struct row *row, const struct pb_block *to, const uint8_t *from,
		     uint32_t addr)
{
	uint32_t at = (uint32_t)row->addr - to->addr, from_at = row->addr - addr;

	if (!table_is_bits(to->tables))
		memcpy(to->bytes + 2 * (size_t)at, from + 2 * (size_t)from_at,
		       2 * (size_t)row->words);
	else if (bit_at(from, from_at))
		to->bytes[at / 8] |= (uint8_t)(1 << at % 8);
	else
		to->bytes[at / 8] &= (uint8_t) ~(1 << at % 8);
}

/* Signed types by their sign, f32 as its bits. */
static int64_t write_value_of(bool low_first, const struct row *row, const uint8_t *p)
{
	uint64_t raw = 0;

	for (unsigned int i = 0; i < row->words; i++) /* from the high word on */
		raw = raw << 16 |
		      pb_get_be16(p + 2 * (size_t)(low_first ? row->words - 1U - i : i));
	if (row->type == PB_ROW_S16)
		return (int16_t)raw;
	return row->type == PB_ROW_S32 ? (int32_t)raw : (int64_t)raw;
}

/* The value of the field that stands for what is written. @return false: there is none. */
static bool wished_value(const struct row *row, int64_t raw, int64_t *ret)
{
	*ret = row->type == PB_ROW_COIL ? raw != row->bit.invert : raw;
	if (!row->values)
		return *ret >= row->field->min && *ret <= row->field->max;
	for (size_t i = 0; i < row->value_count; i++) {
		*ret = (int64_t)i;
		if (row->values[i] == raw)
			return true;
	}
	return false;
}

/* Whether the value is one that the field can have is for the owner: another answer may go first */
static void take_wish(struct map_write *job, const struct row *row, struct pb_write *write)
{
	job->control = true;
	write->field = row->field;
	write->valid = wished_value(row, write->value, &write->value);
}

/* @return whether the row, as the request has it, is good; it becomes one of the job's writes */
static bool take_row(struct map_write *job, const struct row *row)
{
	struct pb_write *write = &job->writes[job->count++];
	const uint8_t *p = job->bytes + 2 * (size_t)(row->addr - job->addr);

	/* a part of a number would make a value that nobody meant */
	if (row->addr < job->addr || (uint32_t)row->addr + row->words > job->end)
		return false;
	*write = (struct pb_write){.table = job->table, .addr = row->addr, .valid = true};
	if (row->type == PB_ROW_STRING) {
		write->text = (const char *)p;
		write->text_len = 2 * (size_t)row->words;
		return true;
	}
	write->value = row->type == PB_ROW_COIL
			       ? bit_at(job->bytes, row->addr - job->addr)
			       : write_value_of(job->image->map->low_word_first, row, p);
	if (row->control)
		take_wish(job, row, write);
	if (row->ignored || row->control)
		return true;
	return write->value >= row->min && write->value <= row->max;
}

static bool take_block(struct map_write *job, const struct block *block)
{
	for (size_t i = block->row; i < block->row + block->row_count; i++) {
		const struct row *row = &job->image->map->rows[i];

		if ((uint32_t)row->addr + row->words <= job->addr || row->addr >= job->end)
			continue;
		if (!take_row(job, row))
			return false;
	}
	return true;
}

/* Rows are whole in the job by now. */
static void store_block(const struct map_write *job, size_t index)
{
	const struct block *block = &job->image->map->blocks[index];

	for (size_t i = block->row; i < block->row + block->row_count; i++) {
		const struct row *row = &job->image->map->rows[i];

		if (row->writable && row->addr >= job->addr && row->addr < job->end)
			copy_row(row, &job->image->blocks[index], job->bytes, job->addr);
	}
}

/* The responder has made sure that every address can be written. */
static enum pb_exception write_image(void *userdata, const struct pb_peer *peer,
				     enum pb_table table, uint16_t addr, uint16_t count,
				     const uint8_t *bytes)
{
	static struct map_write job; /* too large for the stack of some; there is one thread */
	struct pb_unit_image *image = userdata;
	const struct pb_map *map = image->map;
	enum pb_exception code = PB_EXCEPTION_NONE;

	job.image = image;
	job.table = table;
	job.addr = addr;
	job.end = (uint32_t)addr + count;
	job.bytes = bytes;
	job.count = 0;
	job.control = false;
	for (size_t b = 0; b < map->block_count; b++)
		if (map->blocks[b].tables & table && !take_block(&job, &map->blocks[b]))
			return PB_EXCEPTION_ILLEGAL_VALUE;
	if (job.control && !image->written)
		return PB_EXCEPTION_ILLEGAL_ADDRESS;
	if (image->written)
		code = image->written(image->userdata, peer, map, job.writes, job.count);
	for (size_t b = 0; code == PB_EXCEPTION_NONE && b < map->block_count; b++)
		if (map->blocks[b].tables & table)
			store_block(&job, b);
	return code;
}

/* ---- what can be written ---- */

static void mark(const struct block *block, const struct row *row, uint8_t *set)
{
	for (uint32_t at = (uint32_t)row->addr - block->addr, end = at + row->words; at < end; at++)
		set[at / 8] |= (uint8_t)(1 << at % 8);
}

int image_allow_writes(struct pb_unit_image *image)
{
	const struct pb_map *map = image->map;
	size_t total = 0;
	bool any = false;

	for (size_t i = 0; i < map->row_count; i++)
		any |= row_takes_writes(&map->rows[i]);
	if (!any)
		return 0;
	for (size_t b = 0; b < map->block_count; b++)
		total += (map->blocks[b].count + 7) / 8;
	image->writable = calloc(1, total);
	if (!image->writable)
		return -ENOMEM;
	total = 0;
	for (size_t b = 0; b < map->block_count; b++) {
		const struct block *block = &map->blocks[b];

		for (size_t i = block->row; i < block->row + block->row_count; i++)
			if (row_takes_writes(&map->rows[i]))
				mark(block, &map->rows[i], image->writable + total);
		image->blocks[b].writable = image->writable + total;
		total += (block->count + 7) / 8;
	}
	image->image.write = write_image;
	image->image.userdata = image;
	return 0;
}

void pb_unit_image_on_write(struct pb_unit_image *image, pb_written *written, void *userdata)
{
	image->written = written;
	image->userdata = userdata;
}

/* ---- from an earlier image ---- */

static const struct row *same_row(const struct pb_map *map, uint8_t tables, const struct row *row,
				  size_t *ret_block)
{
	for (size_t b = 0; b < map->block_count; b++) {
		const struct block *block = &map->blocks[b];

		for (size_t i = block->row; i < block->row + block->row_count; i++) {
			const struct row *other = &map->rows[i];

			if (other->writable && block->tables == tables &&
			    other->addr == row->addr && other->type == row->type &&
			    other->words == row->words && other->min == row->min &&
			    other->max == row->max) {
				*ret_block = b;
				return other;
			}
		}
	}
	return NULL;
}

void pb_unit_image_keep_writes(struct pb_unit_image *image, const struct pb_unit_image *from)
{
	const struct pb_map *map = image->map;
	size_t other;

	for (size_t b = 0; b < map->block_count; b++) {
		const struct block *block = &map->blocks[b];

		for (size_t i = block->row; i < block->row + block->row_count; i++)
			if (map->rows[i].writable &&
			    same_row(from->map, block->tables, &map->rows[i], &other))
				copy_row(&map->rows[i], &image->blocks[b],
					 from->blocks[other].bytes, from->blocks[other].addr);
	}
}
