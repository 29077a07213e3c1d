#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Servers and sockets whose every text tries to write to the terminal of whoever asks them.
# Usage: test_hostile_peers.sh PROGRAM SOURCE_DIR
set -euo pipefail
program=$1 source=$2
. "$(dirname "$0")/shell.sh"
write_sample
start 2 "$program" run -c "$folder/packbridge.yaml"
/usr/bin/python3 "$source/tests/integration/hostile_peers.py" "$program" "$folder"
end
