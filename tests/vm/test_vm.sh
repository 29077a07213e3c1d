#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# packbridge against the real bluetoothd, in a virtual machine with virtual controllers:
#
#	test_vm.sh PROGRAM VM_PACK VM_READ SOURCE BUILD
#
# What it found stands in BUILD/vm.txt. Skipped (77) without QEMU, or where the packages for the machine can't be had.
set -euo pipefail
program=$1 pack=$2 reader=$3 source=$4 work=$5/vm
here=$source/tests/vm

skip() {
	echo "SKIPPED: $1" | tee "$work.txt"
	exit 77
}
command -v qemu-system-x86_64 >/dev/null || skip "qemu-system-x86_64 is not installed"
[ "$(uname -m)" = x86_64 ] || skip "the machine is made for x86_64"
grep -qs '^VERSION_ID="12"' /etc/os-release || skip "the machine is made of Debian 12's packages"
if ! "$here/build.sh" "$work" >"$work.log" 2>&1; then
	cat "$work.log"
	skip "its packages can't be had"
fi

payload=$work/payload out=$work/out
rm -rf "$payload" "$out"
mkdir -p "$payload"
cp "$here/payload.sh" "$payload/run"
cp "$program" "$payload/packbridge"
cp "$pack" "$payload/vm_pack"
cp "$reader" "$payload/vm_read"
cp -r "$source/maps" "$payload/"
status=0
"$here/run.sh" "$work" "$payload" "$out" 560 "STEADY=${STEADY:-30}" | tee "$work.console" || status=$?
tr -d '\r' <"$work.console" | sed -n '/^steady/p; /^  .* \(acquire\|signals\) /p; /^FAILED/p' >"$work.txt"
if [ "$status" -ne 0 ]; then
	echo "FAILED with status $status; the logs are in $out" | tee -a "$work.txt"
	tail -n 60 "$out"/packbridge-*.log || true
	exit 1
fi
echo "RAN: all good" | tee -a "$work.txt"
