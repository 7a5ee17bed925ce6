#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The guest's process 1, over the host's files: loads the modules, sets up network, rxe and drive,
# runs the command and reports how it ended. Three ports lead to the host: out and err are the
# command's, control carries words: "<role> ready|exit N|broken SENTENCE" out, "start" and "stop" in.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
. /run/vm/settings
. "$tree/tests/vm/rails.sh"
group=/sys/fs/cgroup/command

must() {
    local said
    said=$("$@" 2>&1) && return
    echo "$role broken $* failed: ${said//$'\n'/; }" >&3
    exec sleep infinity
}

# modprobe comes back before a driver has found its devices.
await_device() {
    until [ -c "$1" ] || [ -b "$1" ]; do sleep 0.1; done
}

# Prints the device of the port that the host gave that name; their numbers depend on what else the
# machine has.
port() {
    local entry
    until entry=$(grep -lx "$1" /sys/class/virtio-ports/*/name); do sleep 0.1; done
    entry=${entry%/name}
    await_device "/dev/${entry##*/}"
    echo "/dev/${entry##*/}"
}

load_modules() {
    # The kernel's own calls to modprobe (rxe asks for crc32) look there too.
    mkdir -p /lib/modules
    mount --bind "$kernel/lib/modules" /lib/modules
    # rdma_rxe needs a crc32 and does not declare it. Given the table-driven one it takes no other:
    # with emulated vector instructions it carries a third less.
    modprobe -a virtio_console crc32_generic
    out=$(port out) err=$(port err) control=$(port control)
}

mount_rest() {
    mkdir -p /dev/pts /dev/shm
    must mount -t devpts devpts /dev/pts
    must mount -t tmpfs shm /dev/shm
    must mount -t cgroup2 cgroup /sys/fs/cgroup
    ln -sfn /proc/self/fd /dev/fd
    ln -sfn /proc/self/fd/0 /dev/stdin
    ln -sfn /proc/self/fd/1 /dev/stdout
    ln -sfn /proc/self/fd/2 /dev/stderr
}

set_up_drive() {
    [ -n "$drive" ] || return
    must modprobe nvme
    await_device /dev/nvme0n1
    if [ -n "$mount_at" ]; then
        must modprobe ext4
        mkdir -p "$mount_at"
        must mount /dev/nvme0n1 "$mount_at"
    fi
}

# The command's environment is the caller's, with the addresses of both ends.
read_job() {
    local rail
    local servers=() clients=() servers6=() clients6=()
    for ((rail = 0; rail < rails; rail++)); do
        servers+=("10.77.$rail.1")
        clients+=("10.77.$rail.$guests")
        servers6+=("fd77:$((rail + 1))::1")
        clients6+=("fd77:$((rail + 1))::$guests")
    done
    mapfile -d '' environment </run/vm/environment
    mapfile -d '' command </run/vm/command
    environment+=("VM_ROLE=$role"
        "VM_SERVER=${servers[0]}" "VM_SERVERS=${servers[*]}"
        "VM_CLIENT=${clients[0]}" "VM_CLIENTS=${clients[*]}"
        "VM_SERVER6=${servers6[0]}" "VM_SERVERS6=${servers6[*]}"
        "VM_CLIENT6=${clients6[0]}" "VM_CLIENTS6=${clients6[*]}")
}

# The command and all it starts are one group, so that nothing of it outlives it.
enter_and_run() {
    echo "$BASHPID" >$group/cgroup.procs
    cd "$directory" || exit 126
    exec env -i "${environment[@]}" "${command[@]}"
}

stop_when_told() {
    local word
    until [ "${word-}" = stop ]; do read -r -u 3 word || return; done
    xargs kill -TERM <$group/cgroup.procs
    sleep 10
    echo 1 >$group/cgroup.kill
}

# Its output goes through pipes because a port can be opened only once, and programs reopen
# /dev/stderr.
run_command() {
    local word writers=() pid code
    echo "$role ready" >&3
    until [ "${word-}" = start ]; do read -r -u 3 word; done
    mkdir $group
    mkfifo /run/vm/out /run/vm/err
    cat /run/vm/out >"$out" &
    writers+=($!)
    cat /run/vm/err >"$err" &
    writers+=($!)
    echo "softroce-vm: the command starts" >/dev/kmsg
    enter_and_run </dev/null 3>&- >/run/vm/out 2>/run/vm/err &
    pid=$!
    stop_when_told &
    wait "$pid"
    code=$?
    echo "softroce-vm: the command ended with $code" >/dev/kmsg
    echo 1 >$group/cgroup.kill
    wait "${writers[@]}"
    echo "$role exit $code" >&3
}

mount --make-rprivate / 2>/dev/null
load_modules
exec 3<>"$control"
mount_rest
set_up_rails
set_up_drive
read_job
dmesg --console-level debug
run_command
# The host ends the machine; there is nothing here that has to be saved.
exec sleep infinity
