#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Fails when clang-format 14 would write a source otherwise. A missing tool is a failure.
# Use: check_format.sh SOURCE_DIR
set -euo pipefail
cd "$1"
command -v clang-format >/dev/null || { echo 'clang-format is missing: scripts/install-deps test'; exit 1; }
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    mapfile -d '' sources < <(git ls-files -z '*.cpp' '*.hpp')
else
    mapfile -d '' sources < <(find client-proxy server-proxy common tests -name '*.?pp' -print0)
fi
((${#sources[@]} > 0)) || { echo 'no sources found'; exit 1; }
clang-format --dry-run -Werror "${sources[@]}"
