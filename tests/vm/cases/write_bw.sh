#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the guest's rxe carries, as perftest measures it: the figure that ours are compared with.
set -euo pipefail

measure() {
    ib_write_bw -d rxe0 -F -R -s 1048576 -n 64 --report_gbits "$@"
}

measure >/dev/null &
server=$!
until ss -ltn | grep -q ':18515 ' || rdma resource show cm_id | grep -q LISTEN; do :; done
measure "$VM_SERVER" | awk '
    $1 == 1048576 { printf "ib_write_bw, 1 MiB: %.1f MB/s\n", $4 * 125; found = 1 }
    { said = said $0 "\n" }
    END { if (!found) printf "%s", said; exit !found }'
wait "$server"
