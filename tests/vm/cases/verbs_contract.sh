#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: --rails 2 --drive 768M --mount /mnt/nvme --cpu qemu64
# The contract of transports over the verbs transport and a real rxe, on IPv4 and on IPv6.
set -euo pipefail

program=${HEADRACE_TESTS:-build-dev}/bin/contract_transport
if [ ! -x "$program" ]; then
    echo "$program is not built: scripts/build dev, or HEADRACE_TESTS names the folder"
    exit 77
fi
HEADRACE_VERBS_ADDRESS=$VM_SERVER "$program" --gtest_filter='*/*verbs*'
HEADRACE_VERBS_ADDRESS="[$VM_SERVER6]" "$program" --gtest_filter='*Whole*/verbs_io_uring:*Nobody*/verbs_io_uring'
HEADRACE_VERBS_ADDRESS=$VM_SERVER "${program}_verbs" --gtest_filter='*RealVerbs*'
