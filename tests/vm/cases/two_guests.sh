#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: host
# A server and a client, each a machine of its own: rping compares what crosses, perftest says how fast,
# Headrace brings a file over RDMA. A server that would run on is told to stop when the client is
# done; one that fails ends the run.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# run WANTED-CODE ARGUMENT...: two guests; what they said is shown and lies in $work/said.
run() {
    local wanted=$1 code=0
    shift
    scripts/softroce-vm --guests 2 --timeout 240 "$@" >"$work/said" 2>&1 || code=$?
    cat "$work/said"
    if [ "$code" = 77 ]; then exit 77; fi
    [ "$code" = "$wanted" ] || { echo "exit $code, not $wanted"; exit 1; }
}

run 7 --drive 256M --mount /mnt/nvme --cpu qemu64 bash tests/vm/pair.sh -- bash tests/vm/pair.sh
grep -qx 'told to stop' "$work/said"

run 9 --rails 0 bash -c 'exit 9' -- sleep 1000
grep -q "server's command ended with 9" "$work/said"
