#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Boots a folder that holds a Debian with packbridge installed, in QEMU, with systemd as its first
# process, and has tests/package/inside.sh look at the service: boot.sh SOURCE BUILD ROOT WORK
set -euo pipefail
source=$1 vm=$2/vm root=$3 work=$4
out=$work/boot
rm -rf "$out" "$work/boot-root"
mkdir -p "$out" "$work/boot-root"

# the base image of tests/vm, with another first process
cat >"$work/boot-root/init" <<'INIT'
#!/bin/sh
export PATH=/usr/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in virtio_pci 9pnet_virtio 9p; do
	modprobe $module
done
mkdir -p /new
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose root /new
mount --move /dev /new/dev
mount --move /proc /new/proc
mount --move /sys /new/sys
exec switch_root /new /lib/systemd/systemd
INIT
chmod +x "$work/boot-root/init"
cp "$vm/base.cpio" "$work/initrd"
(cd "$work/boot-root" && echo init | "$vm/busybox" cpio -o -H newc -R 0:0 2>/dev/null) >>"$work/initrd"

cp "$source/tests/package/inside.sh" "$root/root/inside.sh"
cat >"$root/etc/systemd/system/inside.service" <<'UNIT'
[Unit]
Description=Looks at packbridge
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/bash /root/inside.sh
ExecStopPost=/bin/systemctl poweroff --force --force
TimeoutStartSec=240
StandardOutput=file:/root/inside.txt
StandardError=file:/root/inside.txt
UNIT
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -sf ../inside.service "$root/etc/systemd/system/multi-user.target.wants/inside.service"
rm -f "$root/usr/sbin/policy-rc.d" "$root/root/inside.txt"

status=0
exec 9>"$vm/lock" # one at a time, see tests/vm/run.sh
flock 9
timeout -k 5 280 qemu-system-x86_64 -machine pc -cpu max -accel tcg -smp 1 -m 512 -nodefaults -no-user-config \
	-display none -no-reboot -serial "file:$out/console" -kernel "$vm/vmlinuz" -initrd "$work/initrd" \
	-append "console=ttyS0 quiet panic=-1 systemd.show_status=no systemd.journald.forward_to_console=0 audit=0" \
	-virtfs "local,path=$root,mount_tag=root,security_model=passthrough,id=root" </dev/null || status=$?
cat "$root/root/inside.txt" 2>/dev/null || true
rm -f "$root/etc/systemd/system/inside.service" "$root/etc/systemd/system/multi-user.target.wants/inside.service" \
	"$root/root/inside.sh"
if [ "$status" -ne 0 ] || ! grep -q '^boot: all good' "$root/root/inside.txt" 2>/dev/null; then
	echo "boot: FAILED with status $status"
	tail -n 20 "$out/console"
	rm -f "$root/root/inside.txt"
	exit 1
fi
rm -f "$root/root/inside.txt"
