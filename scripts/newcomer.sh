#!/usr/bin/env bash
# Goes a newcomer's way: a clean clone, the README's command, and the page in
# Chromium, which must show the demo's quota move within ten seconds of the
# address being printed. Building is not counted.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

git clone --quiet --no-hardlinks "$root" "$temp/weir"
cd "$temp/weir"

# The command is the README's own: the first block of its section on the demo.
command=$(sed -n '/^## See it work/,/^## /p' README.md | sed -n '/^```sh$/,/^```$/p' | sed '1d;/^```$/,$d')
if [[ $command != *"weir demo"* ]]; then
  echo "newcomer: error: the README no longer says how to see it work" >&2
  echo "newcomer: hint: its section \"See it work\" begins with the command" >&2
  exit 1
fi
node "$root/conformance/browser/newcomer.mjs" "$command"
