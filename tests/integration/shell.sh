# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the scripts beside it have in common; they source it. $folder is a temporary one; when the script
# ends, it goes, and so does all that was started in the background and still runs.
folder=$(mktemp -d)
finish() {
	local pid
	for pid in $(jobs -pr); do
		kill "$pid" 2>/dev/null || true
	done
	rm -rf "$folder"
}
trap finish EXIT
fail() {
	echo "FAILED: $*" >&2
	exit 1
}
until_there() { # COMMAND...: until it succeeds
	for _ in $(seq 600); do
		"$@" && return
		read -rt 0.1 <> <(:) || true
	done
	cat "$folder"/*log* >&2 || true
	fail "not in 60 s: $*"
}

has() { # FILE COUNT TEXT: there are so many lines with TEXT, or more
	[ "$(grep -cs "$3" "$1")" -ge "$2" ] 2>/dev/null
}
start() { # COUNT COMMAND...: a daemon, until so many packs have been read
	"${@:2}" >"$folder/stdout" 2>"$folder/log" &
	daemon=$!
	until_there has "$folder/log" "$1" 'first reading'
}
end() { # by SIGTERM, and well
	kill -TERM "$daemon"
	wait "$daemon" || fail "the daemon ended with $?"
}
port_of() { # ADDRESS: the one it got for ADDRESS:0
	sed -n "s|.* on $1:0, port \([0-9]*\)$|\1|p" "$folder/log" | grep . || fail "nothing listens on $1"
}
serial_line() { # its ends are $folder/ours and $folder/theirs
	socat "pty,raw,echo=0,link=$folder/ours" "pty,raw,echo=0,link=$folder/theirs" &
	until_there test -e "$folder/theirs"
}
write_sample() { # packs that are good, empty, not there and silent
	cat >"$folder/packbridge.yaml" <<-END
		control: $folder/control
		status: $folder/status
		packs:
		  - {name: house, link: 'sim:lfp-4s,soc=64,seed=1', unit: 1, poll_ms: 200}
		  - {name: store, link: 'sim:lfp-16s,soc=5,seed=2', unit: 2, poll_ms: 200}
		  - {name: gone, link: 'tcp:127.0.0.1:9', unit: 3}
		  - {name: quiet, link: 'sim:lfp-8s,soc=70,silent=1+3000', unit: 4, poll_ms: 200, stale_after_s: 1}
		banks:
		  - {name: all, packs: [house, store], unit: 100, topology: series}
		  - {name: lacks, packs: [house, gone], unit: 101}
		listen:
		  - tcp: 127.0.0.1:0
		  - {tcp: 127.0.0.2:0, units: [{unit: 9, bank: all, map: pace}]}
	END
}
