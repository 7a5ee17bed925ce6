#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm: host
# What scripts/softroce-vm promises its caller: output, errors, directory, environment and exit code
# come back as if the command had run here; every other end has its code, a sentence, and no leftovers.
set -euo pipefail

vm=$PWD/scripts/softroce-vm
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/tmp" "$work/a directory"
export TMPDIR=$work/tmp

# A command that does not end, beside the others: it takes its time.
mkdir "$work/other"
(
    code=0
    TMPDIR=$work/other "$vm" --timeout 60 sleep 1000 >"$work/other.err" 2>&1 || code=$?
    echo "$code" >"$work/other.code"
) &

# run WANTED-CODE COMMAND...: its output in $work/out and $work/err.
run() {
    local wanted=$1 code=0
    shift
    "$@" >"$work/out" 2>"$work/err" || code=$?
    if [ "$code" != "$wanted" ] || [ -n "$(ls -A "$TMPDIR")" ]; then
        echo "$* ended with $code, not $wanted, or left something: $(ls -A "$TMPDIR")"
        cat "$work/out" "$work/err"
        exit 1
    fi
}

said() { grep -q -- "$1" "$work/err" || { echo "not said: $1"; cat "$work/err"; exit 1; }; }

head -c 3000000 /dev/urandom >"$work/a directory/bytes"
cd "$work/a directory"
# shellcheck disable=SC2016  # expanded in the guest
WORD="two words" run 42 "$vm" bash -c 'cat bytes; echo "$WORD" | tee /dev/stderr >/dev/null
    touch bytes written; (sleep 1000 &); exit 42'
cmp bytes "$work/out"
said '^two words$'
[ ! -e written ]
echo "3 MB of output, errors apart from it, code 42"

run 127 "$vm" no-such-command
said 'no-such-command: no such command'
run 2 "$vm" --guests 3 true
run 2 "$vm" --guests 2 true
echo "bad commands are refused before a guest boots"

run 125 "$vm" bash -c 'echo c >/proc/sysrq-trigger'
said 'Kernel panic'
echo "a panic ends with 125 and the kernel's last words"

# A background command would ignore SIGINT without env.
mkfifo "$work/words"
env --default-signal=INT "$vm" bash -c 'echo started; sleep 1000' >"$work/words" 2>"$work/err" &
pid=$!
read -r word <"$work/words"
[ "$word" = started ]
kill -INT "$pid"
code=0
wait "$pid" || code=$?
[ "$code" = 130 ]
[ -z "$(ls -A "$TMPDIR")" ]
if pgrep -f "vm.job=$TMPDIR"; then echo "a guest was left"; exit 1; fi
echo "Ctrl-C leaves neither a guest nor files"

wait
[ "$(cat "$work/other.code")" = 124 ]
grep -q 'after 60 s' "$work/other.err"
[ -z "$(ls -A "$work/other")" ]
echo "a command that does not end is ended"
