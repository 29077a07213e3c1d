/* SPDX-License-Identifier: MIT */
#pragma once

/** Shows it live on the terminal until q or a signal. @return exit status. */
int status_watch(const char *path);
/**
 * Shows what @listener is asked and what it answers, for @seconds or @count requests, 0: any
 * number.
 * @socket: the control socket. @return the exit status.
 */
int status_trace(const char *socket, const char *listener, unsigned int seconds,
		 unsigned int count);
