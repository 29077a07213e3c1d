/* SPDX-License-Identifier: MIT */
/*
 * YAML text -> tree with line marks -> struct, through rows. Errors are collected, not returned
 * one by one: a person mends a file in one go.
 */
#pragma once

#include "packbridge/base.h"

#include <stdio.h>

enum { PB_REPORT_MAX = 100 };

/**
 * Collected errors "file:line:col: what, expected what". Zero it to start. The first PB_REPORT_MAX
 * are told, then one line says that there are more: nobody reads them, and a small file can have
 * millions.
 */
struct pb_report {
	size_t count; /**< errors, told or not */
	size_t told;  /**< lines, at most PB_REPORT_MAX + 1; less when memory has run out */
	char **lines; /**< each without a newline */
	/** Says what is meant by @key ("it in `limits:`"), or makes @out empty; may be NULL. */
	void (*elsewhere)(const char *key, char *out, size_t cap);
	const char *sample; /**< where a good file stands, for who has an empty one; or NULL */
};

/** Adds one error. @line and @col count from 1; 0 leaves them out. */
void pb_report_add(struct pb_report *report, const char *file, unsigned int line, unsigned int col,
		   const char *format, ...) PB_PRINTF(5, 6);
/** Where in a file something stands, from 1; 0: the file as a whole. */
struct pb_mark {
	unsigned int line, col;
};

/** Adds one error at a mark that was kept. */
void pb_report_at(struct pb_report *report, const char *file, struct pb_mark mark,
		  const char *text);
/** @return true: further errors are only counted, so nobody needs to look for good advice. */
bool pb_report_is_full(const struct pb_report *report);
/** By file, line and column: several passes over a file find what stands in it. */
void pb_report_sort(struct pb_report *report);
void pb_report_print(const struct pb_report *report, FILE *stream);
void pb_report_clear(struct pb_report *report);

enum pb_yaml_type { PB_YAML_SCALAR, PB_YAML_SEQUENCE, PB_YAML_MAPPING };

/** One node. The tree owns it. */
struct pb_yaml {
	enum pb_yaml_type type;
	const char *file;
	unsigned int line, col; /**< from 1 */
	const char *text;	/**< scalar: its value; else NULL */
	bool quoted;		/**< scalar in quotes: text, never null */
	bool flow;		/**< mapping in braces */
	const char *key; /**< as a mapping's member: its key, "" if that stood before; else NULL */
	unsigned int key_line, key_col;
	struct pb_yaml *child; /**< first item or member */
	struct pb_yaml *next;  /**< next sibling */
};

/**
 * Parses one document. @file is the name in messages. Anchors, aliases, tags, several documents,
 * duplicate keys, keys that are no scalars and nesting deeper than 32 are errors; sizes are
 * limited to 1 MiB.
 * @return 0 and the root (@ret, free with pb_yaml_free()); -EINVAL with the errors in @report, and
 *         with the root if the rest could be read, so that its errors are told in the same run;
 *         -ENOMEM.
 */
int pb_yaml_parse(struct pb_yaml **ret, const char *file, const char *text, size_t len,
		  struct pb_report *report);
/** The same for a file. A file that can't be read is an error in @report (-errno). */
int pb_yaml_load(struct pb_yaml **ret, const char *path, struct pb_report *report);
struct pb_yaml *pb_yaml_free(struct pb_yaml *root);
PB_DEFINE_FREEP(struct pb_yaml, pb_yaml_free)

/** @return the member with that key, or NULL (also when @node is NULL or no mapping). */
const struct pb_yaml *pb_yaml_get(const struct pb_yaml *node, const char *key);
/** @return number of items or members. */
size_t pb_yaml_count(const struct pb_yaml *node);
/**
 * Where an error about @key stands: at the member of @node, or at @node itself when that member is
 * not there, since the value came from elsewhere (a preset, another key, a file) or is missing.
 * @return never NULL.
 */
