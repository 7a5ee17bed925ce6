#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: --rails 2 --drive 768M --mount /mnt/nvme --cpu qemu64
# A machine that has RDMA but will not let us: nothing may be locked, the device may not be opened, the
# port is down. TCP carries the data and it is said why; --require refuses. And a server that lets us have
# fewer links than were asked for.
. tests/vm/headrace.sh

make_file some 9000001
chmod 755 /mnt/nvme "$data" && chmod 644 "$data/some"
mkdir -m 777 /mnt/nvme/out
as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all "$@"; }

serve

# The client's slots cannot be registered.
ulimit -S -l 64
headrace_as_root=$headrace
cat >/tmp/limited <<END
#!/bin/bash
exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all $headrace_as_root "\$@"
END
chmod 755 /tmp/limited
chmod 666 /dev/infiniband/*
headrace=/tmp/limited
get some /mnt/nvme/out/limited
expect_way tcp
grep -q 'locked' "$logs/get.err" <(echo "$summary") || { show_logs; exit 1; }
arrived some /mnt/nvme/out/limited
exits 11 get some /mnt/nvme/out/none --require rdma
grep -q 'locked' "$logs/get.err"
ulimit -S -l unlimited 2>/dev/null || ulimit -S -l "$(ulimit -H -l)"

# The device node belongs to root.
chmod 600 /dev/infiniband/*
get some /mnt/nvme/out/denied
expect_way tcp
exits 11 get some /mnt/nvme/out/none --require rdma
grep -qi 'permission' "$logs/get.err" || { show_logs; exit 1; }
headrace=$headrace_as_root

# No port of the device is up: the data takes the other way, and why is said.
kill "$server" && wait "$server" || true
serve
interface=$(rdma link show rxe1/1 | sed -n 's/.*netdev \([a-z0-9]*\).*/\1/p')
ip link set "$interface" down
chmod 666 /dev/infiniband/*
get some /mnt/nvme/out/down --rdma-devices rxe1
expect_way tcp
exits 11 get some /mnt/nvme/out/none --rdma-devices rxe1 --require rdma
grep -q 'No port of the RDMA device rxe1 is active' "$logs/get.err" || { show_logs; exit 1; }
ip link set "$interface" up
kill "$server" && wait "$server" || true

# Who may hold less memory than the links that he asks for need: those that there is room for carry it.
printf 'allow anyone read data\nlimit anyone memory 1MiB\n' >/tmp/rules
serve --rules /tmp/rules
get some /mnt/nvme/out/few --links 16 --require rdma
expect_way 'verbs (rxe0, soft-RoCE), of 2 NICs the one in a network of the server'
grep 'has no room for all of 16 data links: going on over fewer' "$logs/get.err" || { show_logs; exit 1; }
arrived some /mnt/nvme/out/few
kill "$server" && wait "$server" || true

# A server whose pool may not be locked serves over TCP, or not at all if it was told to use RDMA.
ulimit -S -l 64
headrace=/tmp/limited serve
grep -q 'serving over TCP only' "$logs/serve" || { show_logs; exit 1; }
grep 'KiB cannot be registered with rxe0.*This process may lock 64 KiB; it needs 66560 KiB x (1 ring + 2 NICs) = 199680 KiB' "$logs/serve"
ulimit -S -l unlimited 2>/dev/null || ulimit -S -l "$(ulimit -H -l)"
get some /mnt/nvme/out/served
expect_way tcp
arrived some /mnt/nvme/out/served
exits 11 get some /mnt/nvme/out/none --require rdma
grep -q 'the server offers no RDMA' "$logs/get.err"
kill "$server" && wait "$server" || true
ulimit -S -l 64
exits 11 timeout 60 /tmp/limited serve "$data" --listen "$VM_SERVER:$port" --insecure --transport verbs 2>"$logs/serve"
grep 'registering the slots with the NICs' "$logs/serve"
