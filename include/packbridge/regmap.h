/* SPDX-License-Identifier: MIT */
/*
 * Register maps: a YAML file -> checked, compiled rows -> the image of one unit.
 * The file's format is described in docs/map-format.md.
 */
#pragma once

#include "packbridge/base.h"
#include "packbridge/modbus.h"
#include "packbridge/model/field.h"

struct pb_report;

enum pb_map_stale {
	PB_STALE_EXCEPTION,	/**< data blocks answer exception 0B */
	PB_STALE_NOT_AVAILABLE, /**< data rows show their not-available value */
	PB_STALE_LAST,		/**< data rows keep the last reading */
	PB_STALE_SILENCE,	/**< no reply (serial lines) */
};

struct pb_map;

/**
 * Compiles a map. @file is the name in messages.
 * @return 0 and the map (@ret, free with pb_map_free()); -EINVAL with every error in @report;
 *         -ENOMEM.
 */
int pb_map_parse(struct pb_map **ret, const char *file, const char *text, size_t len,
		 struct pb_report *report);
/**
 * The same for a file; the map's name must be the file's name without ".yaml". Options may follow
 * the path and become part of the name: "growatt.yaml+other-sign+low-first"; see pb_map_options().
 */
int pb_map_load(struct pb_map **ret, const char *path, struct pb_report *report);
struct pb_map *pb_map_free(struct pb_map *map);
PB_DEFINE_FREEP(struct pb_map, pb_map_free)

const char *pb_map_name(const struct pb_map *map);
const char *pb_map_title(const struct pb_map *map);	  /**< one line */
const char *pb_map_description(const struct pb_map *map); /**< paragraphs; "" when missing */
int pb_map_version(const struct pb_map *map);
enum pb_scope pb_map_scope(const struct pb_map *map);
enum pb_map_stale pb_map_stale(const struct pb_map *map);
bool pb_map_low_word_first(const struct pb_map *map);
enum { PB_MAP_OPTIONS_MAX = 6 };
/**
 * Lists the options that can be added to the map's name (NAME+OPTION), without those that it has
 * already.
 * @return their number; @ret gets static texts.
 */
size_t pb_map_options(const struct pb_map *map, const char *ret[PB_MAP_OPTIONS_MAX]);
/** Texts are padded with blanks instead of NULs. */
bool pb_map_pads_blanks(const struct pb_map *map);
/** Replies to reads differ from Modbus: they carry the number of registers, in two bytes. */
bool pb_map_word_count(const struct pb_map *map);

enum pb_row_type {
	PB_ROW_U16,
	PB_ROW_S16,
	PB_ROW_U32,
	PB_ROW_S32,
	PB_ROW_U64, /**< values up to INT64_MAX; all bits set: not available */
	PB_ROW_F32,
	PB_ROW_STRING,	 /**< two characters a register, the first in the high byte, padded with
			    NULs or blanks */
	PB_ROW_BITS,	 /**< a register whose bits are fields of their own */
	PB_ROW_COIL,	 /**< one bit in a table of bits */
	PB_ROW_RESERVED, /**< reads 0; reserved for later */
};

/** The tables with their names in map files, in the order of the printed pages. */
extern const struct pb_table_name {
	uint8_t table; /**< enum pb_table */
	const char *name;
	char digit; /**< first digit of the Modicon form */
} pb_tables[4];

/**
 * One value as clients read it. Each element of an array has its own entry. Borrowed from the map.
 */
struct pb_row_info {
	const char *name;  /**< identifier for exports, from the map; "": none */
	const char *block; /**< name of its block */
	uint8_t tables;	   /**< set of enum pb_table */
	uint16_t addr;
	uint16_t words; /**< registers; in a table of bits: bits, 1 for a coil */
	enum pb_row_type type;
	const struct pb_field *field; /**< NULL: reserved, a constant or a bits row */
	int index;		      /**< element of an indexed field, else -1 */
	int bit;		      /**< first bit of the mask field in this row, else -1 */
	int width;		      /**< number of its bits in this row, else -1 */
	const char *unit;	      /**< "" for none */
	const char *scale;	      /**< as in the file, "1" when missing */
	int64_t offset;		      /**< value = (register - offset) * scale, in @unit */
	bool has_na;		      /**< false: no register value means "not available" */
	int64_t na;	 /**< raw value that means "not available"; unused for f32 (NaN), text */
	bool has_absent; /**< @na is sent for a missing value, but is also a value */
	bool needed;	 /**< without a value, the whole reading counts as stale */
	bool constant;	 /**< always @value, or @text for a string */
	int64_t value;	 /**< signed if the type is signed; a coil: 0 or 1 */
	const char *text;
	bool writable;	       /**< reads back what was written last */
	bool ignored;	       /**< can be written, without effect */
	bool control;	       /**< what is written is asked for; @field shows what is asked for */
	const int64_t *values; /**< register for each value of @field; NULL: by the scale */
	size_t value_count;
	const struct pb_field *other;  /**< used when @field is missing, or NULL */
	const struct pb_field *within; /**< limits @other to elements below its value, or NULL */
	const char *description;
};

/** @return number of values, reserved runs included. */
size_t pb_map_row_count(const struct pb_map *map);
/** @index below pb_map_row_count(); registers come first, then bits, each by address. */
void pb_map_row(const struct pb_map *map, size_t index, struct pb_row_info *ret);
const char *pb_row_type_name(enum pb_row_type type);

