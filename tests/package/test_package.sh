#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The Debian package: built from a clean copy, looked at, installed in a new Debian, started by systemd in
# a virtual machine, upgraded, removed and purged.
#
#	test_package.sh SOURCE BUILD
#
# Skipped (77) without dpkg-buildpackage; what needs root, debootstrap or QEMU is left out without them,
# which is said. What it found stands in BUILD/package.txt.
set -euo pipefail
source=$1 build=$2
work=$build/package
report=$build/package.txt
: >"$report"
say() { echo "$*" | tee -a "$report"; }
fail() {
	say "FAILED: $*"
	exit 1
}
command -v dpkg-buildpackage >/dev/null && command -v lintian >/dev/null || {
	say "SKIPPED: dpkg-buildpackage or lintian is not installed"
	exit 77
}

# ---- built ----
rm -rf "$work"
mkdir -p "$work/packbridge"
tar -C "$source" --exclude=./build --exclude=./.git --exclude=./.cache -cf - . | tar -C "$work/packbridge" -xf -
(cd "$work/packbridge" && DEB_BUILD_OPTIONS=nocheck dpkg-buildpackage -us -uc -b) >"$work/build.log" 2>&1 ||
	fail "dpkg-buildpackage: $(tail -n 20 "$work/build.log")"
deb=$(ls "$work"/packbridge_*.deb)
say "built $(basename "$deb"), $(stat -c %s "$deb") bytes"
lintian --allow-root --fail-on error,warning "$work"/packbridge_*.changes >"$work/lintian.log" 2>&1 ||
	fail "lintian: $(cat "$work/lintian.log")"
say "lintian: no error, no warning"
dpkg-deb -x "$deb" "$work/unpacked"
/usr/bin/python3 "$source/tests/docs/links.py" "$work/unpacked/usr/share/doc/packbridge" >"$work/links.log" ||
	fail "links of the package's documents: $(cat "$work/links.log")"
say "documents: $(cat "$work/links.log")"
files=$work/packbridge/debian/packbridge
for page in man1/packbridge.1 man5/packbridge.yaml.5 man5/packbridge-map.5; do
	[ -s "$files/usr/share/man/$page.gz" ] || fail "no man page $page"
	command -v man >/dev/null || continue
	if man --warnings -l "$files/usr/share/man/$page.gz" 2>&1 >/dev/null | grep -v 'cannot adjust line'; then
		fail "man page $page"
	fi
done
bash -n "$files/usr/share/bash-completion/completions/packbridge" || fail completion

# ---- hardened ----
elf=$(readelf -hldW "$files/usr/bin/packbridge")
grep -q 'Type:.*DYN' <<<"$elf" || fail "no position independent executable"
grep -q GNU_RELRO <<<"$elf" && grep -q 'BIND_NOW\|FLAGS_1.*NOW' <<<"$elf" || fail "relocations can be written"
grep -q 'GNU_STACK.*RW ' <<<"$elf" || fail "executable stack"
symbols=$(readelf -sW --dyn-syms "$files/usr/bin/packbridge")
grep -q __stack_chk_fail <<<"$symbols" || fail "no stack protector"
grep -q '_chk@' <<<"$symbols" || fail "no fortified functions"
say "binary: position independent, relocations read-only, stack protector, fortified functions"
unit=$(find "$files" -name packbridge.service)
if command -v systemd-analyze >/dev/null; then
	exposure=$(systemd-analyze security --offline=true --no-pager "$unit" |
		sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p')
	say "systemd-analyze security: $exposure"
	awk "BEGIN { exit !($exposure <= 2.0) }" || fail "the unit is too open"
fi

# ---- installed, in a new Debian ----
. "$source/tests/release/chroot.sh"
if ! can_chroot; then
	say "not tried: installing (needs root and debootstrap)"
	exit 0
fi
. /etc/os-release
root=$work/root
if ! make_chroot "$VERSION_CODENAME" "$root" "$build/../chroot" >"$work/debootstrap.log" 2>&1; then
	say "not tried: installing (debootstrap: $(tail -n 1 "$work/debootstrap.log"))"
	exit 0
fi
inside() { in_chroot "$root" "$@"; }
find_all() { (cd "$root" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev \) -prune -o -print | sort); }

cp "$deb" "$root/tmp/packbridge.deb"
inside apt-get -qq update >"$work/apt.log" 2>&1 || true
inside apt-get -qq install -y --no-install-recommends systemd-sysv dbus mbpoll >>"$work/apt.log" 2>&1 ||
	fail "what the package is tried with: $(tail -n 20 "$work/apt.log")"
# first what it depends on, so that the difference is the package
inside apt-get -qq install -y --no-install-recommends /tmp/packbridge.deb >>"$work/apt.log" 2>&1 ||
	fail "installing: $(tail -n 20 "$work/apt.log")"
inside dpkg --purge packbridge >>"$work/apt.log" 2>&1
find_all >"$work/before"
inside dpkg -i /tmp/packbridge.deb >>"$work/apt.log" 2>&1 || fail "installing: $(tail "$work/apt.log")"
inside id packbridge | grep -q dialout || fail "user packbridge in group dialout"
inside packbridge check >"$work/check.txt" || fail "the installed configuration: $(cat "$work/check.txt")"
say "installed in a new $PRETTY_NAME: user, configuration, maps"

# ---- upgraded, with a configuration that somebody has edited ----
echo '# edited' >>"$root/etc/packbridge/packbridge.yaml"
dpkg-deb -R "$deb" "$work/next"
sed -i 's/^Version: .*/&+next/' "$work/next/DEBIAN/control"
echo '# from the next version' >>"$work/next/etc/packbridge/packbridge.yaml"
dpkg-deb -b --root-owner-group "$work/next" "$root/tmp/next.deb" >/dev/null
inside dpkg --force-confold -i /tmp/next.deb >>"$work/apt.log" 2>&1 || fail "upgrading: $(tail "$work/apt.log")"
grep -q '# edited' "$root/etc/packbridge/packbridge.yaml" || fail "the edited configuration was lost"
say "upgraded: the edited configuration stays"

# ---- started by systemd ----
if command -v qemu-system-x86_64 >/dev/null && [ "$(uname -m)" = x86_64 ] &&
	"$source/tests/vm/build.sh" "$build/vm" >"$work/vm.log" 2>&1; then
	bash "$source/tests/package/boot.sh" "$source" "$build" "$root" "$work" | tee -a "$report" ||
		fail "under systemd, see above"
	grep -q '^boot: all good' "$report" || fail "under systemd"
else
	say "not tried: systemd (needs qemu-system-x86_64)"
fi

# ---- purged ----
inside dpkg --purge packbridge >>"$work/apt.log" 2>&1 || fail "purging: $(tail "$work/apt.log")"
rm -f "$root/tmp/next.deb"
find_all >"$work/after"
left=$(comm -13 "$work/before" "$work/after" | grep -v '^\./var/\(log\|cache\|lib/dpkg\|lib/systemd\|tmp\)\|^\./etc/\(machine-id\|passwd-\|group-\|shadow-\|gshadow-\|.pwd.lock\|resolv.conf\|mtab\)\|^\./\(tmp\|root\|run\)/' || true)
[ -z "$left" ] || fail "left behind: $left"
say "purged: nothing left but the user"
say "all good"
