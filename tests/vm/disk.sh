# SPDX-License-Identifier: Apache-2.0
# Disks that go wrong when they are told to, for cases in the guest; sourced by them. Their backing
# files are in memory, and a case that ends in any way leaves no device behind.
export DM_DISABLE_UDEV=1

disks=$(mktemp -d /run/disks.XXXXXX)

close_disks() {
    local name loop
    jobs -p | xargs -r kill -9 2>/dev/null || true
    grep -o " $disks/[^ ]*" /proc/mounts | sort -r | xargs -r umount -l || true
    for name in flaky logged; do
        dmsetup remove --retry "$name" 2>/dev/null || true
    done
    for loop in $(losetup --noheadings --output NAME,BACK-FILE | awk -v d="$disks" 'index($2, d) { print $1 }'); do
        losetup -d "$loop"
    done
    umount -l "$disks/memory" 2>/dev/null || true
    rm -rf "$disks"
}
trap close_disks EXIT

# A case needs these modules of the guest's kernel.
need_modules() {
    modprobe -a loop dm-mod "$@" || { echo "the guest's kernel lacks one of: loop dm-mod $*"; exit 77; }
}

# back NAME MEGABYTES: a loop device over a file of that length; its path is in $loop.
back() {
    truncate -s "$2M" "$disks/$1"
    loop=$(losetup -f --show "$disks/$1")
    sectors=$(blockdev --getsz "$loop")
}

# table NAME LINE...: what the device-mapper device does from now on, whatever is under way.
table() {
    local name=$1
    shift
    if [ -e "/dev/mapper/$name" ]; then
        printf '%s\n' "$@" | dmsetup load "$name"
        dmsetup suspend --nolockfs --noflush "$name"
        dmsetup resume "$name"
    else
        printf '%s\n' "$@" | dmsetup create "$name"
    fi
}

well() { table flaky "0 $sectors linear $loop 0"; }
make_fs() { mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 "$@"; }
put_on() { mkdir -p "$disks/$2" && mount ${3:+-o "$3"} "$1" "$disks/$2"; }

# off NAME: a process that has ended may keep its files for a moment more, for its rings are taken apart late.
off() { until umount "$disks/$1" 2>/dev/null; do sleep 0.1; done; }
