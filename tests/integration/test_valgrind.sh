#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The demo under valgrind: started, read by mbpoll, ended by SIGTERM: no leak, no error.
# Usage: test_valgrind.sh PROGRAM SOURCE_DIR
set -euo pipefail
program=$1

if [ -n "${PB_SANITIZE:-}" ] || ! command -v valgrind >/dev/null; then
	echo "skipped: built with sanitizers, or no valgrind"
	exit 77
fi
. "$(dirname "$0")/shell.sh"
start 3 valgrind -q --leak-check=full --show-leak-kinds=all --errors-for-leak-kinds=all \
	--error-exitcode=99 --log-file="$folder/valgrind" \
	"$program" demo --listen 127.0.0.1:0
port=$(port_of 127.0.0.1)
mbpoll -m tcp -p "$port" -a 1,2,3 -0 -r 0 -c 100 -t 4 -1 -o 5 127.0.0.1 >/dev/null
mbpoll -m tcp -p "$port" -a 1,2,3 -0 -r 0 -c 96 -t 1 -1 -o 5 127.0.0.1 >/dev/null
mbpoll -m tcp -p "$port" -a 0 -0 -r 0 -c 100 -t 3 -1 -o 5 127.0.0.1 >/dev/null
kill -TERM "$daemon"
status=0
wait "$daemon" || status=$?
cat "$folder/valgrind"
if [ "$status" -ne 0 ]; then
	echo "exit status $status"
	exit 1
fi
echo "no leak, no error, 3 packs read"
