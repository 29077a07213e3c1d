#!/bin/sh
# SPDX-License-Identifier: MIT
# packbridge(1), from what the program says of itself: packbridge.1.sh OUT [EMULATOR] PROGRAM
set -eu
exec >"$1"
shift

# Text as it is: backslashes, dots and quotes at the start of a line, and hyphens.
literal() {
	echo .nf
	sed 's/\\/\\e/g; s/-/\\-/g; s/^\([.'\'']\)/\\\&\1/'
	echo .fi
}

version=$("$@" --version)
printf '.TH PACKBRIDGE 1 "" "%s" "User Commands"\n' "$version"
printf '.SH NAME\npackbridge \\- lithium battery packs as Modbus units\n'
printf '.SH SYNOPSIS\n.B packbridge\n.I COMMAND\n.RI [ OPTION ...]\n'
cat <<'TEXT'
.SH DESCRIPTION
packbridge polls lithium battery packs, over Bluetooth Low Energy, serial lines or TCP, and serves each
as a Modbus unit, over Modbus TCP and Modbus RTU, from a documented register map.
.PP
.B "packbridge demo"
shows it without any hardware. To set up an installation, use
.BR scan ,
.B check
and
.BR status .
It runs as the service
.IR packbridge.service ,
which reads
.BR packbridge.yaml (5).
TEXT
printf '.SH COMMANDS\n'
"$@" --help | literal
for name in $("$@" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
	printf '.SS "packbridge %s"\n' "$name"
	"$@" "$name" --help | literal
done
cat <<'TEXT'
.SH FILES
.TP
.I /etc/packbridge/packbridge.yaml
the configuration,
.BR packbridge.yaml (5)
.TP
.I /etc/packbridge/maps
register maps of your own,
.BR packbridge-map (5);
a map with the name of an installed map replaces it
.TP
.I /run/packbridge/control.sock
commands from members of the group packbridge
.TP
.I /run/packbridge/status.sock
status, for every user
.SH ENVIRONMENT
.TP
.B PACKBRIDGE_MAPS
a folder with register maps; it is searched first
.SH SEE ALSO
.BR packbridge.yaml (5),
.BR packbridge\-map (5),
.BR mbpoll (1),
.BR bluetoothctl (1)
.PP
/usr/share/doc/packbridge
TEXT
