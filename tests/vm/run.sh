#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [CASE...]: runs the cases of tests/vm/cases (all, unless named) and counts. A case says in its
# head what it needs:
#
#   # vm: OPTIONS    options of scripts/softroce-vm; cases with the same ones share a guest, in turns
#   # vm: host       it runs here and starts guests itself
#
# It ends with 0 for passed, 77 for skipped (its last line is the reason), anything else for failed. Two
# guests' worth of cases run at once: HEADRACE_VM_JOBS.
set -euo pipefail
cd "$(dirname "$0")/../.."

cases=tests/vm/cases
watchdog_s=240
jobs=${HEADRACE_VM_JOBS:-2}
passed=0 failed=0 skipped=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

needs_of() { sed -n 's/^# vm: //p' "$1" | head -n 1; }

# A file in $work for each guest, or case of the host: its options, then its cases.
plan() {
    local file needs
    for file in "$@"; do
        needs=$(needs_of "$file")
        if [ "$needs" = host ]; then
            printf 'host\n%s\n' "$file" >"$work/host-$(basename "$file" .sh).job"
            continue
        fi
        local job
        job=$work/guest-$(tr -c 'A-Za-z0-9\n' _ <<<"$needs").job
        [ -e "$job" ] || echo "$needs" >"$job"
        echo "$file" >>"$job"
    done
}

run_job() {
    local job=$1 code=0 start=$SECONDS
    local lines options
    mapfile -t lines <"$job"
    if [ "${lines[0]}" = host ]; then
        echo "::begin $(basename "${lines[1]}" .sh)"
        timeout -k 10 $((watchdog_s * 2)) bash "${lines[1]}" 2>&1 </dev/null || code=$?
        echo "::end $code $((SECONDS - start))"
        return
    fi
    read -ra options <<<"${lines[0]}"
    scripts/softroce-vm --timeout $((watchdog_s * ${#lines[@]})) "${options[@]}" \
        bash tests/vm/group.sh "$watchdog_s" "${lines[@]:1}" </dev/null || code=$?
    echo "::over $code $((SECONDS - start))"
}

# The one with the most cases takes longest and goes first, or all would wait for it at the end. Those that have
# ended are told of when the next one ends.
run_jobs() {
    local job
    for job in $(wc -l "$work"/*.job | sort -rns | sed -n 's|^ *[0-9]* \(.*\.job\)$|\1|p'); do
        if [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; then wait -n || true; fi
        tell_ended
        { run_job "$job" >"$job.out" 2>&1; mv "$job" "$job.ended"; } &
    done
    while [ -n "$(jobs -rp)" ]; do
        wait -n || true
        tell_ended
    done
    tell_ended
}

tell_ended() {
    local job
    for job in "$work"/*.ended; do
        [ -e "$job" ] || continue
        read_job "$job" "${job%.ended}.out"
        rm "$job"
    done
}

count() {
    local name=$1 code=$2 seconds=$3 last=$4
    case $code in
    0) passed=$((passed + 1)); echo "passed   $name ($seconds s)" ;;
    77) skipped=$((skipped + 1)); echo "skipped  $name: $last" ;;
    *) failed=$((failed + 1)); echo "failed   $name: exit $code after $seconds s" ;;
    esac
}

# Prints what a job said, and counts its cases; those that the guest never came to have failed.
read_job() {
    local line word first second name='' last='' done=''
    while IFS= read -r line; do
        read -r word first second <<<"$line"
        case $word in
        ::begin) name=$first ;;
        ::end) count "$name" "$first" "$second" "$last"; done+=" $name "; name='' ;;
        ::over) echo "         (one guest for these $(($(wc -l <"$1") - 1)): $second s)" ;;
        *) echo "    $line"; last=$line ;;
        esac
    done <"$2"
    while IFS= read -r line; do
        name=$(basename "$line" .sh)
        [[ $done == *" $name "* ]] || count "$name" "unknown" "?" ''
    done < <(tail -n +2 "$1")
}

files=()
for name in "$@"; do
    files+=("$cases/$(basename "$name" .sh).sh")
    [ -e "${files[-1]}" ] || { echo "there is no case $name in $cases" >&2; exit 2; }
done
if [ $# = 0 ]; then files=("$cases"/*.sh); fi

if ! reason=$(tests/vm/packages.sh 2>&1 && tests/vm/kernel.sh 2>&1); then
    echo "skipped  everything: no guest can be run here: ${reason##*$'\n'}"
    skipped=${#files[@]}
else
    plan "${files[@]}"
    run_jobs
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
