#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the shell offers behind `packbridge`. Skipped without bash-completion.
set -euo pipefail
program=$1 source=$2
[ -r /usr/share/bash-completion/bash_completion ] || {
	echo "SKIPPED: bash-completion is not installed"
	exit 77
}
set +eu
. /usr/share/bash-completion/bash_completion
PATH=$(dirname "$program"):$PATH
. "$source/etc/completion/packbridge"
failed=0
offers() { # LINE WORD...: each must be offered
	local line=$1 word
	shift
	COMP_LINE=$line COMP_POINT=${#line}
	read -ra COMP_WORDS <<<"$line"
	[[ $line != *" " ]] || COMP_WORDS+=("")
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
	_packbridge
	for word in "$@"; do
		[[ " ${COMPREPLY[*]} " == *" $word "* ]] || {
			echo "FAILED: '$line' offers '${COMPREPLY[*]}', expected $word"
			failed=1
		}
	done
}
offers 'packbridge re' record release reset reload read
offers 'packbridge switch house ' charge discharge release
offers 'packbridge switch house charge ' off on
offers 'packbridge switch --' --for --status --json --socket --help
offers 'packbridge status --' --json --metrics --socket --watch --help
offers 'packbridge map ' list show export
offers 'packbridge map export pa' pace packbridge packbridge-bank
offers 'packbridge map export pace --format t' twincat telegraf
offers 'packbridge map export pace --format h' homeassistant
offers 'packbridge read tcp:127.0.0.1 --map sun' sunspec
exit $failed
