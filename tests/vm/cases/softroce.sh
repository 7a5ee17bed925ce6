#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: --rails 0
# scripts/softroce on a kernel that has rxe: up is repeatable, down undoes it, the rest is refused.
set -euo pipefail

expect() {
    local wanted=$1 code=0
    shift
    "$@" || code=$?
    [ "$code" = "$wanted" ] || { echo "$* ended with $code, not $wanted"; exit 1; }
}

modprobe dummy
ip link add d0 type dummy
ip link set d0 mtu 4200 up
ip address add 10.1.1.1/24 dev d0
expect 0 scripts/softroce up d0
expect 0 scripts/softroce up d0
[ "$(rdma link show | wc -l)" = 1 ]
[ "$(cat /sys/class/infiniband/rxe0/ports/1/state)" = "4: ACTIVE" ]
expect 0 scripts/softroce down d0
[ -z "$(rdma link show)" ]
expect 4 scripts/softroce down d0
expect 4 scripts/softroce up nosuch0
expect 2 scripts/softroce up
expect 2 scripts/softroce sideways
