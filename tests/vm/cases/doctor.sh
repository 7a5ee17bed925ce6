#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: --rails 2 --drive 768M --mount /mnt/nvme
# headrace doctor on a machine that has soft-RoCE and an NVMe drive.
set -euo pipefail

program=${HEADRACE_BUILD:-build-release}/bin/headrace
[ -x "$program" ] || { echo "not built: $program (scripts/build)"; exit 77; }

"$program" doctor --dir /mnt/nvme
findings=$("$program" doctor --dir /mnt/nvme --json)

# Each: state, topic, name, a part of its text.
while read -r state topic name part; do
    name=${name//+/ }
    grep -F "\"topic\":\"$topic\"" <<<"$findings" | grep -F "\"state\":\"$state\"" |
        grep -F "\"name\":\"$name\"" | grep -qF "$part" || {
        echo "not said: $topic, $name: $state, $part"
        exit 1
    }
done <<END
ok rdma rxe0 opened
ok rdma rxe0+port+1 MTU 4096
ok rdma rxe0+memory 64 MiB
lacking rdma rxe0+dma-buf host memory
ok rdma rdma_cm connections
ok storage O_DIRECT /mnt/nvme
END
grep -F "::ffff:$VM_SERVER" <<<"$findings" >/dev/null || { echo "the IPv4 address of rxe0 is not named"; exit 1; }
