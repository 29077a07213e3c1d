/* SPDX-License-Identifier: MIT */
/* The other end of the daemon's own sockets. */
#pragma once

#include <stdio.h>

/**
 * Sends @line and copies the whole answer to @out.
 * @return 0; negative errno, -ETIMEDOUT when there is no answer within 5 s.
 */
int pb_cli_ask(const char *path, const char *line, FILE *out);
/**
 * The same without waiting: connects and sends @line. Then read() until it ends, as poll() says.
 * @return a descriptor that does not block, to be closed; negative errno.
 */
int pb_cli_ask_begin(const char *path, const char *line);
/** Says on stderr why the daemon can't be asked. @key: of the socket's path in its file. */
void pb_cli_ask_failed(const char *command, const char *path, const char *key, int error);
