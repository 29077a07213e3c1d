#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs a payload in the test VM:
#
#	run.sh FOLDER PAYLOAD OUT SECONDS [NAME=VALUE...]
#
# FOLDER is build.sh's. PAYLOAD, a folder with a script `run`, becomes /payload, with the libraries
# that its programs need. OUT is /out in the VM. NAME=VALUE are in the script's environment. The
# console is our stdout; our status is the script's, 124 when SECONDS are over, 125 when the VM died.
set -eu
work=$(cd "$1" && pwd) payload=$(cd "$2" && pwd)
mkdir -p "$3"
out=$(cd "$3" && pwd)
limit=$4
shift 4
pack=$(mktemp -d)
trap 'rm -rf "$pack"' EXIT

mkdir -p "$pack/root/payload/lib"
cp -r "$payload/." "$pack/root/payload/"
find "$payload" -type f -perm -u+x | while read -r program; do
	{ ldd "$program" 2>/dev/null || true; } | sed -n 's,.* => \(/[^ ]*\) .*,\1,p'
done | sort -u | while read -r library; do
	grep -qx "${library##*/}" "$work/libraries" || cp -L "$library" "$pack/root/payload/lib/"
done
cp "$work/base.cpio" "$pack/initrd"
(cd "$pack/root" && find . | "$work/busybox" cpio -o -H newc -R 0:0 2>/dev/null) >>"$pack/initrd"

rm -f "$out/status"
status=0
# one processor: with two, btvirt's advertisements come late now and then
# one at a time, also beside tests/package: what is measured in it needs a processor of its own
exec 9>"$work/lock"
flock 9
timeout -k 5 "$limit" qemu-system-x86_64 -machine pc -cpu max -accel tcg -smp 1 -m 256 -nodefaults \
	-no-user-config -display none -no-reboot -serial stdio -kernel "$work/vmlinuz" \
	-initrd "$pack/initrd" -append "console=ttyS0 quiet panic=-1 $*" \
	-virtfs "local,path=$out,mount_tag=out,security_model=none,id=out" </dev/null || status=$?
[ "$status" -ne 124 ] || exit 124
[ -s "$out/status" ] || exit 125
exit "$(cat "$out/status")"
