#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# budget NVCC ARCHITECTURE SOURCE...: no kernel takes more than 64 registers (32 warps on a
# multiprocessor) and none spills. Needs nvcc and no GPU.
set -euo pipefail
nvcc=$1 architecture=$2
shift 2
source=$(cd "$(dirname "$0")/../.." && pwd)
includes=()
for folder in kernels kernels/{batch,lane,crc32c,lz4,planes} engine/base; do
    includes+=(-I "$source/$folder")
done
target=$(mktemp -d)
trap 'rm -rf "$target"' EXIT
for file in "$@"; do
    "$nvcc" -std=c++17 -O3 -arch="sm_$architecture" -diag-suppress=177,550 -Xptxas -v -cubin \
        "${includes[@]}" -o "$target/cubin" "$file" 2>&1
done | awk '
    { print }
    /Used [0-9]+ registers/ {
        kernels++
        for (i = 1; i <= NF; i++) if ($i == "Used" && $(i + 1) + 0 > 64) bad = 1
    }
    / bytes spill stores/ && !/ 0 bytes spill stores, 0 bytes spill loads/ { bad = 1 }
    END {
        if (kernels == 0) { print "no kernel was compiled"; exit 1 }
        if (bad) { print "over the budget: 64 registers, no spills"; exit 1 }
    }'
