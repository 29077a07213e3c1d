/* SPDX-License-Identifier: MIT */
/*
 * The field catalogues: name, unit, range and place of each value that a register map, JSON,
 * `decode` or the simulator can name. The documentation is printed from them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pb_kind {
	PB_KIND_NUMBER,
	PB_KIND_BOOL,
	PB_KIND_MASK, /**< bits; JSON shows a number */
	PB_KIND_DATE, /**< YYYYMMDD; JSON shows "YYYY-MM-DD" */
	PB_KIND_ENUM, /**< a number with names; see `description` */
	PB_KIND_TEXT,
};

enum pb_uom {
	PB_UOM_NONE,
	PB_UOM_MV,
	PB_UOM_MA,
	PB_UOM_MW,
	PB_UOM_MAH,
	PB_UOM_MWH,
	PB_UOM_PERMILLE,
	PB_UOM_MC, /**< milli-degree Celsius */
	PB_UOM_S,
	PB_UOM_DBM,
};

/**
 * What a map can describe. Packs and banks share one catalogue; for a bank, summed fields have a
 * PB_MEMBERS_MAX times larger range.
 */
enum pb_scope {
	PB_SCOPE_PACK,
	PB_SCOPE_BANK,
	PB_SCOPE_BATTERY, /**< a pack or a bank */
	PB_SCOPE_GATEWAY,
	PB_SCOPE_COUNT
};

/**
 * Rounding of a value when its register has coarser steps. A client that follows a limit may get
 * less than the exact limit, never more.
 */
enum pb_safe {
	PB_SAFE_NEAREST, /**< no limit: the nearest step */
	PB_SAFE_BELOW,	 /**< a maximum: at most the value */
	PB_SAFE_ABOVE,	 /**< a minimum: at least the value */
};

/** One field: a scalar, or an array of @count elements (@indexed). */
struct pb_field {
	const char *name; /**< e.g. "voltage_mv"; a '.' nests in JSON: "counters.short_circuit" */
	enum pb_kind kind;
	enum pb_uom uom;
	int64_t min, max; /**< range that can really occur; a register must be able to hold it */
	uint16_t offset;  /**< of the value, or of element 0 */
	uint8_t size;	  /**< bytes of one element; for text, of the whole */
	bool is_signed;
	bool indexed;	/**< an array, shown as name[0].. */
	bool live;	/**< changes with the clock, not only with a reading */
	bool data;	/**< belongs to the reading, so it is stale when the reading is */
	uint16_t count; /**< elements; 1 for a scalar */
	bool vital; /**< an impossible value makes the whole reading invalid: pb_sample_check() */
	bool has_none; /**< @none is stored where there is no value */
	int64_t none;
	enum pb_safe safe;
	bool total;	     /**< a counter: it never falls, until it begins anew at 0 */
	bool flow;	     /**< its sign is the direction of the charge */
	bool sum;	     /**< a bank sums it: range times PB_MEMBERS_MAX */
	int8_t has;	     /**< enum pb_has, or -1: always there */
	int16_t element_has; /**< offset of the uint64_t with a bit for each element, or -1 */
	uint8_t element_bit; /**< the bit of a scalar in the word at @element_has */
	bool wish;	     /**< of struct pb_control: a client may ask for another value */
	const char *description;
};

/** @return whether the field can be absent: not reported, or stale. */
bool pb_field_can_be_absent(const struct pb_field *field);

/** @return the catalogue of @scope, and how many fields it has. Static storage. */
const struct pb_field *pb_fields(enum pb_scope scope, size_t *ret_count);
/** @return the field of that name, or NULL. */
const struct pb_field *pb_field_find(enum pb_scope scope, const char *name);
/** @return the field name most similar to @name, for "did you mean"; NULL: none is similar. */
const char *pb_field_nearest(enum pb_scope scope, const char *name);
/**
 * @return the number that people give element 0 of an array, or bit 0 of a mask: 1 for cells,
 * probes and packs; 0 where the number has a meaning of its own: units, alarms, bits of the maker.
 */
unsigned int pb_field_first(const struct pb_field *field);
/** @return the first word of its parts' names: "balancing" of balance_mask; static storage. */
const char *pb_field_stem(const struct pb_field *field);
/** @return the name of a part, from 0: "short_circuit"; NULL: it has only its number. */
const char *pb_field_part(const struct pb_field *field, unsigned int part);
/** The range of a field in a map of @scope. */
void pb_field_range(const struct pb_field *field, enum pb_scope scope, int64_t *ret_min,
		    int64_t *ret_max);
/** @return "pack", "bank", "battery" or "gateway". */
const char *pb_scope_name(enum pb_scope scope);

/**
 * Reads element @index (0 for a scalar) of a numeric field.
 * @data is a struct pb_gateway for a field of PB_SCOPE_GATEWAY, else a struct pb_battery.
 * @return true and the value, or false: absent (@ret untouched).
 */
bool pb_field_get(const struct pb_field *field, const void *data, unsigned int index, int64_t *ret);
/** @return a text field's content, or NULL when absent. Borrowed from @data. */
const char *pb_field_text(const struct pb_field *field, const void *data);
/** Writes a numeric field and marks it present: for simulators and tests. */
void pb_field_set(const struct pb_field *field, void *data, unsigned int index, int64_t value);

/** @return the symbol for printing: "mV", "permille", "" for none. */
const char *pb_uom_symbol(enum pb_uom uom);
