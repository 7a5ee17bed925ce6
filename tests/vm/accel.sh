#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# accel.sh KERNEL-FOLDER CPU: prints kvm where a guest with this kernel and CPU has answered through
# it, else tcg. /dev/kvm may be there and still not run a guest, which then spins without a word, so
# only a boot counts. The answer is kept beside the kernel, one for each kernel of the host.
set -euo pipefail

kernel=$1 cpu=$2
answer=$kernel/accel-$cpu-$(uname -r)

probe() {
    local log
    log=$(timeout -k 1 15 qemu-system-x86_64 -nodefaults -no-user-config -no-reboot -display none \
        -accel kvm -cpu "$cpu" -smp 2 -m 512 -serial stdio \
        -kernel "$kernel/vmlinuz" -initrd "$kernel/initramfs" \
        -append "console=ttyS0 quiet panic=-1 vm.probe" </dev/null 2>&1 || true)
    [[ $log == *"the guest answers"* ]]
}

if ! [ -w /dev/kvm ]; then
    echo tcg
elif [ -s "$answer" ]; then
    cat "$answer"
elif probe; then
    echo kvm | tee "$answer"
else
    echo tcg | tee "$answer"
    echo "softroce-vm: no guest answered through /dev/kvm within 15 s, so QEMU emulates (remembered)" >&2
fi
