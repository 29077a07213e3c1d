/* SPDX-License-Identifier: MIT */
#pragma once

/** Messages go to the journal with fields of their own, if stderr is the journal. */
void pb_cli_journal(void);
