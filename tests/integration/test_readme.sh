#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The README's and the demo's own mbpoll lines work, and show what the README says they show.
# Usage: test_readme.sh PROGRAM SOURCE_DIR
set -euo pipefail
program=$1 source=$2
. "$(dirname "$0")/shell.sh"

start 3 "$program" demo --listen 127.0.0.1:0
port=$(port_of 127.0.0.1)

# every mbpoll line that the demo printed, with the port it printed
count=0
while IFS= read -r line; do
	echo "+$line"
	$line -o 5 >"$folder/values"
	grep -q '^\[' "$folder/values"
	count=$((count + 1))
done < <(grep '^  mbpoll' "$folder/stdout")
[ "$count" -eq 6 ]

# the README's line, but for the port
line=$(sed -n 's/^    \$ \(mbpoll .*\)/\1/p' "$source/README.md")
[ -n "$line" ]
grep -qF "  $line" <(sed "s/-p $port/-p 1502/" "$folder/stdout")
echo "+ $line"
${line/-p 1502/-p $port} -o 5 >"$folder/values"
value() {
	sed -n "s/^\[$1\]:[[:space:]]*\([0-9]*\).*/\1/p" "$folder/values"
}
[ "$(value 0)" = 2 ]
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
	[ -e "$source/$file" ] || fail "README points to $file, which is not there"
done

end
echo "README holds"
