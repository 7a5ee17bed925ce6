#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
#
# The first program of the guest: puts the host's files under a writable layer of memory and goes on
# there with guest.sh. Whatever fails here ends in a panic, which QEMU turns into its own end.
/bin/busybox --install -s /bin
export PATH=/bin

fail() {
    echo "softroce-vm: $*" >/dev/console
    exit 1
}

mkdir -p /proc /sys /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev

for word in $(cat /proc/cmdline); do
    case $word in
    vm.probe)
        echo "softroce-vm: the guest answers" >/dev/console
        poweroff -f
        ;;
    vm.job=*) job=${word#vm.job=} ;;
    esac
done

while read -r module; do
    insmod "/modules/$module" || fail "insmod $module"
done </modules/order

mkdir -p /host /layer /root
mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=512000,cache=loose root /host ||
    fail "the host's files could not be mounted"
mount -t tmpfs layer /layer
mkdir /layer/upper /layer/work
mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work root /root ||
    fail "no writable layer over the host's files"

for folder in proc sys dev; do mount --move "/$folder" "/root/$folder"; done
mount -t tmpfs run /root/run
mkdir /root/run/vm
for file in settings environment command guest.sh; do
    # From /host: /run of the new root already hides the host's, where the job may lie.
    cp "/host$job/$file" /root/run/vm/ || fail "the job $job cannot be read"
done
exec switch_root /root /bin/bash /run/vm/guest.sh
