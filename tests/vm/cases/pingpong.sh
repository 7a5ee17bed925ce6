#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: --rails 2 --drive 768M --mount /mnt/nvme
# Two processes of one guest exchange data: over a queue pair set up by hand, then by rdma_cm on IPv4
# and IPv6, then with one packet in fifty lost.
set -euo pipefail

# GIDs are chosen by address; their order is that in which addresses came.
gid_index() {
    local wanted
    # shellcheck disable=SC2086  # four numbers
    wanted=$(printf '0000:0000:0000:0000:0000:ffff:%02x%02x:%02x%02x' ${1//./ })
    basename "$(grep -lx "$wanted" /sys/class/infiniband/rxe0/ports/1/gids/*)"
}

by_hand() {
    local index server
    index=$(gid_index "$VM_SERVER")
    ibv_rc_pingpong -d rxe0 -g "$index" -n 200 >/dev/null &
    server=$!
    until ss -ltn | grep -q ':18515 '; do :; done
    ibv_rc_pingpong -d rxe0 -g "$index" -n 200 "$VM_SERVER" | grep 'bytes in'
    wait "$server"
}

by_rdma_cm() {
    local server
    rping -s -a "$1" -C 20 -V &
    server=$!
    until rdma resource show cm_id | grep -q LISTEN; do :; done
    rping -c -a "$1" -C 20 -V
    wait "$server"
    echo "rping on $1: 20 messages compared"
}

by_hand
by_rdma_cm "$VM_SERVER"
by_rdma_cm "$VM_SERVER6"
# What a device sends to itself goes through lo.
modprobe sch_netem
tc qdisc add dev lo root netem loss 2%
by_rdma_cm "$VM_SERVER"
tc qdisc del dev lo root
