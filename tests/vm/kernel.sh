#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Prints the folder of a Debian kernel that has rdma_rxe: vmlinuz, version, and lib/modules beside
# them. It is fetched once, as a file, into the cache; nothing is installed. A newer kernel is fetched
# when the folder is removed.
#
# HEADRACE_VM_KERNEL names a folder of that shape to boot another kernel.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

say() { echo "softroce-vm: $*" >&2; }

if [ -n "${HEADRACE_VM_KERNEL-}" ]; then
    for file in vmlinuz version lib/modules; do
        if [ ! -e "$HEADRACE_VM_KERNEL/$file" ]; then
            say "HEADRACE_VM_KERNEL=$HEADRACE_VM_KERNEL has no $file"
            exit 1
        fi
    done
    realpath "$HEADRACE_VM_KERNEL"
    exit
fi

if [ -n "${XDG_CACHE_HOME-}" ] || [ -n "${HOME-}" ]; then
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/headrace/vm
else
    cache=$(cd "$(dirname "$0")/../.." && pwd)/build/vm
fi
mkdir -p "$cache"

# The cloud kernel (…-cloud-amd64) has no InfiniBand, so the plain one is asked for by name.
fetch() {
    local package version
    package=$(apt-cache depends linux-image-amd64 2>/dev/null |
        awk '/Depends: linux-image-[0-9].*-amd64$/ { print $2; exit }')
    if [ -z "$package" ]; then
        say "the package lists know no linux-image-amd64 (Debian's kernel): run apt-get update, or" \
            "name a kernel in HEADRACE_VM_KERNEL"
        return 1
    fi
    version=${package#linux-image-}
    say "fetching $package into $cache"
    work=$(mktemp -d "$cache/fetch.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    # As root apt would hand the download to a user who may not write here.
    (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$package") >&2
    dpkg -x "$work"/linux-image-*.deb "$work/tree"
    mv "$work/tree/boot/vmlinuz-$version" "$work/tree/vmlinuz"
    echo "$version" >"$work/tree/version"
    depmod -b "$work/tree" "$version"
    # The name appears only when all of it is there.
    mv "$work/tree" "$cache/$package"
}

newest() {
    find "$cache" -maxdepth 1 -name 'linux-image-*' | sort -V | tail -n 1
}

exec {lock}>"$cache/lock"
flock "$lock"
if [ -z "$(newest)" ]; then
    fetch
fi
newest
