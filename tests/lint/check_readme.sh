#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Fails when the README and the tree disagree: each option that --help prints stands in the README's
# table with the same value and default, and no other; each file and function that it names exists.
# Use: check_readme.sh SOURCE_DIR DOTPAIR_CLIENT DOTPAIR_SERVER
set -euo pipefail
cd "$1"
client=$2
server=$3
readme=README.md
failures=0

fail() {
    printf 'FAILED: %s\n' "$*"
    failures=$((failures + 1))
}

# Lines of "--name VALUE => default"; "-" where --help states none. What depends on the machine is
# compared by its words.
options_of_help() {
    "$1" --help | awk '
        function put() {
            if (option == "") return
            value = "-"
            if (match(text, /\[default: .*\]$/)) value = substr(text, RSTART + 10, RLENGTH - 11)
            if (text ~ /one per core/) value = "one per core"
            print option " => " value
        }
        /^  --/ {
            put()
            line = substr($0, 3)
            gap = match(line, /  +/)
            option = gap ? substr(line, 1, gap - 1) : line
            text = gap ? substr(line, gap + RLENGTH) : ""
            next
        }
        /^   / { sub(/^ +/, ""); text = text $0 }
        END { put() }'
}

# The same of the table under the heading "### PROGRAM options": | `--name VALUE` | `default` | ...
options_of_readme() {
    awk -v heading="### $1 options" '
        /^#/ { inside = $0 == heading }
        inside && /^\| `--/ {
            gsub(/\\\|/, "\001")
            split($0, cell, /\|/)
            for (i = 2; i <= 3; ++i) {
                gsub(/^ +| +$|`/, "", cell[i])
                gsub("\001", "|", cell[i])
            }
            print cell[2] " => " cell[3]
        }' "$readme"
}

check_options() {
    local help table
    help=$(options_of_help "$2" | sort)
    table=$(options_of_readme "$1" | sort)
    (($(wc -l <<<"$help") > 10)) || fail "$1 --help prints hardly any option"
    diff --label "$1 --help" --label "$readme" -u <(printf '%s\n' "$help") <(printf '%s\n' "$table") ||
        fail "the options of $1 in $readme are not those of its --help"
}

sources() { find client-proxy server-proxy common tests scripts systemd -type f "$@"; }

check_paths() {
    local path
    local -a paths names
    mapfile -t paths < <(
        grep -oP '(?<![\w./-])((client-proxy|server-proxy|common|tests|systemd|scripts|docs|\.ci)/[\w./-]*\w|[A-Z]\w*\.(md|txt|json)|LICENSE)' \
            "$readme" | sort -u
    )
    mapfile -t names < <(grep -oP '(?<![\w./-])\w[\w.-]*\.(cpp|hpp|service|toml\.example|in)\b' "$readme" | sort -u)
    ((${#paths[@]} > 10)) || fail "$readme names hardly any file"
    for path in "${paths[@]}"; do
        [[ -e $path ]] || fail "$readme names $path, which does not exist"
    done
    for path in "${names[@]}"; do
        [[ -n $(sources \( -name "$path" -o -name "$path.in" \) -print -quit) ]] ||
            fail "$readme names $path, which is nowhere"
    done
}

# `name()` and `Class::name()`.
check_functions() {
    local function
    while read -r function; do
        grep -rqE --include='*.?pp' "\\b$function\\(" client-proxy server-proxy common tests ||
            fail "$readme names $function(), which no source has"
    done < <(grep -oP '\x60(\w+::)*\K\w+(?=\(\)\x60)' "$readme" | sort -u)
}

check_options dotpair-client "$client"
check_options dotpair-server "$server"
check_paths
check_functions
exit $((failures > 0))
