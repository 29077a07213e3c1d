#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a person is told when something is wrong: place, reason, way out; and the exit status.
# Usage: test_messages.sh PROGRAM SOURCE_DIR
set -euo pipefail
program=$1 source=$2
. "$(dirname "$0")/shell.sh"
failed=0

# expect STATUS 'TEXT' COMMAND...: the command ends so, and says TEXT (a basic regular expression)
expect() {
	local status=$1 text=$2 got=0
	shift 2
	"$@" >"$folder/out" 2>&1 </dev/null || got=$?
	if [ "$got" -ne "$status" ] || ! grep -q -e "$text" "$folder/out"; then
		echo "FAILED: $* gave status $got, expected $status with '$text'; it said:"
		cat "$folder/out"
		failed=1
	fi
}

write() {
	cat >"$folder/$1"
}

# the sample configuration is good
expect 0 'good' "$program" check -c "$source/etc/packbridge.yaml"

# every error with its place, and nothing is started
write bad.yaml <<-'END'
	packs:
	  - name: house
	    link: simm:lfp-4s
	    unit: 1
	    pol_ms: 5000
	  - name: solar
	    link: sim:lfp-5s
	    unit: 999
	    map: packbrige
END
expect 1 'bad.yaml:5:5: unknown key .pol_ms., expected .poll_ms.' "$program" check -c "$folder/bad.yaml"
expect 1 'bad.yaml:8:11: unit .999., expected a whole number from 1 to 247' "$program" run -c "$folder/bad.yaml"
write links.yaml <<-'END'
	packs:
	  - {name: a, link: 'simm:lfp-4s', unit: 1}
	  - {name: b, link: 'sim:lfp-5s', unit: 2}
	  - {name: c, link: 'tcp:nowhere', unit: 3}
	  - {name: d, link: 'sim:lfp-4s', unit: 4, map: packbrige}
	  - {name: e, link: 'sim:lfp-4s', unit: 5, map: packbridge-gateway}
	  - {name: f, link: 'sim:lfp-4s', unit: 6, protocol: jdb}
	listen:
	  - tcp: somewhere
END
for line in '2:21.*simm' '3:21.*lfp-16s' '4:21' '5:49.*packbrige.*packbridge' '6:49.*gateway' '7:54.*jbd' '9:10.*HOST:PORT'; do
	expect 1 "links.yaml:$line" "$program" check -c "$folder/links.yaml"
done
write baud.yaml <<-'END'
	packs:
	  - {name: a, link: 'sim:lfp-4s', unit: 1}
	listen:
	  - rtu: /dev/ttyUSB0
	    baud: 9601
	  - rtu: ttyUSB1
	  - tcp: 127.0.0.1:1502
	    allow: [192.168.1.7/24]
END
expect 1 "baud.yaml:8:13: '192.168.1.7/24' has bits after the /24" "$program" check -c "$folder/baud.yaml"
expect 1 'baud.yaml:5:11: 9601 baud, expected 1200, 2400' "$program" check -c "$folder/baud.yaml"
expect 1 "baud.yaml:6:10: device 'ttyUSB1', expected a path like /dev/ttyUSB0" "$program" check -c "$folder/baud.yaml"
expect 1 'No such file' "$program" run -c "$folder/none.yaml"

# all in one run: the file, its maps, what it asks of this machine; each once
write all.yaml <<-'END'
	packs:
	  - name: house
	    name: house
	    link: simm:lfp-4s
	    unit: 300
	    password: *12
	  - {name: solar, link: sim:lfp-4s,soc=50, unit: 2, map: packbridge+lowfirst}
	poll_ms: 1000
	listen:
	  - tcp: 127.0.0.1:2502
	  - tcp: localhost:2502
	    baud: 9600
	  - tcp: nowhere
	limits: {charge_max_a: 3,5}
END
for line in '3:5: key' '4:11: link' '5:11: unit' '6:15: an alias' '7:36: .*quotes' '7:58: .*low-first' \
	'8:1: .*in `packs:`' '11:10: .*same port as' '12:11: baud' '13:10: .*HOST:PORT' '14:26: .*decimal point'; do
	expect 1 "all.yaml:$line" "$program" check "$folder/all.yaml"
done
expect 0 '^11$' sh -c "'$program' check '$folder/all.yaml' 2>&1 | wc -l"
expect 2 'expected one of them' "$program" check -c "$folder/all.yaml" "$folder/all.yaml"
expect 0 'good' "$program" check "$source/etc/packbridge.yaml"

# a port in use: which, why, and the ways out
write first.yaml <<-'END'
	packs:
	  - {name: a, link: 'sim:lfp-4s', unit: 1}
	listen:
	  - tcp: 127.0.0.1:0
END
start 1 "$program" run -c "$folder/first.yaml"
port=$(port_of 127.0.0.1)
sed "s/127.0.0.1:0/127.0.0.1:$port/" "$folder/first.yaml" >"$folder/second.yaml"
expect 1 "second.yaml:4:10: .*127.0.0.1:$port.*another" "$program" run -c "$folder/second.yaml"
end

