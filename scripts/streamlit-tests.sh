#!/usr/bin/env bash
# Runs the tests of clients/python with Streamlit 1.41 and the newest that is
# pinned, each in its own environment under .cache/. JUnit reports go to the folder
# given, .cache/results by default.
#
#   scripts/streamlit-tests.sh [DIR]
#   WEIR_SCREENSHOTS=docs/images/streamlit scripts/streamlit-tests.sh   also takes the pictures of the guides
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
results=${1:-$root/.cache/results}
versions=(1.41 newest)
mkdir -p "$results"

# install VERSION makes the environment anew if what is pinned has changed, and
# installs the package as a user does.
install() {
  local env=$root/.cache/streamlit-$1 pinned=clients/python/tests/requirements-$1.txt
  if [[ $(cat "$env/pinned.sum" 2>/dev/null) != "$(sha256sum "$pinned")" ]]; then
    rm -rf "$env"
    python3 -m venv "$env"
    "$env/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r "$pinned"
    sha256sum "$pinned" >"$env/pinned.sum"
  fi
  rm -rf clients/python/build
  "$env/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall ./clients/python
}

# try VERSION runs the tests. The newest takes the pictures.
try() {
  local shots=
  if [[ $1 == newest && -n ${WEIR_SCREENSHOTS:-} ]]; then shots=$(realpath "$WEIR_SCREENSHOTS"); fi
  (cd clients/python && WEIR_SCREENSHOTS=$shots WEIR_BIN=${WEIR_BIN:-$root/.cache/bin/weir} \
    "$root/.cache/streamlit-$1/bin/python" -m pytest -p no:cacheprovider --junitxml="$results/streamlit-$1.xml")
}

for version in "${versions[@]}"; do install "$version"; done
# Both at once: most of the time they wait for pages and for pacing.
try newest >"$results/streamlit-newest.log" 2>&1 &
newest=$!
status=0
echo "Streamlit 1.41"
try 1.41 || status=1
wait "$newest" || status=1
echo "Streamlit newest"
cat "$results/streamlit-newest.log"
exit $status
