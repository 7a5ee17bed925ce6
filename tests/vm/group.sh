#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# group.sh SECONDS FILE...: runs cases in the guest it is in, one after the other, each as if it were the first:
# nothing of another runs any more, the rails are new, the drive is empty. A case gets so many seconds.
# On stdout, for each: "::begin NAME", what it said, "::end CODE SECONDS".
. /run/vm/settings
. "$tree/tests/vm/rails.sh"

watchdog_s=$1
shift
group=/sys/fs/cgroup/command/case

must() {
    local said
    said=$("$@" 2>&1) && return
    echo "between two cases, $* failed: ${said//$'\n'/; }"
    exit 1
}

# What a case has started ends with it.
run_case() {
    local code=0
    mkdir "$group"
    (
        echo "$BASHPID" >"$group/cgroup.procs"
        exec timeout -k 5 "$watchdog_s" bash "$1"
    ) </dev/null 2>&1 || code=$?
    echo 1 >"$group/cgroup.kill"
    until rmdir "$group" 2>/dev/null; do :; done
    return "$code"
}

renew() {
    if [ -n "$mount_at" ]; then find "$mount_at" -mindepth 1 -delete; fi
    chmod 666 /dev/infiniband/*
    if [ "$(rails_state)" != "$state" ]; then
        renew_rails
        state=$(rails_state)
    fi
}

state=$(rails_state)
first=yes
for file in "$@"; do
    if [ -z "$first" ]; then renew; fi
    first=''
    echo "::begin $(basename "$file" .sh)"
    SECONDS=0 code=0
    run_case "$file" || code=$?
    echo "::end $code $SECONDS"
    [ "$code" = 0 ] || [ "$code" = 77 ] || failed=yes
done
[ -z "${failed-}" ]
