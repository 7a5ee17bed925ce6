#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: --rails 2 --drive 768M --mount /mnt/nvme
# Two rails in one guest: each device talks to itself on an address of its own, both at once.
set -euo pipefail

read -ra addresses <<<"$VM_SERVERS"
test ${#addresses[@]} = 2
servers=() clients=()
for address in "${addresses[@]}"; do
    rping -s -a "$address" -C 10 -V &
    servers+=($!)
done
until [ "$(rdma resource show cm_id | grep -c LISTEN)" = 2 ]; do :; done
rdma resource show cm_id | grep LISTEN
for address in "${addresses[@]}"; do
    rping -c -a "$address" -C 10 -V &
    clients+=($!)
done
for process in "${clients[@]}" "${servers[@]}"; do wait "$process"; done
