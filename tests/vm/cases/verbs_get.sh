#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: --rails 2 --drive 768M --mount /mnt/nvme --cpu qemu64
# From the drive over RDMA to memory and to files, on each rail, and what is said where there is none.
. tests/vm/headrace.sh

make_file large 25000001
make_file small 4097
make_file empty 0
serve

get large host:
expect_way verbs
for name in large small empty; do
    get "$name" "/mnt/nvme/got-$name" --require rdma
    expect_way 'verbs (rxe0, soft-RoCE)'
    arrived "$name" "/mnt/nvme/got-$name"
done
get large /mnt/nvme/tcp --transport tcp
expect_way tcp
exits 11 get large /mnt/nvme/none --require rdma,local
kill "$server" && wait "$server" || true

# The other rail is another network with a device of its own.
read -ra addresses <<<"$VM_SERVERS"
address=${addresses[1]}
serve
get large /mnt/nvme/second --require rdma
expect_way 'verbs (rxe1, soft-RoCE)'
arrived large /mnt/nvme/second
kill "$server" && wait "$server" || true

# Everything that both networks have: two rails, and a link on each.
address=${addresses[0]}
listen=0.0.0.0 serve
[ "$(grep -c 'RDMA links come in' "$logs/serve")" -ge 2 ]
get large /mnt/nvme/both --require rdma --links 2 -vv
expect_way verbs
arrived large /mnt/nvme/both
kill "$server" && wait "$server" || true

# IPv6.
address="[$VM_SERVER6]"
serve
get large /mnt/nvme/six --require rdma
arrived large /mnt/nvme/six
kill "$server" && wait "$server" || true

# A server without it, asked by a client that insists.
address=${addresses[0]}
serve --transport tcp
exits 11 get large /mnt/nvme/none --require rdma
grep -q 'RDMA is required: the server offers no RDMA' "$logs/get.err"
get large /mnt/nvme/auto
expect_way tcp
arrived large /mnt/nvme/auto
