#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# pair.sh: what two guests do in the case two_guests, each on its side (VM_ROLE). The client ends with 7
# when all went well, and the server when it is told to stop.
. tests/vm/headrace.sh

# Both make the same bytes.
mkdir -p "$data"
openssl enc -aes-128-ctr -K 00000000000000000000000000000001 -iv 0 -nosalt </dev/zero 2>/dev/null |
    head -c 12000007 >"$data/large" || true
test "$(stat -c %s "$data/large")" = 12000007

if [ "$VM_ROLE" = server ]; then
    rping -s -a "$VM_SERVER" -C 10 -V
    ib_write_bw -d rxe0 -F -R -s 65536 -n 64 >/dev/null
    trap 'echo told to stop; kill "$server"; exit 0' TERM
    serve
    wait "$server"
    exit
fi

test "$VM_CLIENT" != "$VM_SERVER"
ip -4 -o address show | grep -qF "$VM_CLIENT/"
# Until the server listens it refuses.
until rping -c -a "$VM_SERVER" -C 10 -V 2>/dev/null; do :; done
echo "10 messages crossed from $VM_CLIENT to $VM_SERVER and back"
until said=$(ib_write_bw -d rxe0 -F -R -s 65536 -n 64 "$VM_SERVER" 2>/dev/null); do :; done
# 0.00 is perftest's word for a clock that it could not find the rate of.
awk '$1 == 65536 { print "ib_write_bw, two guests, 64 KiB:", ($4 > 0 ? $4 " MB/s" : "not measured"); found = 1 }
    END { exit !found }' <<<"$said"

until get large /mnt/nvme/got --require rdma; do
    grep -q 'connecting' "$logs/get.err" || { show_logs; exit 1; }
done
expect_way 'verbs (rxe0, soft-RoCE)'
arrived large /mnt/nvme/got
echo "two machines, $(of bytes_moved) bytes: $(of seconds) s"
exit 7
