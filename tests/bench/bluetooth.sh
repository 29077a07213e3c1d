#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What Bluetooth packs cost: packbridge's own CPU time and wake-ups per poll, and its memory, with 1,
# 8 and 20 packs (16 cells) polled each second over the fake bluetoothd, by descriptors (acquire) and
# by D-Bus messages (signals). The ceiling is the same packs on sim: links, without D-Bus; x is the
# ratio to that, measured right before.
#
#	tests/bench/bluetooth.sh [PROGRAM] [SECONDS]	build/release/packbridge and 20; four minutes
#
# The fake is build/dev's.
set -euo pipefail
source=$(cd "$(dirname "$0")/../.." && pwd)
program=${1:-$source/build/release/packbridge} seconds=${2:-20}
fake=$source/build/dev/tests/fake_bluez
folder=$(mktemp -d)
pids=()
finish() {
	for pid in "${pids[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	rm -rf "$folder"
}
trap finish EXIT

cat >"$folder/bus.conf" <<END
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=$folder/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow own="*"/>
<allow receive_sender="*"/></policy></busconfig>
END
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$folder/bus PACKBRIDGE_MAPS=$source/maps
dbus-daemon --config-file="$folder/bus.conf" --nofork 2>/dev/null &
pids+=($!)
until [ -S "$folder/bus" ]; do read -rt 0.05 <> <(:) || true; done
coproc FAKE { exec "$fake"; }
# shellcheck disable=SC2153 # bash sets it
pids+=("$FAKE_PID")
read -ru "${FAKE[0]}" _
say() {
	echo "$*" >&"${FAKE[1]}"
	read -ru "${FAKE[0]}" answer
	case $answer in ok*) ;; *) echo "$*: $answer" >&2; exit 1 ;; esac
}
for adapter in 0 1 2 3; do
	say "adapter hci$adapter 00:AA:01:00:00:0$adapter"
done
for i in $(seq 10 29); do
	say "pack A5:C2:37:00:00:$i pack-$i lfp-16s,soc=50 chunk=20"
done

run_time_ns() { cut -d' ' -f1 "/proc/$1/schedstat"; }
wakes() { sed -n 's/^voluntary_ctxt_switches:\s*//p' "/proc/$1/status"; }

measure() { # KIND COUNT -> us/poll, wake-ups/poll, PSS
	{
		echo "control: $folder/control"
		echo "listen: [{tcp: \"127.0.0.1:0\"}]"
		[ "$1" != signals ] || echo "bluetooth: {acquire: false}"
		echo "packs:"
		for i in $(seq 10 $((9 + $2))); do
			link=ble:A5:C2:37:00:00:$i
			[ "$1" != sim ] || link=sim:lfp-16s,soc=50
			echo "  - {name: p$i, unit: $i, link: '$link', poll_ms: 1000}"
		done
	} >"$folder/config"
	"$program" run -c "$folder/config" 2>"$folder/log" &
	pid=$!
	pids+=("$pid")
	until [ "$(grep -c 'first reading' "$folder/log")" -eq "$2" ]; do
		read -rt 0.1 <> <(:) || true
	done
	read -rt 3 <> <(:) || true # names and counters are read once
	cpu=$(run_time_ns $pid) woken=$(wakes $pid)
	read -rt "$seconds" <> <(:) || true
	cpu=$(($(run_time_ns $pid) - cpu)) woken=$(($(wakes $pid) - woken))
	pss=$(sed -n 's/^Pss: *\([0-9]*\).*/\1/p' "/proc/$pid/smaps_rollup")
	! grep -q 'stale\|lost\|no reply' "$folder/log" || { cat "$folder/log" >&2; exit 1; }
	kill "$pid"
	wait "$pid"
	echo "$((cpu / 1000 / seconds / $2)) $((woken * 10 / seconds / $2)) $pss"
}

printf '%5s  %-8s %12s %7s %14s %10s\n' packs link 'CPU us/poll' 'x sim' 'wake-ups/poll' 'PSS KiB'
for count in 1 8 20; do
	for kind in sim acquire signals; do
		read -r us tenths pss <<<"$(measure "$kind" "$count")"
		[ "$kind" != sim ] || base=$us
		printf '%5d  %-8s %12d %7s %14s %10d\n' "$count" "$kind" "$us" \
			"$((us * 100 / base / 100)).$((us * 10 / base % 10))" \
			"$((tenths / 10)).$((tenths % 10))" "$pss"
	done
done
