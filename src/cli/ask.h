/* SPDX-License-Identifier: MIT */
/* The other end of the daemon's own sockets. */
#pragma once

#include <stdio.h>

/**
 * Sends @line and copies the whole answer to @out.
 * @return 0; negative errno, -ETIMEDOUT when there is no answer within 5 s.
 */
int pb_cli_ask(const char *path, const char *line, FILE *out);
/** Says on stderr why the daemon can't be asked. @key: of the socket's path in its file. */
void pb_cli_ask_failed(const char *command, const char *path, const char *key, int error);
