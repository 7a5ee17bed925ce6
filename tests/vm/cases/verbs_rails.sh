#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: --rails 2 --drive 768M --mount /mnt/nvme --cpu qemu64
# Two rails carry one transfer. One of them goes away in the middle and its share takes the other; when it
# is back, so are its links.
. tests/vm/headrace.sh

make_file large 90000001
read -ra addresses <<<"$VM_SERVERS"
listen=0.0.0.0 serve
rails=$(grep -c 'RDMA links come in' "$logs/serve")
[ "$rails" -ge 2 ]
sent() { cat /sys/class/infiniband/"$1"/ports/1/hw_counters/sent_pkts; }

before=("$(sent rxe0)" "$(sent rxe1)")
get large host: --require rdma --links "$rails"
expect_way 'verbs (rxe'
grep 'soft-RoCE), one of 2 NICs, 2 links' <<<"$summary"
carried=($(($(sent rxe0) - before[0])) $(($(sent rxe1) - before[1])))
echo "packets over two rails: ${carried[*]}"
[ "${carried[0]}" -gt 5000 ] && [ "${carried[1]}" -gt 5000 ]

# Down and up again while nothing is under way: what was there before is rebuilt from nothing.
interface=$(rdma link show rxe1/1 | sed -n 's/.*netdev \([a-z0-9]*\).*/\1/p')
ip link set "$interface" down
ip link set "$interface" up
before=("$(sent rxe0)" "$(sent rxe1)")
get large host: --require rdma --links "$rails"
[ $(($(sent rxe1) - before[1])) -gt 5000 ]

# Down in the middle. (Once a disconnect was sent into a dead interface, Linux 6.1's rxe connects nobody on
# it any more, rping neither: that it comes back is shown where the NICs are imitated, tests/sim.)
start_get large /mnt/nvme/down --require rdma --links "$rails" --limit 8M -v
wait_for "a chunk before the interface goes" "$getting" some_moved
ip link set "$interface" down
code=0
wait "$getting" || code=$?
[ "$code" = 0 ] || { show_logs; exit 1; }
arrived large /mnt/nvme/down
grep 'died' "$logs/get.err"
