/* SPDX-License-Identifier: MIT */
/*
 * YAML text -> tree with line marks -> struct, through rows. Errors are collected, so that a person
 * can correct the whole file at once.
 */
#pragma once

#include "packbridge/base.h"

#include <stdio.h>

enum { PB_REPORT_MAX = 100 };

/**
 * Collected errors "file:line:col: what, expected what". Zero it to start. The first PB_REPORT_MAX
 * errors are kept, then one line reports that there are more: a small file can have millions of
 * errors.
 */
struct pb_report {
	size_t count; /**< number of errors, also those that are not kept */
	size_t told;  /**< number of @lines, at most PB_REPORT_MAX + 1; fewer when out of memory */
	char **lines; /**< each without a newline */
	/**
	 * Suggests the right place for an unknown @key ("it in `limits:`"), or makes @out empty.
	 * May be NULL.
	 */
	void (*elsewhere)(const char *key, char *out, size_t cap);
	const char *sample; /**< path of a sample file, suggested for an empty file; or NULL */
};

/** Adds one error. @line and @col count from 1; 0 leaves them out. */
void pb_report_add(struct pb_report *report, const char *file, unsigned int line, unsigned int col,
		   const char *format, ...) PB_PRINTF(5, 6);
/** A place in a file, from 1; 0: the whole file. */
struct pb_mark {
	unsigned int line, col;
};

/** Adds one error at a stored mark. */
void pb_report_at(struct pb_report *report, const char *file, struct pb_mark mark,
		  const char *text);
/**
 * @return true: further errors are only counted, so the caller can skip the search for a
 *         suggestion.
 */
bool pb_report_is_full(const struct pb_report *report);
/** Sorts by file, line and column, because several passes over a file find its errors. */
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
	const char *key; /**< member of a mapping: its key, "" if that is a duplicate; else NULL */
	unsigned int key_line, key_col;
	struct pb_yaml *child; /**< first item or member */
	struct pb_yaml *next;  /**< next sibling */
};

/**
 * Parses one document. @file is the name in messages. Anchors, aliases, tags, several documents,
 * duplicate keys, keys that are no scalars and nesting deeper than 32 are errors; sizes are
 * limited to 1 MiB.
 * @return 0 and the root (@ret, free with pb_yaml_free()); -EINVAL with the errors in @report; also
 *         with the root if the rest could be read, so that its errors are reported in the same run;
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
 * Finds the node for an error about @key: the member of @node. If there is no such member, it is
 * @node itself: the value came from elsewhere (a preset, another key, a file) or is missing.
 * @return never NULL.
 */
const struct pb_yaml *pb_yaml_at(const struct pb_yaml *node, const char *key);
/**
 * @return whether @report has an error at @node. Then its value is invalid and must not be used.
 */
bool pb_yaml_told(const struct pb_report *report, const struct pb_yaml *node);
/**
 * Adds an error at @node; NULL: an error without a place. Only the first error of a single value is
 * kept.
 */
void pb_yaml_error(struct pb_report *report, const struct pb_yaml *node, const char *format, ...)
	PB_PRINTF(3, 4);

enum pb_yaml_row_type {
	PB_YAML_TEXT, /**< char[size], refused when longer */
	PB_YAML_INT, /**< int64_t, int32_t, uint32_t, uint16_t or uint8_t by @size; decimal or 0x */
	PB_YAML_DECIMAL, /**< a decimal number in the file; stored as PB_YAML_INT, times @factor */
	PB_YAML_BOOL,	 /**< bool: true/false, yes/no, on/off */
	PB_YAML_ENUM,	 /**< int: the index of the word in @words */
	PB_YAML_NODE,	 /**< const struct pb_yaml *: the caller evaluates it */
};

enum pb_yaml_shape {
	PB_YAML_ONE,   /**< one value */
	PB_YAML_ITEMS, /**< a pointer to an array */
	PB_YAML_TEXTS, /**< char **, each text allocated separately */
};

struct pb_yaml_row;

/**
 * Final place of a row's value in the struct, if it differs from the place that pb_yaml_fill()
 * sets. Every PB_YAML_NODE needs it.
 */
struct pb_yaml_kept {
	enum pb_yaml_shape shape;
	size_t offset; /**< of the struct's member */
	size_t size;   /**< of the member (PB_YAML_ONE) or of an item (PB_YAML_ITEMS) */
	size_t count;  /**< lists: offset of their length, a size_t */
	const struct pb_yaml_row *rows;	 /**< of the member or item; NULL: compare all bytes */
	const struct pb_yaml_kept *also; /**< a second place, for a key with two kinds of values */
};

/**
 * One key of a mapping: used to parse, check, compare and document it, also for the manual page.
 */
struct pb_yaml_row {
	const char *key;
	enum pb_yaml_row_type type;
	size_t offset, size; /**< of the struct's member */
	bool required;
	bool secret;		  /**< never printed in messages */
	int64_t min, max;	  /**< PB_YAML_INT, PB_YAML_DECIMAL: as stored */
	int64_t factor;		  /**< PB_YAML_DECIMAL */
	const char *const *words; /**< PB_YAML_ENUM, ended by NULL */
	const char *preset;	  /**< default value, as text; NULL: leave the member unchanged */
	const char *doc;	  /**< one line */
	const char
		*note; /**< PB_YAML_DECIMAL: end of an error message, "; volts of..."; NULL: none */
	const struct pb_yaml_kept *kept; /**< NULL: the value stays at @offset */
	unsigned int change; /**< effect of a change of the value: bits defined by the caller */
};

/**
 * Reads a decimal number; times @factor it must be an integer.
 * @return 0; -EINVAL, with the error in @report, if it is not such a number or outside @min..@max
 *         (as stored).
 */
int pb_yaml_decimal(const struct pb_yaml *node, const char *what, int64_t factor, int64_t min,
		    int64_t max, int64_t *ret, struct pb_report *report);

/**
 * Reads true/false, yes/no or on/off.
 * @text: of a node; NULL when it is no scalar.
 * @return 0; -EINVAL: it is none of them. Reports nothing.
 */
int pb_yaml_bool(const char *text, bool *ret);

/**
 * Fills @ret from the mapping @node by @rows (ended by a NULL key). Unknown keys are errors; the
 * message suggests the nearest known key.
 * @return 0, or -EINVAL with all the errors in @report.
 */
int pb_yaml_fill(const struct pb_yaml *node, const struct pb_yaml_row *rows, void *ret,
		 struct pb_report *report);

/**
 * Compares two finished structs by their rows, ended by a NULL key. The place of a value is given
 * by `kept` if the row has it, else by @offset. A PB_YAML_NODE must have `kept`.
 * @return the first row, from @rows on, whose values differ; NULL: none.
 */
const struct pb_yaml_row *pb_yaml_differs(const struct pb_yaml_row *rows, const void *a,
					  const void *b);
/** @return the bits `change` of all rows whose values differ. */
unsigned int pb_yaml_changes(const struct pb_yaml_row *rows, const void *a, const void *b);
