#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: --rails 1 --drive 768M --mount /mnt/nvme --cpu qemu64
# Power that fails: dm-log-writes notes all that a real file system sends to its disk while files are brought
# onto it. Whatever beginning of that has reached the disk, what was reported by then is there, and nothing
# under a final name is wrong. HEADRACE_VM_PREFIXES (12) says at how many moments power fails.
. tests/vm/headrace.sh
. tests/vm/disk.sh

need_modules ext4 dm-log-writes
prefixes=${HEADRACE_VM_PREFIXES:-12} files=4
mkdir -p "$data"
for i in $(seq "$files"); do head -c $((900000 + 1000003 * (i % 2))) /dev/urandom >"$data/$i"; done
mkdir "$data/tree"
for i in $(seq 12); do head -c $((i * 500)) /dev/urandom >"$data/tree/$i"; done

back plain 32
disk=$loop
back log 256
log=$loop
make_fs "$disk"
cp "$disks/plain" "$disks/replayed"
dmsetup create logged --table "0 $(blockdev --getsz "$disk") log-writes $disk $log"
put_on /dev/mapper/logged target
for i in $(seq "$files"); do
    "$headrace" get "$data/$i" "$disks/target/$i" --quiet
    dmsetup message logged 0 mark "$i"
done
"$headrace" get "$data/tree" "$disks/target/tree" --quiet
dmsetup message logged 0 mark tree
"$headrace" get "$data/1" "$disks/target/2" --overwrite --quiet
dmsetup message logged 0 mark over
off target
dmsetup remove --retry logged

# right MARK: of what the disk holds.
right() {
    local i there=0
    case $1 in tree | over) there=$files ;; [0-9]*) there=$1 ;; esac
    for i in $(seq "$files"); do
        if [ -e "$disks/crashed/$i" ]; then
            cmp -s "$data/$i" "$disks/crashed/$i" ||
                { [ "$i" = 2 ] && cmp "$data/1" "$disks/crashed/2"; } || return 1
        elif [ "$i" -le "$there" ]; then
            echo "$i was reported, and is not there"
            return 1
        fi
    done
    [ "$1" != over ] || cmp "$data/1" "$disks/crashed/2" || return 1
    for i in $(seq 12); do
        if [ -e "$disks/crashed/tree/$i" ]; then
            cmp "$data/tree/$i" "$disks/crashed/tree/$i" || return 1
        else
            case $1 in tree | over) echo "tree/$i was reported, and is not there"; return 1 ;; esac
        fi
    done
}

coproc REPLAY { python3 tests/vm/replay_log.py "$log" "$disks/replayed"; }
read -r -a moments <&"${REPLAY[0]}"
echo "${moments[-1]} entries, ${#moments[@]} flushes"
[ "${#moments[@]}" -ge 20 ]
tried=0
for ((k = 1; k <= prefixes; k++)); do
    moment=${moments[$((${#moments[@]} * k / prefixes - 1))]}
    echo "$moment" >&"${REPLAY[1]}"
    read -r mark <&"${REPLAY[0]}"
    cp "$disks/replayed" "$disks/copy"
    put_on "$disks/copy" crashed loop
    right "$mark" || { echo "power failed after $moment entries, with $mark reported"; exit 1; }
    off crashed
    tried=$((tried + 1))
done
echo "power failed at $tried moments"
