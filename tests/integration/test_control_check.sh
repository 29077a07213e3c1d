#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What `packbridge check` prints about control: who may switch what, from where, and what to think of first.
# Usage: test_control_check.sh PROGRAM SOURCE_DIR
set -euo pipefail
program=$1
. "$(dirname "$0")/shell.sh"

check() { # the file is on stdin; what is printed is in $folder/out
	cat >"$folder/packbridge.yaml"
	"$program" check "$folder/packbridge.yaml" >"$folder/out" || fail "the check says no"
}
says() { # TEXT: it is printed
	grep -qF -- "$1" "$folder/out" && return
	cat "$folder/out" >&2
	fail "not printed: $1"
}
silent() { # TEXT: it is not
	! grep -qF -- "$1" "$folder/out" && return
	cat "$folder/out" >&2
	fail "printed: $1"
}

check <<'FILE'
packs:
  - {name: house, link: 'sim:lfp-4s', unit: 1, control: charge}
  - {name: solar, link: 'sim:lfp-4s,seed=2', unit: 2, control: charge+discharge, lease_s: 0}
  - {name: barn, link: 'sim:lfp-4s,seed=3', unit: 3, control: charge, lease_s: 90, lease_end: keep, control_min_s: 33, control_per_hour: 5}
  - {name: garage, link: 'sim:lfp-4s,seed=4', unit: 4}
banks:
  - {name: camper, packs: [house, solar], unit: 100, keep_closed: 1}
  - {name: both, packs: [solar], unit: 101}
  - {name: all, packs: [house, garage], unit: 102}
listen:
  - {tcp: '127.0.0.1:1502', write: [0.0.0.0/0]}
  - {tcp: '[::1]:1503', write: ['::/0', fd00::5, 10.0.0.5, 127.0.0.0/8], allow: [127.0.0.1, fd00::/8]}
  - {rtu: /dev/zero, write: true, units: [{unit: 5, bank: camper, map: pace}]}
  - {tcp: '127.0.0.1:1504', write: [10.0.0.1], units: [{unit: 4, pack: garage}]}
  - {tcp: '127.0.0.1:1505'}
FILE
says 'house: charging may be inhibited for 60 s after the last renewal; then the switches are closed again'
says 'a switch closes 10 s after the last change or later; at most 12 changes an hour'
says 'solar: charging and discharging may be inhibited until it is released, there is no lease'
says 'barn: charging may be inhibited for 90 s after the last renewal; then the switches stay as they are'
says 'a switch closes 33 s after the last change or later; at most 5 changes an hour'
silent 'garage: charg'
says 'bank camper: at least 1 of its 2 packs stay closed in each direction'
says 'bank both: keep_closed is 0, so all packs with control may be inhibited at once'
says 'it is not switched as a whole, since some of its packs have no control'
says 'tcp 127.0.0.1:1502: 0.0.0.0/0 may switch house (unit 1, charge'
says 'solar (unit 2, charge and discharge'
says 'camper (unit 100, charge'
says 'both (unit 101, charge and discharge'
silent 'all (unit 102'
says 'tcp [::1]:1503: ::/0, fd00::5, 10.0.0.5, 127.0.0.0/8 may switch house'
says "rtu /dev/zero: the line's master may switch camper (unit 5, charge, but map pace has no registers for it)"
says 'tcp 127.0.0.1:1504: 10.0.0.1 may switch nothing: no unit here is a pack with control'
silent 'tcp 127.0.0.1:1505: '
says 'this machine: `packbridge switch`, by who may use /run/packbridge/control.sock'
says "warning: pack 'solar': lease_s is 0"
says "warning: pack 'solar': with discharge control"
silent "warning: pack 'house'"
says 'warning: tcp 127.0.0.1:1502: write: 0.0.0.0/0 lets everyone who can connect switch packs'
says 'warning: tcp [::1]:1503: write: ::/0 lets everyone'
says 'warning: tcp [::1]:1503: write: 10.0.0.5 is not in `allow`, so it cannot connect'
silent 'write: fd00::5 is not'
silent 'write: 127.0.0.0/8 is not'

# one half of it only
check <<'FILE'
packs: [{name: house, link: 'sim:lfp-4s', unit: 1, control: charge}]
listen: [{tcp: '127.0.0.1:1502'}]
FILE
says 'warning: packs have control, but no listener has `write:`'
check <<'FILE'
packs: [{name: house, link: 'sim:lfp-4s', unit: 1, control: off}]
listen: [{tcp: '127.0.0.1:1502', write: [10.0.0.1]}]
FILE
says 'warning: a listener has `write:`, but no pack has control'
silent 'docs/control.md'

# and nothing at all, as before there was control
check <<'FILE'
packs: [{name: house, link: 'sim:lfp-4s', unit: 1}]
listen: [{tcp: '127.0.0.1:1502'}]
FILE
silent control
silent switch
