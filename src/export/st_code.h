/* SPDX-License-Identifier: MIT */
/*
 * Structured text (IEC 61131-3) of a map: the members of its structure, and bodies of blocks. How
 * they are declared is up to the export: plain text, or XML.
 *
 * Texts are left out: filling a string byte by byte is different in each system.
 */
#pragma once

#include "format.h"

enum {
	ST_WORDS_MAX = 120, /**< of one block, see docs/map-format.md */
	ST_NAME = 2 * VARIABLE_NAME,
};

/** One member of the structure, or an array of them. */
struct st_member {
	char name[ST_NAME];
	const char *type;
	int first;		      /**< index of the first element */
	size_t count;		      /**< 1: no array */
	const struct variable *about; /**< its comment is about that; NULL: it has none */
	const struct variable *word;  /**< it is a part of that, from @bit on; NULL: it is none */
	unsigned int bit, width;
};

/** A map's code. */
struct st_code {
	const struct pb_map *map;
	struct variables variables;
	struct st_member *members;
	size_t member_count, member_room;
	char name[64]; /**< of the map, as an identifier */
};

/** Numbers that have a text: a function returns it. */
struct st_text {
	const char *ending; /**< of the field's name */
	const char *function;
};

/* ---- st_code.c: the members ---- */

/** @return 0, -ENOMEM; free with st_code_done(). */
int st_code_of(const struct pb_map *map, struct st_code *ret);
void st_code_done(struct st_code *code);

/** Whether there is a member for it: for all registers but texts. */
bool st_shown(const struct variable *variable);
/** Whether its register can mean "not available", so that there is a flag for it. */
bool st_has_flag(const struct variable *variable);
/** @return the text that goes with a number, or NULL. */
const struct st_text *st_text_of(const struct variable *variable);
/** Prints the address and what a member's register shows, as people read it. */
void st_describe(const struct variable *variable, FILE *out);
/** A comment can hold neither the end of one nor, for compilers that nest them, the beginning. */
void st_print_comment(const char *text, FILE *out);

/* ---- st_block.c ---- */

bool st_block_shows(const struct st_code *code, size_t block);
bool st_block_has_arrays(const struct st_code *code, size_t block);
void st_block_name(const struct st_code *code, size_t block, char *out, size_t cap);
/** Makes members of `data` of the words `w` of a block. */
void st_print_block(const struct st_code *code, size_t block, FILE *out);
/* ---- st_functions.c ---- */

/** A function that all maps share. */
struct st_function {
	const char *name, *returns, *input, *input_type, *local, *local_type;
	/** Prints its body. */
	void (*print)(FILE *out);
	/** Whether the code needs it. */
	bool (*needed)(const struct st_code *code);
};

/** Ended by a NULL name. */
extern const struct st_function st_functions[];
/** Whether some map of the job needs it. @return 0, -ENOMEM. */
int st_function_needed(const struct pb_export_job *job, const struct st_function *function,
		       bool *ret);

/* ---- st_reader.c ---- */

/**
 * The block that reads all blocks of a map one by one, whatever does the requests: bRequest with
 * nAddr and nCount says what is to be read, bDone with bFailed and `w` that it has been.
 */
struct st_reader_variable {
	const char *name, *type; /**< type NULL: PB_<map>; "words": the array of words */
	enum { ST_INPUT, ST_OUTPUT, ST_LOCAL } section;
};

/** Ended by a NULL name. Its instances of the blocks, fb_<block>, come on top. */
extern const struct st_reader_variable st_reader_variables[];
/** Whether a variable of the reader is there for this map: bFresh wants a sequence. */
bool st_reader_has(const struct st_code *code, const struct st_reader_variable *variable);
void st_print_reader(const struct st_code *code, FILE *out);

/* ---- st_control.c ---- */

/** The variables of the block that asks for control; beside them VAR_IN_OUT data : PB_<map>. */
struct st_control_variable {
	const char *name, *type; /**< type "words": four of them; "timer": TON */
	const char *initial;	 /**< NULL: none */
	unsigned int section;	 /**< ST_INPUT... */
};

/** Ended by a NULL name. The first ST_CONTROL_WISHES are what the user gives. */
enum { ST_CONTROL_WISHES = 6 };
extern const struct st_control_variable st_control_variables[];
/** @return whether the map has all that the block needs, and the first address that it writes. */
bool st_control_has(const struct st_code *code, unsigned int *ret_addr);
/** The body; only for a map that st_control_has(). */
void st_print_control(const struct st_code *code, FILE *out);
