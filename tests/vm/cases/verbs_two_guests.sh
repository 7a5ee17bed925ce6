#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: --guests 2 --drive 256M --mount /mnt/nvme --cpu qemu64
# A server and a client that are two machines: over RDMA to a file, compared by its digest.
. tests/vm/headrace.sh

# Both make the same bytes.
mkdir -p "$data"
openssl enc -aes-128-ctr -K 00000000000000000000000000000001 -iv 0 -nosalt </dev/zero 2>/dev/null |
    head -c 12000007 >"$data/large" || true
test "$(stat -c %s "$data/large")" = 12000007

if [ "$VM_ROLE" = server ]; then
    serve
    wait "$server"
    exit
fi

until get large /mnt/nvme/got --require rdma; do
    grep -q 'connecting' "$logs/get.err" || { show_logs; exit 1; }
done
expect_way 'verbs (rxe0, soft-RoCE)'
arrived large /mnt/nvme/got
echo "two machines, $(of bytes_moved) bytes: $(of seconds) s"
