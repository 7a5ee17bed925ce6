#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: --rails 2 --drive 768M --mount /mnt/nvme
# What the guest's rxe carries, as perftest measures it: the figure that ours are compared with.
set -euo pipefail

# Prints MB/s. perftest finds the clock's rate by sampling; where the guest was held up meanwhile it
# gives up on that, warns of its correlation and reports 0.
measure() {
    local server said
    ib_write_bw -d rxe0 -F -R -s 1048576 -n 64 >/dev/null 2>&1 &
    server=$!
    until rdma resource show cm_id | grep -q LISTEN; do :; done
    said=$(ib_write_bw -d rxe0 -F -R -s 1048576 -n 64 "$VM_SERVER" 2>&1) || { echo "$said" >&2; exit 1; }
    wait "$server"
    awk '$1 == 1048576 { print $4 }' <<<"$said"
}

for _ in 1 2 3 4 5; do
    figure=$(measure)
    if [ "${figure:-0.00}" != 0.00 ]; then
        echo "ib_write_bw, 1 MiB: $figure MB/s"
        exit
    fi
done
echo "five runs of ib_write_bw gave no figure"
exit 1
