#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# bench_wire.sh [PAIRS [SECONDS]]: what RDMA carries beside ib_write_bw: the verbs link alone and the whole path
# (from the drive, with digests, into memory) in one guest, then the whole path between two. Within
# a boot they take turns, so that what else the host does meets all of them; each turn gives a ratio.
# Here it starts the guests, there it measures. HEADRACE_BUILD names the build folder (build-release),
# HEADRACE_VM_CPU the guests' processor (qemu64, whose rxe is the fastest), HEADRACE_GUESTS which of the two
# (1, 2; both), and HEADRACE_QPS how many queue pairs each has, with a worker of the server's for each (1).
set -euo pipefail

pairs=${1:-9} seconds=${2:-3} qps=${HEADRACE_QPS:-1}
build=$PWD/${HEADRACE_BUILD:-build-release}
mount=/mnt/nvme data=/mnt/nvme/data port=7431
# About as long as that, at the rates of one guest, or of two.
case ${VM_ROLE-} in
server | client) messages=$((seconds * 25)) ;;
*) messages=$((seconds * 60)) ;;
esac

# Messages as long as a link's, as many of them posted as a link has slots for. It counts
# messages and not seconds, because of the latter it leaves out two at each end.
perftest() { ib_write_bw -d rxe0 -q "$qps" -F -R -s 1048576 -t 64 -n "$messages" "$@" 2>&1; }

# MB/s. It gives no figure when it could not find the clock's rate on a busy host: then it is asked again.
theirs() {
    local figure=0.00 said
    while [ "${figure:-0.00}" = 0.00 ]; do
        if [ "$VM_ROLE" = guest ]; then
            perftest >/dev/null &
            until rdma resource show cm_id | grep -q 'LISTEN.*ib_write_bw'; do :; done
        fi
        until said=$(perftest "$VM_SERVER"); do
            [ "$VM_ROLE" = client ] || { echo "$said" >&2; return 1; }
        done
        # MiB/s there, MB/s here.
        figure=$(awk '$1 == 1048576 { printf "%.2f\n", $4 * 1.048576 }' <<<"$said")
    done
    echo "$figure"
}

link_alone() {
    "$build/bin/headrace-bench" wire --rdma "$VM_SERVER" --links "$qps" --rounds 1 --seconds "${seconds}s" --json --quiet |
        sed -n 's/.*"gb_per_second":{"median":\([0-9.e-]*\).*/\1/p' | awk '{ printf "%.2f\n", $1 * 1000 }'
}

# Connecting and the probe are in it.
whole_path() {
    "$build/bin/headrace" get "hr://$VM_SERVER:$port/data/file" host: --links "$qps" --json --quiet --insecure --require rdma |
        sed -n 's/.*"type":"summary".*"bytes_moved":\([0-9]*\).*"seconds":\([0-9.]*\).*/\1 \2/p' |
        awk '{ printf "%.2f\n", $1 / $2 / 1e6 }'
}

serve() {
    mkdir -p "$data"
    head -c $((messages << 20)) /dev/urandom >"$data/file"
    "$build/bin/headrace" serve "$data" --listen "$VM_SERVER:$port" --workers "$qps" --insecure >"$mount/said" 2>&1 &
    until grep -q ' serving ' "$mount/said"; do kill -0 $!; done
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

# measure WHAT...: in turns with ib_write_bw; a column of ratios for each.
measure() {
    local i what base ours line
    for ((i = 1; i <= pairs; i++)); do
        base=$(theirs)
        line=$(printf '%4d ib_write_bw %7.1f MB/s' "$i" "$base")
        for what in "$@"; do
            ours=$($what)
            line+=$(awk -v what="$what" -v a="$base" -v b="$ours" 'BEGIN { printf "; %s %.1f MB/s, %.3f", what, b, b / a }')
            awk -v a="$base" -v b="$ours" 'BEGIN { print b / a }' >>"$mount/$what.ratios"
        done
        echo "$line"
    done
    for what in "$@"; do summary "${what/_/ }, of ib_write_bw, ${guests}" <"$mount/$what.ratios"; done
}

case ${VM_ROLE-} in
guest)
    guests='one guest'
    serve
    measure link_alone whole_path
    ;;
server)
    serve
    while :; do perftest >/dev/null || true; done
    ;;
client)
    guests='two guests'
    until (: <"/dev/tcp/$VM_SERVER/$port") 2>/dev/null; do :; done
    measure whole_path
    ;;
*)
    cd "$(dirname "$0")/../.."
    guest=(scripts/softroce-vm --cpu "${HEADRACE_VM_CPU:-qemu64}" --timeout 600 --drive 512M --mount "$mount")
    command=(env HEADRACE_QPS="$qps" bash tests/vm/bench_wire.sh "$pairs" "$seconds")
    case ${HEADRACE_GUESTS:-1 2} in *1*) "${guest[@]}" "${command[@]}" ;; esac
    case ${HEADRACE_GUESTS:-1 2} in *2*) "${guest[@]}" --guests 2 "${command[@]}" -- "${command[@]}" ;; esac
    ;;
esac
