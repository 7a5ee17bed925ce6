# SPDX-License-Identifier: Apache-2.0
# For the cases in which Headrace itself runs in the guest; sourced by them. The drive is mounted at
# /mnt/nvme.
set -euo pipefail

bin=${HEADRACE_BUILD:-build-release}/bin
headrace=$(realpath "$bin" 2>/dev/null)/headrace
if [ ! -x "$headrace" ]; then
    echo "$bin/headrace is not built: scripts/build, or HEADRACE_BUILD names the folder"
    exit 77
fi

data=/mnt/nvme/data
port=7431
logs=$(mktemp -d)
trap 'jobs -p | xargs -r kill -9 2>/dev/null || true' EXIT

# make_file NAME BYTES: something that compresses badly and has no period.
make_file() { mkdir -p "$data" && head -c "$2" /dev/urandom >"$data/$1"; }

# serve [OPTION...]: until it listens, at $listen if that is set. Its process is $server.
serve() {
    "$headrace" serve "$data" --listen "${listen:-${address:-$VM_SERVER}}:$port" --insecure -v "$@" \
        >"$logs/serve" 2>&1 &
    server=$!
    wait_for "the server to listen" "$server" grep -q ' serving ' "$logs/serve"
}

# wait_for WHAT PROCESS COMMAND...: until the command succeeds, for a minute at most and while the process lives.
wait_for() {
    local what=$1 process=$2 end=$((SECONDS + 60))
    shift 2
    until "$@" 2>/dev/null; do
        if [ "$SECONDS" -lt "$end" ] && kill -0 "$process" 2>/dev/null; then continue; fi
        "$@" 2>/dev/null && break # the last that it did before its end
        echo "waited in vain for $what"
        show_logs
        exit 1
    done
}

# start_get NAME TARGET [OPTION...]: a get that goes on; its process is $getting. Nothing of the one before is left of
# what was said.
start_get() {
    : >"$logs/get"
    get "$@" &
    getting=$!
}

# some_moved [KEY]: it has told that some of it has.
some_moved() { grep -q "\"${1:-bytes_moved}\":[1-9]" "$logs/get"; }

# noted FOLDER: a chunk of a file there is in its journal, behind the header, and the next run goes on from it.
noted() {
    local len
    len=$(stat -c %s "$1"/.headrace-*.journal) && [ "$len" -ge 96 ]
}

# get NAME TARGET [OPTION...]: its last line of JSON is in $summary, its exit code is its own.
get() {
    local name=$1 target=$2 code=0
    shift 2
    timeout -s KILL 100 "$headrace" get "hr://${address:-$VM_SERVER}:$port/data/$name" "$target" --json --insecure "$@" \
        >"$logs/get" 2>"$logs/get.err" || code=$?
    [ "$code" != 137 ] || echo "get $name $target $*: it did not end in 100 s, or was killed" >>"$logs/get.err"
    summary=$(grep '"type":"summary"' "$logs/get" | tail -n 1 || true)
    return "$code"
}

# of KEY: a value of the last summary.
of() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" <<<"$summary"; }

# expect_way WAY: the path that the last summary says begins with it.
expect_way() {
    [[ $(sed -n 's/.*"path":"\([^"]*\)".*/\1/p' <<<"$summary") == "$1"* ]] ||
        { echo "not over $1: $summary"; show_logs; exit 1; }
}

# arrived NAME TARGET: byte for byte, and nothing half-done beside it.
arrived() {
    cmp "$data/$1" "$2"
    if compgen -G "$(dirname "$2")/.headrace-*" >/dev/null; then
        ls -la "$(dirname "$2")"
        exit 1
    fi
}

show_logs() { tail -n 5 "$logs"/*; }

# exits CODE COMMAND...
exits() {
    local wanted=$1 code=0
    shift
    "$@" || code=$?
    [ "$code" = "$wanted" ] ||
        { echo "exit $code and not $wanted: $*"; show_logs; exit 1; }
}
