#!/usr/bin/env bash
# Goes a newcomer's way: a clean clone and the README's two commands. The first
# must answer curl and an SDK without any key, which is timed. The second must
# show on its page in Chromium, within ten seconds of its address being printed,
# how the demo's quota moves; building is not counted there.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

git clone --quiet --no-hardlinks "$root" "$temp/weir"
cd "$temp/weir"
cloned=$EPOCHREALTIME
unset "${!ANTHROPIC_@}" "${!WEIR_@}"

# first_block SECTION WORD is the first block of a section of the README, which
# must hold the word.
first_block() {
  local block
  block=$(sed -n "/^## $1/,/^## /p" README.md | sed -n '/^```sh$/,/^```$/p' | sed '1d;/^```$/,$d')
  if [[ $block != *"$2"* ]]; then
    echo "newcomer: error: the section \"$1\" of the README does not begin with $2" >&2
    echo "newcomer: hint: a newcomer needs the command there" >&2
    exit 1
  fi
  echo "$block"
}

# since BEGAN is how many seconds have passed.
since() { awk -v began="$1" -v now="$EPOCHREALTIME" 'BEGIN { printf "%.1f", now - began }'; }

# first_answers serves without a key, and asks twice.
first_answers() {
  local command address served program
  command=$(first_block 'Try it without a key' 'serve --profile development')
  # Free ports, for others may run beside; the environment is empty otherwise.
  WEIR_LISTEN=127.0.0.1:0 WEIR_ADMIN=127.0.0.1:0 setsid sh -c "exec $command" 2>"$temp/serve.log" &
  program=$!
  trap 'kill -- "-$program" 2>/dev/null || true; rm -rf "$temp"' EXIT
  until grep -q '^weir: upstream' "$temp/serve.log"; do
    sleep 0.1 # as long as it builds
    kill -0 "$program"
  done
  served=$EPOCHREALTIME
  cat "$temp/serve.log"
  address=$(sed -n 's/^weir: data plane //p' "$temp/serve.log")
  curl -fsS "$address/v1/messages" -H 'x-api-key: any' -H 'anthropic-version: 2023-06-01' -H 'content-type: application/json' \
    -d '{"model": "claude-sonnet-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}' | grep -q '"type":"message"'
  echo "newcomer: curl was answered $(since "$served") s after the address was printed, $(since "$cloned") s after the clone, building included"
  served=$EPOCHREALTIME
  ANTHROPIC_BASE_URL=$address ANTHROPIC_API_KEY=any "$root/.cache/venv/bin/python" - <<'END'
import anthropic
answer = anthropic.Anthropic(max_retries=0).messages.create(
    model="claude-sonnet-5", max_tokens=100, messages=[{"role": "user", "content": "Hello"}]
)
assert answer.type == "message" and answer.usage.output_tokens > 0, answer
END
  echo "newcomer: the Python SDK was answered $(since "$served") s after it was started"
  kill -- "-$program"
  wait "$program" || true
  trap 'rm -rf "$temp"' EXIT
}

first_answers
node "$root/conformance/browser/newcomer.mjs" "$(first_block 'See it work' 'weir demo')"
