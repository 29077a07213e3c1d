#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes the test VM's kernel and base image in a folder:
#
#	build.sh FOLDER		-> FOLDER/vmlinuz, FOLDER/base.cpio
#
# Everything is a Debian 12 package, fetched with apt-get download and unpacked, not installed: a
# kernel with its Bluetooth modules, bluetoothd, btvirt (virtual controllers), D-Bus, busybox. Works
# as any user, once the package lists are up to date. Does nothing when both files are there.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
work=$(cd "$1" && pwd)
[ ! -s "$work/vmlinuz" ] || [ ! -s "$work/base.cpio" ] || [ "$here/build.sh" -nt "$work/base.cpio" ] ||
	[ "$here/init" -nt "$work/base.cpio" ] || exit 0

# kernel modules: random numbers and ciphers that btvirt and pairing need, the virtual controller,
# and the host folder for results
modules='sha512_generic ctr drbg ecb cmac algif_skcipher algif_hash hci_vhci uhid virtio_pci
	9pnet_virtio 9p'
programs='usr/libexec/bluetooth/bluetoothd usr/bin/bluetoothctl usr/bin/btmgmt usr/bin/btvirt
	usr/bin/dbus-daemon'
kernel=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*-amd64\)$/\1/p' |
	head -n 1)
[ -n "$kernel" ] || { echo "no package linux-image-amd64: is this Debian, amd64, with package lists?" >&2; exit 1; }
version=${kernel#linux-image-}
packages="$kernel busybox-static bluez bluez-test-tools dbus-daemon dbus-system-bus-common
	libc6 libdw1 libelf1 zlib1g liblzma5 libbz2-1.0 libzstd1 liblz4-1 libglib2.0-0 libpcre2-8-0
	libdbus-1-3 libsystemd0 libcap2 libgcrypt20 libgpg-error0 libasound2 libexpat1 libselinux1
	libaudit1 libcap-ng0 libapparmor1 libreadline8 libtinfo6 libudev1"

mkdir -p "$work/debs"
cd "$work/debs"
for package in $packages; do
	ls "${package}"_*.deb >/dev/null 2>&1 || apt-get -qq download "$package"
done

stage=$work/stage root=$work/root
rm -rf "$stage" "$root"
mkdir -p "$stage/usr/bin" "$stage/usr/sbin" "$stage/usr/lib" "$stage/usr/lib64"
for folder in bin sbin lib lib64; do
	ln -s "usr/$folder" "$stage/$folder"
done
for deb in "$work"/debs/*.deb; do
	dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$stage"
done

# the root folder, with the users that D-Bus's policy knows
cd "$work"
libs=usr/lib/x86_64-linux-gnu
mkdir -p "$root/usr/bin" "$root/$libs" "$root/usr/lib64" "$root/etc/dbus-1" "$root/proc" "$root/sys" \
	"$root/dev" "$root/run" "$root/tmp" "$root/out" "$root/payload" "$root/var/lib/bluetooth" \
	"$root/root" "$root/usr/share/dbus-1/system.d"
ln -s usr/bin "$root/bin"
ln -s usr/bin "$root/sbin"
ln -s bin "$root/usr/sbin"
ln -s usr/lib "$root/lib"
ln -s usr/lib64 "$root/lib64"
ln -s /run "$root/var/run"
cat >"$root/etc/passwd" <<'END'
root:x:0:0::/root:/bin/sh
messagebus:x:100:100::/:/bin/false
tester:x:1000:1000::/tmp:/bin/sh
END
cat >"$root/etc/group" <<'END'
root:x:0:
messagebus:x:100:
bluetooth:x:101:tester
tester:x:1000:
END
printf 'passwd: files\ngroup: files\n' >"$root/etc/nsswitch.conf"
cp "$stage/usr/share/dbus-1/system.conf" "$root/usr/share/dbus-1/"
cp "$stage/etc/dbus-1/system.d/bluetooth.conf" "$root/usr/share/dbus-1/system.d/"
cp -r "$stage/etc/bluetooth" "$root/etc/"

# programs, and the libraries that the staged loader finds for them
loader=$stage/$libs/ld-linux-x86-64.so.2
cp -L "$loader" "$root/usr/lib64/"
for program in $programs; do
	mkdir -p "$root/${program%/*}"
	cp "$stage/$program" "$root/$program"
	"$loader" --library-path "$stage/$libs" --list "$stage/$program" |
		sed -n "s,.* => \($stage/$libs/[^ ]*\) .*,\1,p" | while read -r library; do
		cp -L "$library" "$root/$libs/"
	done
done
cp "$stage/bin/busybox" "$root/usr/bin/"
for applet in $("$root/usr/bin/busybox" --list); do
	[ -e "$root/usr/bin/$applet" ] || ln -s busybox "$root/usr/bin/$applet"
done

# modules, with those that they need
busybox=$root/usr/bin/busybox
"$busybox" depmod -b "$stage" "$version" 2>/dev/null
for module in $modules; do
	for name in "$module" "$(echo "$module" | tr _ -)"; do
		for file in $(sed -n "s,^\(.*/$name\.ko:.*\),\1,p" "$stage/lib/modules/$version/modules.dep" | tr -d :); do
			mkdir -p "$root/lib/modules/$version/${file%/*}"
			cp "$stage/lib/modules/$version/$file" "$root/lib/modules/$version/$file"
		done
	done
done
"$busybox" depmod -b "$root" "$version"

cp "$here/init" "$root/init"
chmod 755 "$root/init"
(cd "$root" && find . | "$busybox" cpio -o -H newc -R 0:0 2>/dev/null) >"$work/base.cpio.new"
cp "$stage/boot/vmlinuz-$version" "$work/vmlinuz"
cp "$busybox" "$work/busybox"
(cd "$root/$libs" && ls) >"$work/libraries"
mv "$work/base.cpio.new" "$work/base.cpio"
rm -rf "$stage" "$root"
