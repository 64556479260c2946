# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the scripts of this folder share. Source it; it does nothing by itself.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '\n== %s\n' "$*"; }

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# How many compilers run at once: one per core, and each has a gigabyte.
build_jobs() {
    local cores memory
    cores=$(nproc)
    memory=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo)
    ((memory >= 1)) || memory=1
    printf '%s\n' "$((cores < memory ? cores : memory))"
}

# build PRESET [TARGET...]: without targets, everything. Warnings are errors in all scripts alike, so
# that one script's build is the next one's too.
build() {
    local preset=$1
    shift
    (
        cd "$root"
        cmake --preset "$preset" -DDOTPAIR_WERROR=ON -DDOTPAIR_TESTS=ON
        cmake --build --preset "$preset" --parallel "$(build_jobs)" ${1:+--target "$@"}
    )
}

# A loopback port that nothing uses, by UDP or TCP, and that the system hands to nobody by itself.
free_port() {
    local port
    while :; do
        port=$((10000 + RANDOM % 20000))
        if ! grep -qsi ":$(printf '%04X' "$port") " /proc/net/{udp,udp6,tcp,tcp6}; then
            printf '%s\n' "$port"
            return
        fi
    done
}

# wait_for SECONDS COMMAND...: until the command succeeds; fails when the time is over.
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}

# stop PID: SIGTERM, then SIGKILL when five seconds did not do. Gives the program's exit code.
stop() {
    kill -TERM "$1" 2>/dev/null || return 0
    wait_for 5 is_gone "$1" || kill -KILL "$1" 2>/dev/null
    wait "$1"
}

is_gone() {
    local state
    state=$(awk '/^State:/ { print $2 }' "/proc/$1/status" 2>/dev/null) || return 0
    [[ -z $state || $state == Z ]]
}