const struct pb_yaml *pb_yaml_at(const struct pb_yaml *node, const char *key);
/** @return whether an error stands at @node: its value is wrong, so nothing follows from it. */
bool pb_yaml_told(const struct pb_report *report, const struct pb_yaml *node);
/**
 * An error at @node; NULL, a place that nobody knows: without one. A single value has one error,
 * the first.
 */
void pb_yaml_error(struct pb_report *report, const struct pb_yaml *node, const char *format, ...)
	PB_PRINTF(3, 4);

enum pb_yaml_row_type {
	PB_YAML_TEXT, /**< char[size], refused when longer */
	PB_YAML_INT, /**< int64_t, int32_t, uint32_t, uint16_t or uint8_t by @size; decimal or 0x */
	PB_YAML_DECIMAL, /**< as PB_YAML_INT, but a decimal number in the file, stored times @factor
			  */
	PB_YAML_BOOL,	 /**< bool: true/false, yes/no, on/off */
	PB_YAML_ENUM,	 /**< int: the index of the word in @words */
	PB_YAML_NODE,	 /**< const struct pb_yaml *: the caller reads it */
};

enum pb_yaml_shape {
	PB_YAML_ONE,   /**< one value */
	PB_YAML_ITEMS, /**< a pointer to an array */
	PB_YAML_TEXTS, /**< char **, each text of its own */
};

struct pb_yaml_row;

/**
 * Where the finished struct has the value of a row, when that is not the place that it is filled
 * into: so it is with each PB_YAML_NODE.
 */
struct pb_yaml_kept {
	enum pb_yaml_shape shape;
	size_t offset; /**< of the struct's member */
	size_t size;   /**< PB_YAML_ONE: of the member; PB_YAML_ITEMS: of an item */
	size_t count;  /**< lists: offset of their number, a size_t */
	const struct pb_yaml_row *rows; /**< of the member or an item; NULL: all its bytes count */
};

/** One key of a mapping: parses, checks, compares, documents and feeds the manual page. */
struct pb_yaml_row {
	const char *key;
	enum pb_yaml_row_type type;
	size_t offset, size; /**< of the struct's member */
	bool required;
	bool secret;		  /**< no message shows the value */
	int64_t min, max;	  /**< PB_YAML_INT, PB_YAML_DECIMAL: as stored */
	int64_t factor;		  /**< PB_YAML_DECIMAL */
	const char *const *words; /**< PB_YAML_ENUM, ended by NULL */
	const char *preset; /**< what counts when the key is missing, as text; NULL: leave as is */
	const char *doc;    /**< one line */
	const char
		*note; /**< PB_YAML_DECIMAL: what ends an error, "; volts of..."; NULL: nothing */
	const struct pb_yaml_kept *kept; /**< NULL: the value stays where it is filled into */
	unsigned int change;		 /**< what a change of the value means: bits of its user */
};

/**
 * Reads a decimal number that is whole when taken times @factor.
 * @return 0; -EINVAL, with the error in @report, when it is none or outside @min..@max (as stored).
 */
int pb_yaml_decimal(const struct pb_yaml *node, const char *what, int64_t factor, int64_t min,
		    int64_t max, int64_t *ret, struct pb_report *report);

/**
 * Fills @ret from the mapping @node through @rows (ended by a NULL key). Unknown keys are errors
 * that name the nearest known one.
 * @return 0, or -EINVAL with all the errors in @report.
 */
int pb_yaml_fill(const struct pb_yaml *node, const struct pb_yaml_row *rows, void *ret,
		 struct pb_report *report);

/**
 * Compares two finished structs: their values are where the rows, ended by a NULL key, or `kept` of
 * a row say. A PB_YAML_NODE must have `kept`.
 * @return the first row, from @rows on, whose values differ; NULL: none.
 */
const struct pb_yaml_row *pb_yaml_differs(const struct pb_yaml_row *rows, const void *a,
					  const void *b);
/** @return the bits `change` of all rows whose values differ. */
unsigned int pb_yaml_changes(const struct pb_yaml_row *rows, const void *a, const void *b);
