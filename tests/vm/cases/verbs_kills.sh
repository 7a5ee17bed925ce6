#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: --rails 2 --drive 768M --mount /mnt/nvme --cpu qemu64
# kill -9 of either side in the middle of a transfer over RDMA, then the same command again: it goes on
# where it was, moves no more than what is missing and a window, and the bytes are the source's.
. tests/vm/headrace.sh

window=67108864
make_file large 60000001
make_file small 14000003
serve

noted_or_over() { noted /mnt/nvme || ! kill -0 "$getting"; }

# Twenty times; of the large file it can be seen that no more is moved than has to be.
for number in $(seq 20); do
    victim=client
    [ $((number % 2)) = 1 ] || victim=server
    name=small
    [ "$number" -gt 2 ] || name=large
    size=$(stat -c %s "$data/$name")
    rm -f /mnt/nvme/target
    : >"$logs/get"
    "$headrace" get "hr://$VM_SERVER:$port/data/$name" /mnt/nvme/target --json --insecure --limit 12M \
        >"$logs/get" 2>"$logs/get.err" &
    getting=$!
    wait_for "a chunk that is noted" "$server" noted_or_over
    if [ "$victim" = client ]; then
        kill -9 "$getting" 2>/dev/null || true # it may be over
    else
        kill -9 "$server"
    fi
    code=0
    wait "$getting" || code=$?
    # One that was killed too late has all of it.
    [ ! -e /mnt/nvme/target ] || { arrived "$name" /mnt/nvme/target && [ "$name" = small ]; }
    if [ "$victim" = server ]; then
        [ "$code" = 8 ] || [ -e /mnt/nvme/target ] || { echo "exit $code"; show_logs; exit 1; }
        wait "$server" || true
        serve
    fi
    [ ! -e /mnt/nvme/target ] || continue
    get "$name" /mnt/nvme/target --require rdma
    arrived "$name" /mnt/nvme/target
    echo "$victim killed: $(of bytes_reused) reused, $(of bytes_moved) moved"
    [ "$(of bytes_reused)" -gt 0 ]
    [ "$(of bytes_moved)" -le $((size - $(of bytes_reused) + window)) ]
done

# A client that stops and never says why holds nothing up but itself.
: >"$logs/get"
"$headrace" get "hr://$VM_SERVER:$port/data/large" host: --json --insecure --limit 12M >"$logs/get" 2>&1 &
getting=$!
wait_for "a chunk for memory" "$getting" some_moved bytes_verified
kill -STOP "$getting"
get large /mnt/nvme/other --require rdma
arrived large /mnt/nvme/other
kill -9 "$getting"
kill -0 "$server"
