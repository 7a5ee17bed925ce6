#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: --rails 2 --drive 768M --mount /mnt/nvme --cpu qemu64
# kill -9 of either side in the middle of a transfer over RDMA, then the same command again: it goes on
# where it was, moves no more than what is missing and a window, and the bytes are the source's.
. tests/vm/headrace.sh

size=60000001 window=67108864
make_file large "$size"
serve

until_some_moved() { until grep -q '"bytes_verified":[1-9]' "$logs/get" 2>/dev/null; do kill -0 "$getting" || return 0; done; }

for victim in client server client server; do
    rm -f /mnt/nvme/target
    "$headrace" get "hr://$VM_SERVER:$port/data/large" /mnt/nvme/target --json --insecure --limit 12M \
        >"$logs/get" 2>"$logs/get.err" &
    getting=$!
    until_some_moved
    if [ "$victim" = client ]; then
        kill -9 "$getting"
    else
        kill -9 "$server"
    fi
    code=0
    wait "$getting" || code=$?
    [ ! -e /mnt/nvme/target ]
    if [ "$victim" = server ]; then
        [ "$code" = 8 ] || { echo "exit $code"; show_logs; exit 1; }
        wait "$server" || true
        serve
    fi
    get large /mnt/nvme/target --require rdma
    arrived large /mnt/nvme/target
    echo "$victim killed: $(of bytes_reused) reused, $(of bytes_moved) moved"
    [ "$(of bytes_reused)" -gt 0 ]
    [ "$(of bytes_moved)" -le $((size - $(of bytes_reused) + window)) ]
done

# A client that stops and never says why holds nothing up but itself.
"$headrace" get "hr://$VM_SERVER:$port/data/large" host: --json --insecure --limit 12M >"$logs/get" 2>&1 &
getting=$!
until_some_moved
kill -STOP "$getting"
get large /mnt/nvme/other --require rdma
arrived large /mnt/nvme/other
kill -9 "$getting"
kill -0 "$server"
