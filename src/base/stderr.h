/* SPDX-License-Identifier: MIT */
/*
 * stderr as a log: whole lines, and for a daemon without ever waiting for whoever reads it.
 */
#pragma once

#include <stddef.h>

/** From now on no line waits; before that, stderr is as it was found. */
void stderr_never_wait(void);
/**
 * Writes one line, its newline included, in one piece if the kernel takes it so.
 * @return 0, also when the rest of it has to follow the next time; negative errno: nothing of it is
 *         written, -EAGAIN since it would have to wait.
 */
int stderr_line(const char *line, size_t len);
/** Writes what is left of a line. @return 0: nothing is left; negative errno. */
int stderr_rest(void);
