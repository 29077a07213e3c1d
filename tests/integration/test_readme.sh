#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The README's and the demo's own mbpoll lines work, and show what the README says they show.
# Usage: test_readme.sh PROGRAM SOURCE_DIR
set -euo pipefail
program=$1
source=$2
folder=$(mktemp -d)
pid=
trap 'rm -rf "$folder"; [ -z "$pid" ] || kill "$pid" 2>/dev/null || true' EXIT

mkfifo "$folder/err"
"$program" demo --listen 127.0.0.1:0 >"$folder/out" 2>"$folder/err" &
pid=$!
exec 3<"$folder/err"
port=
readings=0
while [ "$readings" -lt 3 ] && IFS= read -r -t 30 line <&3; do
	case $line in
	*"port "*) port=${line##*port } ;;
	*"first reading"*) readings=$((readings + 1)) ;;
	esac
done
[ "$readings" -eq 3 ]

# every mbpoll line that the demo printed, with the port it printed
count=0
while IFS= read -r line; do
	echo "+$line"
	$line -o 5 >"$folder/values"
	grep -q '^\[' "$folder/values"
	count=$((count + 1))
done < <(grep '^  mbpoll' "$folder/out")
[ "$count" -eq 6 ]

# the README's line, but for the port
line=$(sed -n 's/^    \$ \(mbpoll .*\)/\1/p' "$source/README.md")
[ -n "$line" ]
grep -qF "  $line" <(sed "s/-p $port/-p 1502/" "$folder/out")
echo "+ $line"
${line/-p 1502/-p $port} -o 5 >"$folder/values"
value() {
	sed -n "s/^\[$1\]:[[:space:]]*\([0-9]*\).*/\1/p" "$folder/values"
}
[ "$(value 0)" = 1 ]
[ "$(value 1)" = 1 ]
[ "$(value 2)" -ge 1 ]
[ "$(value 3)" -le 2 ]
[ "$(value 16)" -gt 1200 ] && [ "$(value 16)" -lt 1500 ]
[ "$(value 17)" -gt 600 ] && [ "$(value 17)" -lt 700 ]

# the README's configuration is accepted as it stands
sed -n '/^```yaml/,/^```$/p' "$source/README.md" | grep -v '^```' >"$folder/packbridge.yaml"
"$program" check -c "$folder/packbridge.yaml"

# files that the README points to are there
grep -o '](\([^)]*\))' "$source/README.md" | tr -d '](' | tr -d ')' | sort -u | while read -r file; do
	[ -e "$source/$file" ] || { echo "README points to $file, which is not there"; exit 1; }
done

kill -TERM "$pid"
wait "$pid"
pid=
echo "README holds"
