#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: --guests 2
# A server and a client, each a machine of its own: rping compares what crossed, perftest says how fast.
set -euo pipefail

if [ "$VM_ROLE" = server ]; then
    rping -s -a "$VM_SERVER" -C 10 -V
    ib_write_bw -d rxe0 -F -R -s 65536 -n 64 >/dev/null
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
