#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs shellcheck over every shell script of the tree. A missing tool is a failure.
# Use: check_scripts.sh SOURCE_DIR
set -euo pipefail
cd "$1"
command -v shellcheck >/dev/null || { echo 'shellcheck is missing: scripts/install-deps test'; exit 1; }
mapfile -t scripts < <(grep -rlE '^#!(/usr/bin/env bash|/bin/(ba)?sh)' scripts tests .ci)
((${#scripts[@]} > 0)) || { echo 'no scripts found'; exit 1; }
shellcheck --external-sources --source-path=SCRIPTDIR "${scripts[@]}"