# an address that is not this machine's; 192.0.2.0/24 is for documents (RFC 5737)
sed 's/127.0.0.1:0/192.0.2.1:1502/' "$folder/first.yaml" >"$folder/third.yaml"
expect 1 'third.yaml:4:10: .*no such address' "$program" run -c "$folder/third.yaml"

# maps
expect 1 "expected 'packbridge'" "$program" map show packbrige
expect 2 'expected --format' "$program" map export packbridge
expect 2 'no format' "$program" map export packbridge --format pdf
expect 2 "no command 'rum'" "$program" rum

# a program without its maps says where it looked
mkdir "$folder/bin"
cp "$program" "$folder/bin/packbridge"
if [ ! -e /etc/packbridge/maps/packbridge.yaml ]; then
	for command in "check $folder/first.yaml" "map show packbridge" "read tcp:127.0.0.1:9 -m growatt"; do
		# shellcheck disable=SC2086
		expect 1 "no maps in /etc/packbridge/maps, $folder/bin/../../maps, " \
			env -u PACKBRIDGE_MAPS "$folder/bin/packbridge" $command
	done
fi
expect 1 'none.yaml: .*a sample: ' "$program" check "$folder/none.yaml"

# decode: what is wrong, and where; text, and lines of standard input
good='DD03001D0534000068C96D6000002C7C00000000 000080600304030B6D0B6D0B69FAB677'
expect 0 'voltage_mv *13320' "$program" decode "$good"
expect 0 'voltage_mv *13320' sh -c "printf '%s\n' ${good% *} ${good#* } | '$program' decode"
expect 0 '"value":28000' "$program" decode --json DD1000026D60FF3177
expect 0 'module frame 15' "$program" decode FFAA15010016
expect 0 '2 bytes belong to no frame; at offset 0: no start of a frame' "$program" decode "0000$good"
expect 0 '2 bytes belong to no frame; at offset 0: no start byte: expected DD, found 00' \
	"$program" decode -p jbd "0000$good"
expect 0 'daly A5: reply to 90, status 00, checksum 19' "$program" decode a5019008020300007724033819
expect 1 'a request of host 40, not a reply' "$program" decode a54002080000000000000000ef
expect 1 'type 10, expected 01 to 0F' "$program" decode 55aaeb9010
expect 2 "no protocol 'dally', expected jbd, daly, jk or auto" "$program" decode -p dally 00

# check --probe: each pack says what it speaks, or what to do
cat >"$folder/makers.yaml" <<'EOF'
packs:
  - {name: house, unit: 1, link: "sim:lfp-4s", reply_timeout_ms: 200, gap_ms: 1}
  - {name: starter, unit: 2, link: "sim:daly-nmc-14s", protocol: daly, reply_timeout_ms: 200, gap_ms: 1}
  - {name: solar, unit: 3, link: "sim:jk-lfp-16s", protocol: auto, reply_timeout_ms: 200, gap_ms: 1}
EOF
expect 0 '1  house  *jbd, .* V, .* A, .* %, 4 cells' "$program" check -pc "$folder/makers.yaml"
expect 0 '2  starter  *daly A5, .* V, .* 14 cells' "$program" check -pc "$folder/makers.yaml"
expect 0 '3  solar  *jk, .* V, .* 16 cells' "$program" check -pc "$folder/makers.yaml"
sed -i 's/sim:jk-lfp-16s/tcp:127.0.0.1:9/' "$folder/makers.yaml"
expect 1 '3  solar  *no connection' "$program" check -pc "$folder/makers.yaml"
expect 1 'offset 0: bad checksum: expected FAB7, calculated FAB6' "$program" decode "${good%B677}B777"
expect 1 'offset 0: no end byte: expected 77, found 78' "$program" decode "${good%77}78"
expect 1 'offset 0: short: the frame needs 36 bytes, 20 are there' "$program" decode "${good% *}"
expect 1 'offset 0: a request to register 03, not a reply' "$program" decode DDA50300FFFD77
expect 1 'no register A5 is known' "$program" decode DDA5001B13780000000003e8000022c70000000000001900030c020b640b5ffc8377
expect 1 'no bytes' sh -c "'$program' decode </dev/null"
expect 2 'is not hex' "$program" decode DD0

# more clients than there can be descriptors
write crowd.yaml <<-'END'
	listen: [{tcp: '127.0.0.1:0', max_clients: 4096}]
	packs: [{name: a, link: 'sim:lfp-4s', unit: 1}]
END
expect 0 'warning: up to 4150 descriptors .* clients 4096, .* limit is 1000: lower max_clients, or raise LimitNOFILE=' \
	sh -c "ulimit -n 1000; '$program' check -c '$folder/crowd.yaml'"
if (ulimit -n 5000) 2>/dev/null; then
	expect 0 'good' sh -c "ulimit -n 5000; ! '$program' check -c '$folder/crowd.yaml' | grep warning && echo good"
fi

# each command has --help, on stdout, and says how it is used
for command in run demo check decode map; do
	expect 0 "^Usage: packbridge $command" "$program" "$command" --help
	expect 0 "^  $command " "$program" --help
done

exit $failed
