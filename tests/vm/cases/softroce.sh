#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: --rails 2 --drive 768M --mount /mnt/nvme
# scripts/softroce on a kernel that has rxe: up is repeatable, down undoes it, the rest is refused.
set -euo pipefail

expect() {
    local wanted=$1 code=0
    shift
    "$@" || code=$?
    [ "$code" = "$wanted" ] || { echo "$* ended with $code, not $wanted"; exit 1; }
}

modprobe dummy
ip link add spare type dummy
ip link set spare mtu 4200 up
ip address add 10.1.1.1/24 dev spare
expect 0 scripts/softroce up spare
expect 0 scripts/softroce up spare
[ "$(rdma link show | grep -c 'netdev spare')" = 1 ]
device=$(rdma link show | sed -n 's|^link \([^/]*\)/.*netdev spare.*|\1|p')
[ "$(cat "/sys/class/infiniband/$device/ports/1/state")" = "4: ACTIVE" ]
expect 0 scripts/softroce down spare
[ ! -e "/sys/class/infiniband/$device" ]
expect 4 scripts/softroce down spare
ip link delete spare
expect 4 scripts/softroce up nosuch0
expect 2 scripts/softroce up
expect 2 scripts/softroce sideways
