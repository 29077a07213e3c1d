/* SPDX-License-Identifier: MIT */
#pragma once

/**
 * Messages go to the journal with fields of their own, if stderr is the journal. PACKBRIDGE_JOURNAL
 * in the environment is where its socket is, for tests.
 */
void pb_cli_journal(void);
/**
 * Messages go to the journal's socket at @path, without ever waiting for it. When nobody listens
 * there, they go to stderr.
 * @return 0; negative errno.
 */
int pb_cli_journal_open(const char *path);
