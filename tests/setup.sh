#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the Debian packages that debian/control names in Build-Depends and that are missing.
# Usage: tests/setup.sh build|test|ci    build: without the packages that only tests need
#                                       ci: also what the sanitizer, fuzz and format checks need,
#                                           QEMU for the tests in virtual machines,
#                                           what the package is made and tried with, and a browser
# Works as root and as a user with sudo; does nothing when all is there.
set -eu
cd "$(dirname "$0")/.."

# One "name" a line: the field's continuation lines, less versions, architectures and profiles.
# @nocheck: y keeps the packages marked <!nocheck>.
packages() {
	awk -v tests="$1" '
		/^Build-Depends:/ { on = 1; sub(/^[^:]*:/, "") }
		on && /^[A-Za-z]/ { on = 0 }
		on {
			count = split($0, entries, ",")
			for (i = 1; i <= count; i++) {
				if ((entries[i] ~ /<!nocheck>/ && tests != "y") || entries[i] ~ /<cross>/)
					continue
				sub(/^[ \t]*/, "", entries[i])
				sub(/[ \t(<\[].*/, "", entries[i])
				# debhelper is for making the package alone
				if (entries[i] != "" && entries[i] !~ /^debhelper/)
					print entries[i]
			}
		}' debian/control
}

# libFuzzer and the sanitizers of the release's clang: a package that Debian 12 names by version alone
clang_runtime() {
	if grep -qs '^VERSION_ID="12"' /etc/os-release; then echo libclang-rt-14-dev; else echo libclang-rt-dev; fi
}

case "${1:-}" in
build) wanted="gcc libc6-dev $(packages n)" ;;
test) wanted="gcc libc6-dev $(packages y)" ;;
ci)
	wanted="gcc libc6-dev $(packages y) clang $(clang_runtime) clang-format git qemu-system-x86
		clang-tidy cppcheck gcovr dpkg-dev debhelper lintian debootstrap man-db systemd bash-completion chromium-driver python3-selenium"
	;;
*)
	echo "Usage: tests/setup.sh build|test|ci" >&2
	exit 2
	;;
esac

missing=
for package in $wanted; do
	case "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" in
	installed) ;;
	*) missing="$missing $package" ;;
	esac
done
if [ -z "$missing" ]; then
	echo "== all needed packages are installed"
	exit 0
fi

root=
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || {
		echo "These Debian packages are missing, and there is no sudo to install them:$missing" >&2
		exit 1
	}
	root=sudo
fi
echo "== installing:$missing"
$root apt-get update -qq
# shellcheck disable=SC2086 # the list is meant to be split
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
