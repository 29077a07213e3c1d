/* SPDX-License-Identifier: MIT */
/*
 * Files in which the program keeps what must outlive it. A power cut at any moment leaves the file
 * as it was before or as it is afterwards, whole:
 *
 *	PATH.new is written ─▶ fsync ─▶ renamed to PATH ─▶ fsync of the folder
 *
 * The text in it begins with a line "NAME VERSION" and ends with a line "checksum HEX" over all
 * that stands before. Functions here block on the disk: not for the event loop.
 */
#pragma once

#include "packbridge/base.h"

struct pb_store_kind {
	const char *name; /**< first word of the file, without blanks */
	int version;	  /**< a file of any other version is not read */
	size_t max;	  /**< bytes of the largest file */
};

/**
 * Reads the text between the first and the last line.
 * @return 0 and the text (@ret, with a NUL behind it; free() it); -ENOENT there is no file;
 *         -EBADMSG it is broken; -EPROTO it is of another kind or version; or as pb_file_read().
 *         The reason is in @why, but for -ENOENT.
 */
int pb_store_read(const char *path, const struct pb_store_kind *kind, char **ret, size_t *ret_len,
		  char *why, size_t why_cap);

enum { PB_STORE_ASIDE_MAX = 5 };

/**
 * Renames a file that can't be used to PATH.broken-N, with the first free N from 1 to
 * PB_STORE_ASIDE_MAX; if there is none, the last one is replaced.
 * @ret: its new path.
 * @return 0; -errno: it is where it was.
 */
int pb_store_put_aside(const char *path, char *ret, size_t cap);

/** A file that is being written. */
struct pb_store_writing {
	const char *path, *text; /**< borrowed */
	size_t len;
	const struct pb_store_kind *kind;
	int step, fd;
};

/** Begins to write @text to @path. Nothing is done before the first step. */
void pb_store_begin(struct pb_store_writing *writing, const char *path,
		    const struct pb_store_kind *kind, const char *text, size_t len);
/**
 * Does the next step. It may be the last one that is ever done: the file is whole all the same.
 * @return 1: more steps follow; 0: done; -errno: PATH is as it was, and nothing else is left.
 */
int pb_store_step(struct pb_store_writing *writing);
/** All steps. @return 0; -errno: PATH is as it was. */
int pb_store_write(const char *path, const struct pb_store_kind *kind, const char *text,
		   size_t len);
