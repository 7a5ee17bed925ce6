#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: --rails 2 --drive 768M --mount /mnt/nvme --cpu qemu64
# What a chunk costs the server, counted by the kernel and by a preloaded library while a short file and a
# long one go to memory: the difference is chunks alone. No byte is copied, and a MiB takes less
# than two system calls, rxe's doorbells (a write to the device's descriptor each) apart: 0.4 where
# nothing else runs, the rest is looks for work of a server that waits.
. tests/vm/headrace.sh

counter=$(realpath "${HEADRACE_TESTS:-build-dev}/lib/libcount_copies.so" 2>/dev/null || true)
[ -e "$counter" ] || { echo "libcount_copies.so is not built: scripts/build dev, or HEADRACE_TESTS names the folder"; exit 77; }
make_file short 20971520
make_file long 104857600
export COUNT_COPIES=$logs/copied
LD_PRELOAD=$counter serve
unset COUNT_COPIES

tracing=/sys/kernel/tracing
mountpoint -q $tracing || mount -t tracefs tracefs $tracing
calls=$tracing/events/raw_syscalls/sys_enter writes=$tracing/events/syscalls/sys_enter_write
by_call='hist:keys=common_pid,id:size=4096' by_fd='hist:keys=common_pid,fd:size=4096'
trap 'echo "!$by_call" >$calls/trigger; echo "!$by_fd" >$writes/trigger; jobs -p | xargs -r kill -9 2>/dev/null || true' EXIT

# count FILE KEY VALUE THREADS: the sum of a histogram's lines of these threads, those apart whose KEY is one of VALUE.
count() {
    awk -v key="$2" -v value=" $3 " -v threads=" $4 " '
        /common_pid:/ {
            gsub(/[{},:]/, " ")
            for (i = 1; i < NF; i++) field[$i] = $(i + 1)
            if (index(threads, " " field["common_pid"] " ") && !index(value, " " field[key] " ")) sum += field["hitcount"]
        }
        END { print sum + 0 }' "$1"
}

# Which descriptors are the RDMA devices.
doorbells=$(find "/proc/$server/fd" -lname '/dev/infiniband/uverbs*' -printf '%f ')
[ -n "$doorbells" ]

# cost NAME: the server's system calls, and bytes copied, for one transfer of it.
cost() {
    local copied threads all without
    copied=$(od -An -t u8 "$logs/copied")
    echo "$by_call" >$calls/trigger
    echo "$by_fd" >$writes/trigger
    get "$1" host: --require rdma
    threads=$(ls "/proc/$server/task" | tr '\n' ' ')
    # clock_gettime (228) is none: only where the clock is emulated does it reach the kernel.
    all=$(count $calls/hist id 228 "$threads")
    without=$(count $writes/hist fd "$doorbells" "$threads")
    spent=$((all - $(count $writes/hist fd '' "$threads") + without))
    echo "!$by_call" >$calls/trigger
    echo "!$by_fd" >$writes/trigger
    copied=$(($(od -An -t u8 "$logs/copied") - copied))
    spent=("$spent" "$copied" "$all")
}

# least A B: whichever is less; an empty A is none.
least() {
    if [ -z "$1" ] || [ "$2" -lt "$1" ]; then echo "$2"; else echo "$1"; fi
}

# Where a machine is busy a server waits more often, and each time it looks a while before it does:
# the least of some transfers is what they cost.
mib=$(((104857600 - 20971520) >> 20)) chunks=$(((104857600 - 20971520) / 4194304))
cost short # the first has links to make
short=('' '' '') long=('' '' '')
for ((round = 1; round <= 6; round++)); do
    cost short
    for i in 0 1 2; do short[i]=$(least "${short[i]}" "${spent[i]}"); done
    cost long
    for i in 0 1 2; do long[i]=$(least "${long[i]}" "${spent[i]}"); done
    calls_more=$((long[0] - short[0])) copied_more=$((long[1] - short[1]))
    [ "$round" -lt 2 ] || [ "$calls_more" -ge $((2 * mib)) ] || break
done
echo "$mib MiB more cost the server $calls_more system calls (with doorbells $((long[2] - short[2]))) and $copied_more bytes copied"
[ "$calls_more" -lt $((2 * mib)) ]
# What goes along with a chunk: its grant, its receipt, the requests.
[ "$copied_more" -lt $((chunks * 4096)) ]
