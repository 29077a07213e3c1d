#!/bin/sh
# SPDX-License-Identifier: MIT
# A page of docs/ as a manual page of section 5: page.sh LOWDOWN NAME FILE OUT
set -eu
lowdown=$1 name=$2 file=$3
exec >"$4"

# A terminal is too narrow for tables: each line becomes a definition, the last cell its text.
definitions() {
	awk -F ' *[|] *' '
		/^[|]/ && !inside { inside = 1; split($0, head); next }
		/^[|] *---/ { next }
		/^[|]/ {
			line = $0
			gsub(/\\[|]/, "\001", line)
			n = split(line, cell)
			term = cell[2]
			for (i = 3; i < n - 1; i++)
				if (cell[i] != "")
					term = term ", " (head[i] == "default" && cell[i] != "required" ? "default " : "") cell[i]
			text = term "\n: " (cell[n - 1] == "" ? "-" : cell[n - 1]) "\n"
			gsub(/\001/, "|", text)
			print text
			next
		}
		{ inside = 0; print }'
}

# Links to other pages become their names, marks of generated parts go, the title becomes NAME.
sed -e '/^<!--.*-->$/d' -e 's/\[\([^]]*\)\](\([a-z-]*\.md\)[^)]*)/\1/g' -e '1d' "$file" | definitions |
	{
		printf '# NAME\n\n%s - %s\n\n# DESCRIPTION\n' "$name" "$(sed -n '1s/^# *//p' "$file")"
		sed 's/^## /# /; s/^### /## /'
	} | "$lowdown" -s -Tman -M title="$name" -M section=5 -M source=packbridge -
