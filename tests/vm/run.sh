#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [CASE...]: runs the cases of tests/vm/cases (all, unless named), each in a guest of its own
# with a watchdog, and counts. A case says in its head what it needs:
#
#   # vm: OPTIONS    options of scripts/softroce-vm; with --guests 2 it runs in both, as VM_ROLE
#   # vm: host       it runs here and starts guests itself
#
# It ends with 0 for passed, 77 for skipped (its last line is the reason), anything else for failed.
set -euo pipefail
cd "$(dirname "$0")/../.."

cases=tests/vm/cases
watchdog_s=180
passed=0 failed=0 skipped=0
output=$(mktemp)
trap 'rm -f "$output"' EXIT

needs_of() { sed -n 's/^# vm: //p' "$1" | head -n 1; }

run_case() {
    local file=$1 needs
    local options command=(bash "$1")
    needs=$(needs_of "$file")
    if [ "$needs" = host ]; then
        timeout -k 10 $((watchdog_s * 3)) bash "$file"
        return
    fi
    read -ra options <<<"$needs"
    if [[ $needs == *"--guests 2"* ]]; then command+=(-- bash "$file"); fi
    scripts/softroce-vm --timeout "$watchdog_s" "${options[@]}" "${command[@]}"
}

count() {
    local name=$1 code=$2 seconds=$3
    sed 's/^/    /' "$output"
    case $code in
    0) passed=$((passed + 1)); echo "passed   $name ($seconds s)" ;;
    77) skipped=$((skipped + 1)); echo "skipped  $name: $(tail -n 1 "$output")" ;;
    *) failed=$((failed + 1)); echo "failed   $name: exit $code after $seconds s" ;;
    esac
}

run_all() {
    local file code start
    for file in "$@"; do
        code=0 start=$SECONDS
        run_case "$file" >"$output" 2>&1 </dev/null || code=$?
        count "$(basename "$file" .sh)" "$code" $((SECONDS - start))
    done
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
    run_all "${files[@]}"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
