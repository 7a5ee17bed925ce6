#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: --rails 2 --drive 768M --mount /mnt/nvme
# The guest's rxe device is active, carries 4096 bytes a packet and answers to its IPv4 address.
set -euo pipefail

description=$(ibv_devinfo -v -d rxe0)
for fact in 'state: +PORT_ACTIVE' 'active_mtu: +4096' "GID\[ *[0-9]+\]: +::ffff:${VM_SERVER//./\\.}"; do
    grep -E "${fact/: +/:[[:space:]]+}" <<<"$description" || {
        echo "not found: $fact"
        echo "$description"
        exit 1
    }
done
test -c /dev/infiniband/rdma_cm
