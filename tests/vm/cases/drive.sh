#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: --rails 2 --drive 768M --mount /mnt/nvme
# The NVMe drive takes and gives O_DIRECT through io_uring: what fio writes into a file comes back
# with the right digests, and the raw device can be read.
set -euo pipefail

mountpoint -q /mnt/nvme
cd /mnt/nvme
fio --name=file --filename=file --size=64M --rw=write --bs=1M --iodepth=4 --direct=1 \
    --ioengine=io_uring --verify=crc32c --do_verify=1 --verify_fatal=1 --output=written
grep -E 'err= *0' written >/dev/null
fio --name=raw --filename=/dev/nvme0n1 --readonly --size=128M --rw=read --bs=1M --iodepth=8 \
    --direct=1 --ioengine=io_uring | grep -E '^ +READ:'
