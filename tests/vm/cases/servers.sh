#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: host
# How two guests end: a server that would run on is told to stop when the client is done; one that
# fails ends the run.
set -euo pipefail

# The server can be reached only after its trap is set, and the client ends only after it has reached it.
code=0
# shellcheck disable=SC2016  # expanded in the guest
said=$(scripts/softroce-vm --guests 2 --rails 1 \
    bash -c 'trap "echo told to stop; exit 0" TERM; sleep 1000 & busybox nc -l -p 7000; wait' -- \
    bash -c 'until (: </dev/tcp/$VM_SERVER/7000) 2>/dev/null; do :; done; exit 7') || code=$?
grep -x 'told to stop' <<<"$said"
[ "$code" = 7 ]

code=0
said=$(scripts/softroce-vm --guests 2 --rails 0 bash -c 'exit 9' -- sleep 1000 2>&1) || code=$?
[ "$code" = 9 ]
grep "server's command ended with 9" <<<"$said"