/** The decoded value of a register. */
struct pb_row_value {
	bool available; /**< false: "not available", an empty text, or a reserved row */
	int64_t value;	/**< in the unit of the row's field; without a field, the raw register */
	double number;	/**< in the row's unit */
	bool several;	/**< the register stands for several values; this is the first */
	bool at_end;	/**< the register is at its limit: the real value may be beyond it */
	char text[242]; /**< string */
};

/**
 * Decodes row @index from its registers as on the wire (a coil: one byte that is 0 or not). A part
 * of a mask is returned at its position in the mask.
 */
void pb_map_decode(const struct pb_map *map, size_t index, const uint8_t *bytes,
		   struct pb_row_value *ret);

/** Content of one bit of a row of type bits, of several bits from there on, or of a coil. */
struct pb_bit_info {
	const char *name; /**< identifier for exports, from the map; "": none */
	const struct pb_field *field;
	int index;	    /**< element of an array, else -1 */
	int mask_bit;	    /**< bit of a mask, else -1 */
	int equals;	    /**< it is set when the field has this number, else -1 */
	uint64_t any;	    /**< it is set when one of these mask bits is set; 0: see mask_bit */
	bool invert;	    /**< the result is inverted */
	bool number;	    /**< the bits are a number, see pb_map_part() */
	unsigned int width; /**< number of bits; 1 unless @number */
};

/** @bit: 0..15; unused for a coil. @return whether a field begins there. */
bool pb_map_bit(const struct pb_map *map, size_t index, unsigned int bit, struct pb_bit_info *ret);
/** Decodes the number that begins at @bit of a row of type bits, whose register is @raw. */
void pb_map_part(const struct pb_map *map, size_t index, unsigned int bit, uint16_t raw,
		 struct pb_row_value *ret);

/** One declared block, for documents: the registers that a client can read in one request. */
struct pb_block_info {
	const char *name;
	const char *description;
	uint8_t tables;
	uint16_t addr;
	uint32_t count;
	bool always; /**< readable even when the data is stale */
};

size_t pb_map_block_count(const struct pb_map *map);
void pb_map_block(const struct pb_map *map, size_t index, struct pb_block_info *ret);

/** The registers of one unit. */
struct pb_unit_image;

/** Allocates the image of one unit; every row shows "not available". Borrows @map. */
int pb_unit_image_new(struct pb_unit_image **ret, const struct pb_map *map);
/** Copies the values that clients have written into @from, for rows that are the same. */
void pb_unit_image_keep_writes(struct pb_unit_image *image, const struct pb_unit_image *from);
struct pb_unit_image *pb_unit_image_free(struct pb_unit_image *image);
PB_DEFINE_FREEP(struct pb_unit_image, pb_unit_image_free)

/**
 * Encodes all rows from @data (a struct pb_battery or a struct pb_gateway, as the map's scope
 * says). If the rated power or capacity of a battery is too large for the map's scales, the map's
 * coarse scales are used from then on. @stale: there is no reading, or it is stale. Then data rows
 * and blocks follow the map's `stale` rule (enum pb_map_stale); the others are encoded as usual.
 * Allocates nothing.
 */
void pb_unit_image_encode(struct pb_unit_image *image, const void *data, bool stale);
/** Encodes only live fields (age, heartbeat, uptime...), which is cheap. */
void pb_unit_image_refresh(struct pb_unit_image *image, const void *data);
/**
 * Sets what functions 7, 17 and 43/14 answer for the unit. @status: for function 7. @name,
 * @protocol: borrowed; NULL: left out. The model is the map's name and version.
 */
void pb_unit_image_describe(struct pb_unit_image *image, uint8_t status, const char *name,
			    const char *protocol);
/** One row that a client writes. */
struct pb_write {
	enum pb_table table; /**< PB_TABLE_HOLDING or PB_TABLE_COIL */
	uint16_t addr;
	int64_t value;	  /**< the register, signed if the type is signed; a coil: 0 or 1 */
	const char *text; /**< string: its characters, borrowed, without NUL; else NULL */
	size_t text_len;
	/** Access control: what is asked for, and @value is in its unit. It is not stored. NULL:
	 * another row. */
	const struct pb_field *field;
	bool valid; /**< false: @field cannot have the value, which is then undefined */
};

/**
 * Called before rows are stored. @writes: @count whole rows of one request; those to be stored are
 * within their limits. What rows of control ask for is up to this function; without one, a request
 * with such a row gets exception 02. It may encode the image anew.
 * @peer: who writes; NULL: not known.
 * @return PB_EXCEPTION_NONE to store all of them; another exception: none is stored, and the client
 *         gets that exception.
 */
typedef enum pb_exception pb_written(void *userdata, const struct pb_peer *peer,
				     const struct pb_map *map, const struct pb_write *writes,
				     size_t count);
void pb_unit_image_on_write(struct pb_unit_image *image, pb_written *written, void *userdata);

/**
 * @return the map that decodes the present content: the map of pb_unit_image_new(), or its variant
 *         with coarse scales.
 */
const struct pb_map *pb_unit_image_map(const struct pb_unit_image *image);
/**
 * @return borrowed, valid until the image is freed. Its content changes with encode and refresh.
 */
const struct pb_image *pb_unit_image_get(const struct pb_unit_image *image);
