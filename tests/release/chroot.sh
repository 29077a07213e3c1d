# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A new Debian in a folder; source it. Needs root and debootstrap.
PB_MIRROR=${PB_MIRROR:-http://deb.debian.org/debian}

can_chroot() {
	[ "$(id -u)" -eq 0 ] && command -v debootstrap >/dev/null && unshare --mount --pid --fork true 2>/dev/null
}

# make_chroot RELEASE FOLDER CACHE: what was in the folder goes. A base system is kept packed in the cache
# for a week; it takes a minute to make and three seconds to unpack.
make_chroot() {
	local release=$1 root=$2 packed=$3/$1-$(dpkg --print-architecture).tar
	rm -rf --one-file-system "$root"
	mkdir -p "$root" "$3"
	if [ -z "$(find "$packed" -mtime -7 2>/dev/null)" ]; then
		debootstrap --variant=minbase "$release" "$root" "$PB_MIRROR" || return
		tar -C "$root" --one-file-system -cf "$packed.new" . && mv "$packed.new" "$packed"
	else
		tar -C "$root" -xf "$packed"
	fi
	# proxies and the like
	apt-config dump | grep -iE '^Acquire::(http|https|ftp)(::|\s)' >"$root/etc/apt/apt.conf.d/90host" || true
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod +x "$root/usr/sbin/policy-rc.d"
}

# in_chroot FOLDER COMMAND...: with processes and mounts of its own. All mounts are new ones, none of them shows
# a folder of the host, and all go with the last process, so whoever empties the folder later empties only that.
# The network is the host's.
in_chroot() {
	# shellcheck disable=SC2016 # the inner shell expands it
	unshare --mount --pid --fork --kill-child env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
		DEBIAN_FRONTEND=noninteractive CMAKE_BUILD_PARALLEL_LEVEL="$(nproc)" sh -c '
		root=$1 && shift && mount --make-rprivate / &&
		mount -t proc proc "$root/proc" &&
		mount -t sysfs -o ro sys "$root/sys" &&
		mount -t devpts -o newinstance,mode=620,ptmxmode=666 devpts "$root/dev/pts" &&
		mount -t tmpfs shm "$root/dev/shm" &&
		{ [ ! -e "$root/dev/ptmx" ] || mount --bind "$root/dev/pts/ptmx" "$root/dev/ptmx"; } &&
		exec chroot "$root" "$@"' sh "$@"
}
