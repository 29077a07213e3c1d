/* SPDX-License-Identifier: MIT */
/*
 * A compiled map: blocks, and rows sorted by block and address. A row that shows an array is
 * expanded, so that each row is one value at one place.
 */
#pragma once

#include "packbridge/regmap.h"
#include "packbridge/yaml.h"

enum { ROW_BITS = 16 };

struct row;

/**
 * Where a bit comes from: a truth value, a bit of a mask, or a number that equals something; where
 * several bits come from: a number. Or a constant.
 */
struct bit_source {
	const char *name;	      /* for exports; "" or NULL: none */
	const struct pb_field *field; /* NULL: a constant */
	uint16_t index;
	int8_t mask_bit; /* -1: not a mask */
	int16_t equals;	 /* -1: not compared */
	bool invert;
	uint64_t any;		  /* bits of a mask, of which one must be set; 0: not a mask */
	uint8_t width;		  /* 0: nothing begins at this bit */
	uint16_t value;		  /* the constant */
	const struct row *number; /* several bits; NULL: a truth value */
};

struct row {
	enum pb_row_type type;
	uint16_t addr;
	uint16_t words;		      /* 1 for coils */
	const struct pb_field *field; /* NULL: constant, reserved or bits */
	uint16_t index;
	const struct pb_field *other;  /* stands in when @field is absent; NULL: none does */
	const struct pb_field *within; /* but for elements below this number alone; NULL: all */
	uint8_t shift, width;	       /* masks: the part that is shown; width 0: all */
	uint8_t part;	  /* bits of a register that the number has; 0: the whole type */
	int64_t bias;	  /* added to the value first: 0 degC in K */
	int64_t num, den; /* raw = (value + bias) * num / den + offset */
	int64_t offset;
	int8_t way;	  /* where raw is rounded: as pb_scale_toward() */
	int64_t min, max; /* of raw: the type's limits, less the na value */
	bool saturate;
	bool fine; /* in the option coarse the scale is another one */
	bool has_na;
	int64_t na;	       /* shown for what is absent; with has_na, it can be nothing else */
	bool needed;	       /* without a value, the whole reading counts as stale */
	const int64_t *values; /* registers by the field's value; NULL: by the scale */
	size_t value_count;
	int64_t value;		       /* constants */
	bool writable;		       /* a constant until somebody writes it */
	bool ignored;		       /* it can be written, and nothing comes of it */
	bool control;		       /* what is written is asked for, not stored */
	const char *text;	       /* constant texts, NULL: none */
	struct bit_source bit;	       /* coil */
	const struct bit_source *bits; /* type bits: ROW_BITS of them */
	const char *name;	       /* for exports; "" or NULL: none */
	const char *unit;
	const char *scale;
	const char *description;
	const struct pb_yaml *node; /* while compiling */
};

struct block {
	const char *name;
	const char *description;
	uint8_t tables;
	uint16_t addr;
	uint32_t count;
	bool always;
	size_t row, row_count;	    /* its rows in map->rows */
	const struct pb_yaml *node; /* while compiling */
};

struct pb_map {
	char name[64];
	char title[128];
	const char *description;
	int version;
	enum pb_scope scope;
	enum pb_map_stale stale;
	bool low_word_first;
	bool turnable;	     /* the option other-sign is offered */
	bool blanks;	     /* texts are padded with blanks, not with NULs */
	bool coarse;	     /* rows with another scale for large batteries show that */
	struct pb_map *wide; /* the same map with the option coarse; NULL: it makes no difference */
	bool mute;	     /* what is old is not told by values: the option na is not offered */
	bool other_sign;     /* flows are shown with the other sign */
	bool word_count;     /* replies count registers, not bytes */
	bool unaligned;
	bool needs; /* some row is needed */
	size_t block_count;
	struct block *blocks; /* registers first, then bits; by address */
	size_t row_count, row_room;
	struct row *rows;
	size_t kept_count;
	void **kept; /* all that rows and blocks point to */
};

/** While a map is compiled. */
struct compiler {
	struct pb_map *map;
	struct pb_report *report;
	const char *file;
	const char *options;	 /* "low-first+other-sign"; "": none */
	bool has_coarse;	 /* some row has another scale for large batteries */
	enum pb_map_stale stale; /* as the file has it, whatever the options say */
};

/** Zeroed memory for the map's life. */
void *map_alloc(struct pb_map *map, size_t size);
/** Keeps a copy of @text for the map's life; "" for NULL. */
const char *map_text(struct pb_map *map, const char *text);
/** The same of words for people, cleaned by pb_text_clean(). */
const char *map_words(struct pb_map *map, const char *text);
/** The text of an optional scalar, kept; "" when missing. */
const char *map_node_text(struct compiler *compiler, const struct pb_yaml *node);
/** A new row at the end, NULL when out of memory. */
struct row *map_add_row(struct pb_map *map, const struct row *row);

/** The row at place @index, when blocks are taken in their order; and its block. */
const struct row *map_row(const struct pb_map *map, size_t index, const struct block **ret_block);

static inline bool row_takes_writes(const struct row *row)
{
	return row->writable || row->ignored || row->control;
}

static inline bool table_is_bits(uint8_t tables)
{
	return tables & (PB_TABLE_COIL | PB_TABLE_DISCRETE);
}

/** Compiles one entry of a block's rows; errors go to the report. @return 0, -ENOMEM. */
int compile_row(struct compiler *compiler, const struct block *block, const struct pb_yaml *node);

/** One unit of measure that a map can publish. */
struct unit {
	const char *symbol;
	enum pb_uom uom;
	int64_t den;  /* catalogue units in one of it */
	int64_t bias; /* in catalogue units, added before */
};

/** @return the unit of that symbol, or NULL; "" means the catalogue's own unit of @uom. */
const struct unit *unit_find(const char *symbol, enum pb_uom uom);
/** Symbols that fit @uom, for messages. */
void unit_list(enum pb_uom uom, char *out, size_t cap);
