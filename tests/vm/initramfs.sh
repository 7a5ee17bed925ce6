#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# initramfs.sh KERNEL-FOLDER: makes its initramfs if it is older than what goes in: busybox, init.sh,
# and the modules that reach the host's files. All others the guest loads from those files.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

kernel=$1
init=$(dirname "$0")/init.sh
image=$kernel/initramfs
if [ "$image" -nt "$init" ] && [ "$image" -nt "$0" ]; then exit 0; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bin" "$work/modules"
cp "$(command -v busybox)" "$work/bin/busybox"
install -m 755 "$init" "$work/init"

# --show-depends prints "insmod FILE [OPTION...]" in the order of loading, or "builtin NAME".
modprobe -d "$kernel" -S "$(cat "$kernel/version")" --show-depends -a \
    virtio_pci 9pnet_virtio 9p overlay |
    awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$work/list"
while read -r file; do
    cp "$file" "$work/modules/"
    basename "$file"
done <"$work/list" >"$work/modules/order"
rm "$work/list"

(cd "$work" && find . | cpio --quiet -o -H newc -R 0:0) >"$image.$$"
mv "$image.$$" "$image"
