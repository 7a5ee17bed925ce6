#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: --rails 2 --drive 768M --mount /mnt/nvme --cpu qemu64
# One of two devices disappears in the middle of a transfer, for both ends at once. The transfer goes on over
# the other, those that come later too, and whoever needs the one that is gone takes TCP or is refused.
. tests/vm/headrace.sh

make_file large 60000001
read -ra addresses <<<"$VM_SERVERS"
listen=0.0.0.0 serve
start_get large /mnt/nvme/down --require rdma --links 2 --limit 12M -v
wait_for "a chunk before the device goes" "$getting" some_moved
# Linux 6.1's rxe is not gone before nobody has it open any more: that is our end.
rdma link delete rxe1 &
deleting=$!
code=0
wait "$getting" || code=$?
[ "$code" = 0 ] || { show_logs; exit 1; }
arrived large /mnt/nvme/down
grep -q "a link over the rail ${addresses[1]}.* died" "$logs/get.err" || { show_logs; exit 1; }
kill -0 "$deleting"
[ -z "$(rdma link show | grep rxe1 || true)" ]

get large /mnt/nvme/later --require rdma
expect_way 'verbs (rxe0'
arrived large /mnt/nvme/later
kill -0 "$server"
kill "$server" && wait "$server" || true
wait "$deleting"
echo "gone: $(rdma link show)"

# A server that is told to use the one that is gone has none; TCP carries the data and the reason is said.
listen=0.0.0.0 serve --rdma-devices rxe1
get large /mnt/nvme/without
expect_way tcp
exits 11 get large /mnt/nvme/none --require rdma
kill "$server" && wait "$server" || true
"$headrace" serve "$data" --insecure --transport verbs --rdma-devices rxe1 >"$logs/serve" 2>&1 &
code=0
wait $! || code=$?
[ "$code" = 11 ]
grep 'none of the devices rxe1 is there' "$logs/serve"
