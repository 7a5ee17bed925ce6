#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: --drive 512M --mount /mnt/nvme --cpu qemu64
# A machine that has RDMA but will not let us: nothing may be locked, the device may not be opened, the
# port is down. TCP carries the data and it is said why; --require refuses.
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

# A server whose pool may not be locked serves over TCP.
kill "$server" && wait "$server" || true
chmod 666 /dev/infiniband/*
