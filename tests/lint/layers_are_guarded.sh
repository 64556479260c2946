#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Shows that check_layers.cmake catches each kind of violation, and lets a clean tree pass.
set -euo pipefail
check=$1
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/common/{dns,policy,net,app} "$tree"/{client,server}-proxy
failures=0

passes() { cmake -DROOT="$tree" -P "$check" >"$tree/output" 2>&1; }

expect_caught() {
    local file=$1 line=$2
    printf '%s\n' "$line" >"$tree/$file"
    if passes || ! grep -qF "$file" "$tree/output"; then
        printf 'not caught: %s with %s\n' "$file" "$line"
        failures=$((failures + 1))
    fi
    rm "$tree/$file"
}

printf '%s\n' '#include "common/policy/clock.hpp"' '#include <sys/socket.h>' >"$tree/common/net/clean.cpp"
printf '%s\n' '#include "common/dns/wire.hpp"' >"$tree/common/policy/clean.hpp"
printf '%s\n' '// #include <thread>' >"$tree/common/dns/clean.hpp"
passes || { cat "$tree/output"; echo 'a clean tree does not pass'; exit 1; }

expect_caught common/dns/a.cpp '#include <sys/socket.h>'
expect_caught common/dns/a.hpp '#include "common/policy/clock.hpp"'
expect_caught common/policy/a.hpp '  #  include <boost/asio/ip/address.hpp>'
expect_caught common/policy/a.cpp '#include <spdlog/spdlog.h>'
expect_caught common/policy/b.cpp '#include <mutex>'
expect_caught common/net/a.cpp '#include "common/app/logging.hpp"'
expect_caught common/app/a.cpp '#include "server-proxy/config.hpp"'
expect_caught common/app/b.cpp '#include "tests/support/catch.hpp"'
expect_caught client-proxy/query_relay.hpp '#include "common/net/endpoint.hpp"'
expect_caught server-proxy/answer_relay.cpp '#include <atomic>'
expect_caught client-proxy/a.cpp '#include "server-proxy/config.hpp"'
expect_caught server-proxy/a.cpp '#include "client-proxy/config.hpp"'
exit $((failures > 0))
