#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: --rails 2 --drive 768M --mount /mnt/nvme --cpu qemu64
# What a fabric does to a transfer: packets that are lost, late and out of order, an interface that
# goes away and comes back, and a receiver that is slower than its sender.
. tests/vm/headrace.sh

make_file large 40000003
serve

# Traffic of a device to itself goes through lo.
tc qdisc add dev lo root netem loss 1% delay 1ms 1ms reorder 5%
get large /mnt/nvme/lossy --require rdma
expect_way verbs
arrived large /mnt/nvme/lossy
tc qdisc del dev lo root
echo "lost, late and out of order: $(of seconds) s"

# A receiver that stops again and again, never for so long that it is taken for dead (3 s).
sent() { cat /sys/class/infiniband/rxe0/ports/1/hw_counters/sent_pkts; }
start_get large /mnt/nvme/slow --require rdma --limit 12M
find_receiver() { receiver=$(pgrep -f "^$headrace get "); }
wait_for "the receiver to start" "$getting" find_receiver
stops=0
while kill -STOP "$receiver" 2>/dev/null && [ "$stops" -lt 20 ]; do
    packets=$(sent)
    kill -CONT "$receiver" 2>/dev/null || break # it had ended
    stops=$((stops + 1))
    until [ "$packets" != "$(sent)" ] || ! kill -0 "$receiver" 2>/dev/null; do :; done
done
kill -CONT "$receiver" 2>/dev/null || true
wait "$getting"
echo "a receiver that stopped $stops times"
[ "$stops" -gt 0 ]
arrived large /mnt/nvme/slow

# Every packet dropped, for good: it is noticed (3 s of silence over RDMA, 10 s over TCP), said, and
# what was there is kept.
for transport in verbs tcp; do
    start_get large "/mnt/nvme/dropped-$transport" --transport "$transport" --limit 8M
    wait_for "a chunk over $transport" "$getting" some_moved bytes_verified
    tc qdisc add dev lo root netem loss 100%
    begin=$SECONDS code=0
    wait "$getting" || code=$?
    tc qdisc del dev lo root
    echo "dropped over $transport: exit $code after $((SECONDS - begin)) s: $(tail -n 1 "$logs/get.err")"
    [ "$code" = 8 ]
    [ ! -e "/mnt/nvme/dropped-$transport" ]
    get large "/mnt/nvme/dropped-$transport" --transport "$transport"
    arrived large "/mnt/nvme/dropped-$transport"
    [ "$(of bytes_reused)" -gt 0 ]
done

# Down for as long as it takes to be noticed, then up.
interface=$(rdma link show | sed -n 's/.*netdev \([a-z0-9]*\).*/\1/p' | head -n 1)
start_get large /mnt/nvme/down --limit 8M
wait_for "a chunk before the interface goes" "$getting" some_moved
ip link set "$interface" down
sleep 4
ip link set "$interface" up
ip -4 address show dev "$interface" | grep -q "$VM_SERVER/" ||
    ip address add "$VM_SERVER/24" dev "$interface"
code=0
wait "$getting" || code=$?
echo "an interface that goes away: exit $code"
[ "$code" = 0 ] || [ "$code" = 8 ] || { show_logs; exit 1; }
[ "$code" = 0 ] || get large /mnt/nvme/down
arrived large /mnt/nvme/down
kill -0 "$server"
