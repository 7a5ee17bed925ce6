#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs from the distribution what a guest needs. The RDMA tools are installed here because the
# guest runs this machine's files. One line says what is missing before anything is done.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

needs() {
    cat <<'END'
qemu-system-x86_64 qemu-system-x86
busybox            busybox-static
cpio               cpio
modprobe           kmod
mkfs.ext4          e2fsprogs
setpriv            util-linux
ip                 iproute2
rdma               iproute2
ibv_devinfo        ibverbs-utils
rping              rdmacm-utils
ib_write_bw        perftest
fio                fio
dmsetup            dmsetup
END
}

missing() {
    while read -r program package; do
        command -v "$program" >/dev/null || echo "$package"
    done < <(needs)
    # The initramfs has no libraries, so a busybox that needs some is of no use.
    if command -v busybox >/dev/null && ldd "$(command -v busybox)" >/dev/null 2>&1; then
        echo busybox-static
    fi
    # Without its user-space driver libibverbs does not see an rxe device.
    [ -e /etc/libibverbs.d/rxe.driver ] || echo ibverbs-providers
}

mapfile -t packages < <(missing | sort -u)
[ ${#packages[@]} -gt 0 ] || exit 0

echo "softroce-vm: installing ${packages[*]}" >&2
if ! command -v apt-get >/dev/null; then
    echo "softroce-vm: there is no apt-get here; install the equals of ${packages[*]} by hand" >&2
    exit 1
fi
root=()
if [ "$(id -u)" != 0 ]; then root=(sudo); fi
{
    "${root[@]}" apt-get -q update
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -q install -y --no-install-recommends "${packages[@]}"
} >&2
