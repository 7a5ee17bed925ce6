#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: --rails 1 --drive 768M --mount /mnt/nvme --cpu qemu64
# Disks of a real kernel that go wrong: sectors that cannot be read, writes and syncs that fail, a
# file system that becomes read-only in mid-transfer, a drive that takes nothing any more and says it does.
# What fails says so, carries no name, and once the disk is well the same command brings all of it.
. tests/vm/headrace.sh
. tests/vm/disk.sh

need_modules ext4 dm-flakey
size=12000003
mkdir -p "$data"
head -c "$size" /dev/urandom >"$data/file"

# bring SOURCE TARGET [OPTION...]: without a server; its exit code is its own.
bring() {
    local code=0
    "$headrace" get "$@" --json >"$logs/get" 2>"$logs/get.err" || code=$?
    summary=$(grep '"type":"summary"' "$logs/get" | tail -n 1 || true)
    return "$code"
}

# refused WHAT FILE COMMAND...: it fails with a typed error and a sentence, and nothing has the name.
refused() {
    local what=$1 file=$2 code=0
    shift 2
    "$@" || code=$?
    echo "$what: exit $code, $(head -c 300 "$logs/get.err" | tail -n 1)"
    case $code in 1 | 3 | 6 | 7 | 8) ;; *) show_logs; exit 1 ;; esac
    grep -q '^headrace: ' "$logs/get.err"
    [ ! -e "$file" ] || { echo "$file has its name"; exit 1; }
}

# again SOURCE FILE: the disk is well.
again() {
    bring "$1" "$2" || { show_logs; exit 1; }
    cmp "$data/file" "$2"
    ! compgen -G "$(dirname "$2")/.headrace-*"
}

# bring_halfway FILE: the process ($halfway, of $getting) is stopped when some has come, and more is to come.
bring_halfway() {
    local limit
    for limit in 4M 1M 200K; do
        : >"$logs/get"
        bring "$data/file" "$1" --limit "$limit" &
        getting=$!
        until grep -q '"bytes_verified":[1-9]' "$logs/get"; do kill -0 "$getting" 2>/dev/null || break; done
        halfway=$(pgrep -P "$getting" headrace || true)
        if [ -n "$halfway" ] && kill -STOP "$halfway" 2>/dev/null; then
            grep -q "\"bytes_verified\":$size" "$logs/get" || return 0
            kill -CONT "$halfway"
        fi
        wait "$getting" && rm "$1"
    done
    echo "it was always too fast"
    return 1
}

back plain 96
well
make_fs /dev/mapper/flaky

# A hole of EIO in the middle of a source.
put_on /dev/mapper/flaky source
cp "$data/file" "$disks/source/file"
cp "$data/file" "$disks/source/other"
sync -f "$disks/source"
block=$(filefrag -b4096 -v "$disks/source/file" | awk -F'[ .:]+' '$2 == 0 { print $5 }')
off source
bad=$(((block + 2000) * 8))
table flaky "0 $bad linear $loop 0" "$bad 8 error" "$((bad + 8)) $((sectors - bad - 8)) linear $loop $((bad + 8))"
put_on /dev/mapper/flaky source ro
target=/mnt/nvme/read
refused 'unreadable sectors' "$target" bring "$disks/source/file" "$target"
bring "$disks/source/other" /mnt/nvme/other
cmp "$data/file" /mnt/nvme/other
off source
well
put_on /dev/mapper/flaky source ro
again "$disks/source/file" "$target"
[ "$(of bytes_reused)" -gt 0 ] || { echo "nothing of it was kept: $summary"; exit 1; }
off source

# Each write of a target's disk fails.
make_fs /dev/mapper/flaky
put_on /dev/mapper/flaky target
table flaky "0 $sectors flakey $loop 0 0 1000000 1 error_writes"
refused 'failing writes' "$disks/target/file" bring "$data/file" "$disks/target/file"
off target
well
put_on /dev/mapper/flaky target
again "$data/file" "$disks/target/file"

# It turns read-only in mid-transfer.
mount -o remount,errors=remount-ro "$disks/target"
bring_halfway "$disks/target/later"
echo x >"/sys/fs/ext4/dm-$(dmsetup info -c --noheadings -o minor flaky)/trigger_fs_error"
kill -CONT "$halfway"
refused 'read-only in mid-transfer' "$disks/target/later" wait "$getting"
off target
e2fsck -fy /dev/mapper/flaky >/dev/null 2>&1 || [ $? -le 2 ]
put_on /dev/mapper/flaky target
again "$data/file" "$disks/target/later"

# A drive that from some moment on keeps nothing, and says that it does: what was reported before is
# there when power is back, and the name of what came later is not, or is all of it.
bring "$data/file" "$disks/target/before"
bring_halfway "$disks/target/last"
table flaky "0 $sectors flakey $loop 0 0 1000000 1 drop_writes"
kill -CONT "$halfway"
wait "$getting" || true
off target
well
put_on /dev/mapper/flaky target
cmp "$data/file" "$disks/target/before"
[ -e "$disks/target/last" ] || again "$data/file" "$disks/target/last"
cmp "$data/file" "$disks/target/last"
off target

# A sync that fails: the blocks are promised, and the memory below has none for them.
mkdir "$disks/memory"
mount -t tmpfs -o size=16M memory "$disks/memory"
truncate -s 96M "$disks/memory/thin"
thin=$(losetup -f --show "$disks/memory/thin")
make_fs "$thin"
put_on "$thin" thin
mkdir -p "$data/tree"
files=130 # 19.5 MB of them
for i in $(seq "$files"); do head -c 150000 /dev/urandom >"$data/tree/$i"; done
refused 'a failing sync' "$disks/thin/tree/$files" bring "$data/tree" "$disks/thin/tree"
for i in $(seq "$files"); do
    [ ! -e "$disks/thin/tree/$i" ] || cmp "$data/tree/$i" "$disks/thin/tree/$i"
done
