#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every fuzz target for so many seconds, two at a time: tests/fuzz/run.sh SECONDS [TARGET...]
# What is found, and the grown corpora, lie in build/fuzz/campaign. Ends with a table: runs, edges covered,
# corpus, findings.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:?expected SECONDS}
shift
jobs=${JOBS:-2}
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz >/dev/null
campaign=$PWD/build/fuzz/campaign
mkdir -p "$campaign"
targets=("$@")
[ ${#targets[@]} -gt 0 ] || for source in tests/fuzz/fuzz_*.c; do
	targets+=("$(basename "$source" .c)")
done

one() { # TARGET
	local target=$1 folder=$campaign/$1
	mkdir -p "$folder/corpus" "$folder/found"
	(cd "$folder" && PACKBRIDGE_MAPS=$OLDPWD/maps "$OLDPWD/build/fuzz/tests/$target" -max_total_time="$seconds" -timeout=10 \
		-rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 -artifact_prefix=found/ corpus \
		"$OLDPWD/tests/fuzz/corpus/$target" >log 2>&1) || echo "  $target: see $folder"
}
running=0
for target in "${targets[@]}"; do
	one "$target" &
	running=$((running + 1))
	if [ $running -ge "$jobs" ]; then
		wait -n
		running=$((running - 1))
	fi
done
wait

status=0
printf '%-24s %12s %7s %7s %8s\n' target runs edges corpus findings
for target in "${targets[@]}"; do
	log=$campaign/$target/log
	found=$(find "$campaign/$target/found" -type f | wc -l)
	[ "$found" -eq 0 ] || status=1
	printf '%-24s %12s %7s %7s %8s\n' "$target" \
		"$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
		"$(grep -o 'cov: [0-9]*' "$log" | tail -n 1 | cut -d' ' -f2)" \
		"$(find "$campaign/$target/corpus" -type f | wc -l)" "$found"
done
exit $status
