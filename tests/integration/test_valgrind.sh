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
folder=$(mktemp -d)
pid=
trap 'rm -rf "$folder"; [ -z "$pid" ] || kill "$pid" 2>/dev/null || true' EXIT
mkfifo "$folder/err"
valgrind -q --leak-check=full --show-leak-kinds=all --errors-for-leak-kinds=all \
	--error-exitcode=99 --log-file="$folder/valgrind" \
	"$program" demo --listen 127.0.0.1:0 >"$folder/out" 2>"$folder/err" &
pid=$!
exec 3<"$folder/err"
port=
readings=0
while [ "$readings" -lt 3 ] && IFS= read -r -t 60 line <&3; do
	case $line in
	*"port "*) port=${line##*port } ;;
	*"first reading"*) readings=$((readings + 1)) ;;
	esac
done
[ "$readings" -eq 3 ]
mbpoll -m tcp -p "$port" -a 1,2,3 -0 -r 0 -c 100 -t 4 -1 -o 5 127.0.0.1 >/dev/null
mbpoll -m tcp -p "$port" -a 1,2,3 -0 -r 0 -c 96 -t 1 -1 -o 5 127.0.0.1 >/dev/null
mbpoll -m tcp -p "$port" -a 0 -0 -r 0 -c 100 -t 3 -1 -o 5 127.0.0.1 >/dev/null
kill -TERM "$pid"
status=0
wait "$pid" || status=$?
pid=
cat "$folder/valgrind"
if [ "$status" -ne 0 ]; then
	echo "exit status $status"
	exit 1
fi
echo "no leak, no error, $readings packs read"
