#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# bench_wire.sh [PAIRS [SECONDS]]: the verbs link alone beside ib_write_bw, in one guest and one boot.
# The two take turns, so that what else the host does meets both; each pair gives a ratio. Here it
# starts the guest, there it measures. HEADRACE_BUILD names the build folder (build-release), and
# HEADRACE_VM_CPU the guest's processor (qemu64, whose rxe is the fastest).
set -euo pipefail

pairs=${1:-9} seconds=${2:-4}
messages=$((seconds * 60)) # about as long, at the rates of a guest
build=${HEADRACE_BUILD:-build-release}

# One pair, messages as long as a link's, as many of them posted as a link has slots for. It counts
# messages and not seconds, because of the latter it leaves out two at each end.
perftest() {
    local server said
    ib_write_bw -d rxe0 -F -R -s 1048576 -t 64 -n "$messages" >/dev/null 2>&1 &
    server=$!
    until rdma resource show cm_id | grep -q LISTEN; do :; done
    said=$(ib_write_bw -d rxe0 -F -R -s 1048576 -t 64 -n "$messages" "$VM_SERVER" 2>&1) || { echo "$said" >&2; return 1; }
    wait "$server"
    # MiB/s there, MB/s here.
    awk '$1 == 1048576 { printf "%.2f\n", $4 * 1.048576 }' <<<"$said"
}

headrace() {
    "$build/bin/headrace-bench" wire --rdma "$VM_SERVER" --rounds 1 --seconds "${seconds}s" --json --quiet |
        sed -n 's/.*"gb_per_second":{"median":\([0-9.e-]*\).*/\1/p' | awk '{ printf "%.2f\n", $1 * 1000 }'
}

# The median of the column, and the interval of its order statistics that holds it with 95 per cent.
summary() {
    sort -n | awk -v what="$1" '{ v[NR] = $1 } END {
        for (k = 0; ; k++) { c = 1; s = 0
            for (i = 0; i <= k; i++) { s += c; c = c * (NR - i) / (i + 1) }
            if (2 * s / 2 ^ NR > 0.05) break }
        if (k < 1) k = 1
        m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
        printf "%s: median %.3f, 95%% interval %.3f to %.3f, %d pairs\n", what, m, v[k], v[NR + 1 - k], NR }'
}

measure() {
    local i ours theirs ratios
    ratios=$(mktemp)
    printf '%4s %17s %17s %7s\n' pair ib_write_bw headrace ratio
    for ((i = 1; i <= pairs; i++)); do
        theirs=0.00
        # It gives no figure when it could not find the clock's rate on a busy host.
        until [ "${theirs:-0.00}" != 0.00 ]; do theirs=$(perftest); done
        ours=$(headrace)
        awk -v i="$i" -v a="$theirs" -v b="$ours" 'BEGIN {
            printf "%4d %12.1f MB/s %12.1f MB/s %7.3f\n", i, a, b, b / a }'
        awk -v a="$theirs" -v b="$ours" 'BEGIN { print b / a }' >>"$ratios"
    done
    summary 'link alone, of ib_write_bw' <"$ratios"
}

if [ -n "${VM_ROLE-}" ]; then
    measure
else
    cd "$(dirname "$0")/../.."
    exec scripts/softroce-vm --cpu "${HEADRACE_VM_CPU:-qemu64}" --timeout 600 bash tests/vm/bench_wire.sh "$pairs" "$seconds"
fi
