#!/usr/bin/env bash
# Takes the pictures in docs/images anew, of the page in states that are made up
# (conformance/browser/stage).
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .cache/bin
go build -o .cache/bin/stage ./conformance/browser/stage
STAGE_BIN=$PWD/.cache/bin/stage node conformance/browser/shots.mjs "$PWD/docs/images"
