#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A Debian release other than this machine's, in a chroot made by debootstrap:
#
#	run.sh RELEASE STEP...
#
#	suite		a fresh clone's ./test.sh, with all that README asks for and nothing else
#	compilers	all built by its gcc and clang, optimised, a warning is an error
#	packages	Debian packages for amd64, arm64 and armhf; the unit tests of the latter two under qemu-user
#
# What is committed is tried. All tests run, but two that are skipped there: the real bluetoothd in a virtual
# machine, which is made of Debian 12's packages on every host, and the package in a new Debian (that is "packages").
# The rest takes five minutes, less than to reason about which test may depend on a library's release: pymodbus, jq,
# tshark, systemd and Python are in nearly every one.
# Skipped (77) without root or debootstrap. Logs and packages stay in build/chroot/RELEASE.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/release/chroot.sh
[ $# -ge 2 ] || { sed -n 's/^#\t/\t/p' "$0" >&2; exit 2; }
release=$1
shift
can_chroot || { echo "SKIPPED: needs root and debootstrap"; exit 77; }

work=$PWD/build/chroot/$release
root=$work/root
mkdir -p "$work"
make_chroot "$release" "$root" build/chroot >"$work/debootstrap.log" || { tail -n 5 "$work/debootstrap.log"; exit 1; }
git clone -q --no-hardlinks . "$root/root/packbridge"
. "$root/etc/os-release"
echo "$PRETTY_NAME, $(git rev-parse --short HEAD)"

step() { # NAME COMMAND...
	local begin=$SECONDS
	in_chroot "$root" sh -c 'cd /root/packbridge && exec "$@"' sh "${@:2}" 2>&1 | tee "$work/$1.log" | grep '^==\|^a[mr]\|Failed\|Timeout\|FAILED\|Skipped\|tests passed\|no warning' ||
		{ tail -n 40 "$work/$1.log"; echo "$release: $1 FAILED"; return 1; }
	echo "$release: $1 good, $((SECONDS - begin)) s"
}

for name in "$@"; do
	case $name in
	suite) step suite ./test.sh ;;
	compilers)
		in_chroot "$root" sh -c 'cd /root/packbridge && tests/setup.sh test && apt-get -qq install -y --no-install-recommends clang' >"$work/clang.log" 2>&1
		step compilers tests/release/compilers.sh
		;;
	packages)
		step packages tests/release/packages.sh amd64 arm64 armhf
		rm -rf "$work/packages"
		cp -r "$root/root/packbridge/build/packages" "$work/packages"
		;;
	*)
		echo "no step '$name'" >&2
		exit 2
		;;
	esac
done
rm -rf --one-file-system "$root"
