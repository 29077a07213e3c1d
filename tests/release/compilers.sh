#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds all by gcc and by clang, optimised, since some warnings need that; a warning is an error. (The dev
# preset is gcc's debug build.)
set -euo pipefail
cd "$(dirname "$0")/../.."
for compiler in gcc clang; do
	folder=build/$compiler-optimised
	cmake -S . -B $folder -G Ninja -DCMAKE_C_COMPILER=$compiler -DCMAKE_BUILD_TYPE=RelWithDebInfo -DPB_WERROR=ON >/dev/null
	cmake --build $folder >$folder.log || { cat $folder.log; exit 1; }
	echo "$($compiler --version | head -n 1): no warning"
done
