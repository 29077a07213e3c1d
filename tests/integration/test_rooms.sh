#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The include check of the build refuses what ARCHITECTURE.md forbids, and nothing else.
# Usage: test_rooms.sh PROGRAM SOURCE_DIR
set -euo pipefail
source=$2
. "$(dirname "$0")/shell.sh"
mkdir -p "$folder/src/model" "$folder/include/packbridge"
echo '#include "packbridge/base.h"' >"$folder/include/packbridge/model.h"

# check STATUS 'TEXT' INCLUDE: a room that uses base and libyaml, with this line in it
check() {
	local got=0
	printf '%s\n' "$3" >"$folder/src/model/model.c"
	cmake -DROOM=model -DUSES=base -DLIBS=YAML -DSOURCE_DIR="$folder" -DSTAMP="$folder/ok" \
		-P "$source/tests/rooms.cmake" >"$folder/out" 2>&1 || got=$?
	if [ "$got" -ne "$1" ] || ! grep -q "$2" "$folder/out"; then
		[ "$1" -eq 0 ] && [ "$got" -eq 0 ] && return 0
		echo "FAILED: '$3' gave $got:"
		cat "$folder/out"
		exit 1
	fi
}

check 0 '' '#include "packbridge/base.h"'
check 0 '' '#include "packbridge/model.h"'
check 0 '' '#include "packbridge/model/reading.h"'
check 0 '' '#include "private.h"'
check 0 '' '#include <yaml.h>'
check 0 '' '#include <sys/socket.h>'
check 1 "must not use 'bms'" '#include "packbridge/bms.h"'
check 1 "must not use 'bms'" '  #  include "packbridge/bms.h"'
check 1 "must not use 'bms'" '#include <packbridge/bms.h>'
check 0 '' '#include "packbridge/model/sample.h"'
check 0 '' '#include "packbridge/base/clock.h"'
check 1 "must not use 'bms'" '#include "packbridge/bms/frame.h"'
check 1 'private header' '#include "../bms/secret.h"'
check 1 'must not see systemd' '#include <systemd/sd-event.h>'
check 1 'must not see modbus' '#include <modbus/modbus.h>'
check 1 'must not see jansson' '#include <jansson.h>'
mkdir "$folder/include/packbridge/model"
echo '#include "packbridge/bms.h"' >"$folder/include/packbridge/model/part.h"
check 1 "model/part.h: room 'model' must not use 'bms'" ''
echo "rooms are closed"
