#!/usr/bin/env bash
# Runs a binary of the workspace from cargo's target folder, in this very process, so that signals reach
# it: scripts/built.sh PROFILE BINARY [WORD...]
set -euo pipefail
cd "$(dirname "$0")/.."

profile="$1" binary="$2"
shift 2
target="$(cargo metadata --format-version 1 --no-deps | jq -r .target_directory)"
exec "$target/$profile/$binary" "$@"
