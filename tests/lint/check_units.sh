#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Checks the installed units: systemd reads them without a word, their exposure is at most 2.0, and
# the example configurations hold each option and are valid. A missing tool is a failure.
# Use: check_units.sh BUILD_DIR
set -euo pipefail
build=$1
limit=20 # tenths, as systemd-analyze --threshold= takes them
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
command -v systemd-analyze >/dev/null || { echo 'systemd-analyze is missing: scripts/install-deps test'; exit 1; }

DESTDIR=$root cmake --install "$build" >/dev/null
failures=0

fail() {
    printf 'FAILED: %s\n' "$*"
    failures=$((failures + 1))
}

one_file() {
    local -a found
    mapfile -t found < <(find "$root" -path "*$1")
    ((${#found[@]} == 1)) || { printf 'FAILED: %s is installed %s times\n' "$1" "${#found[@]}" >&2; exit 1; }
    printf '%s\n' "${found[0]}"
}

# The binaries stand under $root, so copies say where. They name each other.
copy_units() {
    local unit
    mkdir "$root/units"
    while read -r unit; do
        if grep -qE '@[A-Za-z_]+@' "$unit"; then
            fail "$unit holds an unexpanded @"
        fi
        sed -E "s#^(ExecStart(Pre)?=)/#\\1$root/#" "$unit" >"$root/units/${unit##*/}"
    done < <(find "$root" -path '*/systemd/system/*')
}

check_unit() {
    local output
    output=$(systemd-analyze verify --man=no "$root/units/$1" 2>&1) || fail "verify of $1: $output"
    if grep -q "dotpair-" <<<"$output"; then
        fail "verify of $1 says: $output"
    fi
}

check_exposure() {
    systemd-analyze security --offline=true --threshold="$limit" --no-pager "$root/units/$1" >"$root/security" 2>&1 ||
        fail "exposure of $1: $(tail -n 1 "$root/security")"
    tail -n 1 "$root/security"
}

# Every option in the example, and the example valid as it is and with each line taken in.
check_example() {
    local binary example option
    binary=$(one_file "/dotpair-$1")
    example=$(one_file "/dotpair/$1.toml.example")
    for option in $("$binary" --help | sed -nE 's/^  --([a-z-]+).*/\1/p'); do
        case $option in help | version | config | check-config) continue ;; esac
        grep -qE "^#$option = " "$example" || fail "$example lacks $option"
    done
    sed -E 's/^#([a-z-]+ = )/\1/; /^(cert|key|ca-file|ticket-keys) = /d' "$example" >"$root/$1.toml"
    "$binary" --config "$root/$1.toml" --check-config >/dev/null || fail "$example with all lines is not valid"
}

copy_units
for program in client server; do
    for unit in "$program.service" "$program@.service" "$program.socket" "$program-upgrade.service"; do
        check_unit "dotpair-$unit"
    done
    check_exposure "dotpair-$program.service"
    check_example "$program"
done
exit $((failures > 0))
