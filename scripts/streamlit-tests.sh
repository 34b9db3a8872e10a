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

status=0
for version in "${versions[@]}"; do
  env=$root/.cache/streamlit-$version
  install "$version"
  echo "Streamlit $version"
  # The newest takes the pictures.
  shots=
  if [[ $version == newest && -n ${WEIR_SCREENSHOTS:-} ]]; then shots=$(realpath "$WEIR_SCREENSHOTS"); fi
  (cd clients/python && WEIR_SCREENSHOTS=$shots WEIR_BIN=${WEIR_BIN:-$root/.cache/bin/weir} \
    "$env/bin/python" -m pytest --junitxml="$results/streamlit-$version.xml") || status=1
done
exit $status
