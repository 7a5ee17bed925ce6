#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: --rails 2 --drive 768M --mount /mnt/nvme --cpu qemu64
# The measuring program over RDMA: the whole path goes that way and says so, a wire goes both ways, and
# short messages inline; what the device has no room for is refused.
. tests/vm/headrace.sh

fail() {
    echo "$1"
    exit 1
}

bench=$(dirname "$headrace")/headrace-bench
measure() { "$bench" "$@" --rdma "$VM_SERVER" --rounds 1 --seconds 200ms --json --quiet; }

# Of a sweep neither stages nor limits are measured, which here would take most of a minute.
measure transfer --sweep size=4MiB --directory /mnt/nvme --insecure >"$logs/transfer"
for name in disk_to_host disk_to_file wire_rdma_digests; do
    grep -o "\"name\":\"$name@.*" "$logs/transfer" | grep -o '"transport_class":"[^"]*"' | head -n 1 |
        grep -q soft-RoCE || fail "$name did not go over soft-RoCE: $(cat "$logs/transfer")"
done
measure wire --both --message 64KiB >"$logs/both"
grep -q 'both ways' "$logs/both" || fail "not both ways: $(cat "$logs/both")"
measure wire --inline --message 200 >"$logs/inline"
grep -q '200 byte messages inline' "$logs/inline" || fail "not inline: $(cat "$logs/inline")"
code=0
measure wire --inline --message 100KiB >"$logs/long" 2>&1 || code=$?
[ "$code" -eq 11 ] || fail "100 KiB inline ended with $code: $(cat "$logs/long")"
grep -q 'try a shorter --message' "$logs/long" || fail "it does not say why: $(cat "$logs/long")"
"$bench" register --rounds 1 --seconds 200ms --json --quiet >"$logs/register" || true # rings have a limit
grep -o '"name":"register_nic",.*' "$logs/register" | grep -q '"in_use":"soft-RoCE, rxe0' ||
    fail "the NIC was not tried: $(cat "$logs/register")"
