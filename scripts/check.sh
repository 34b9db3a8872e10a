#!/usr/bin/env bash
# Runs the named parts of the checks in their order and stops at the first that
# fails. The last line of its output counts the tests: "N passed, N failed".
#
#   scripts/check.sh vet unit    these parts
#   scripts/check.sh +docs fuzz wait browser    docs beside fuzz, and browser alone
#   scripts/check.sh --sum       only the line, for the last run
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
cache=$root/.cache
results=$cache/results
bin=$cache/bin

# One program counts the tests of all runners (tools/tally).
tally() {
  if [[ ! -x $bin/tally || $root/tools/tally/main.go -nt $bin/tally || $root/tools/internal/result/result.go -nt $bin/tally ]]; then
    go build -C tools -o "$bin/tally" ./tally
  fi
  "$bin/tally" "$@"
}

# gotest NAME ARGS... runs go test and keeps the count under NAME.
gotest() {
  local name=$1
  shift
  tally sum "$results" >/dev/null # build it before the pipe needs it
  go test -json "$@" 2>&1 | tally go "$results" "$name"
}

part_setup() { scripts/setup.sh; }

part_build() {
  go build -o "$bin/weir" ./cmd/weir
  go build -o "$bin/refusals" ./conformance/refusals/serve
  go build -o "$bin/stage" ./conformance/browser/stage
  go build -C tools -o "$bin/" ./tally ./conform ./scrape
}

part_vet() {
  go vet ./...
  go vet -C tools ./...
  go vet -C conformance/go-v2 ./... # go-v1 is the same text
  scripts/generate-go-v1.sh --check
  nothing "$(git ls-files -co --exclude-standard -z '*.go' | xargs -0 gofmt -l)" "run gofmt -w on these files"
  nothing "$(go fix -diff ./... 2>&1)" "run go fix ./..."
  local script
  for script in .ci/run scripts/*.sh; do bash -n "$script"; done
}

# nothing OUTPUT HINT fails with the hint if a check had anything to say.
nothing() {
  if [[ -n $1 ]]; then
    printf '%s\nhint: %s\n' "$1" "$2" >&2
    return 1
  fi
}

part_lint() {
  go tool -modfile=tools/go.mod staticcheck ./...
  (cd tools && go tool staticcheck ./...)
}

part_unit() {
  gotest unit -race -timeout=4m ./...
  gotest figures -count=1 -run='^(TestBook|TestSplitKeepsShares|TestTightQuota|TestNothingWidensRights)$' ./weir
  (cd tools && gotest tools ./...)
}

part_conformance() {
  part_build
  "$bin/conform" -root "$root" -bin "$bin/weir"
}

part_browser() {
  part_build
  # One file at a time: one of them measures.
  (cd conformance/browser && WEIR_BIN=$bin/weir STAGE_BIN=$bin/stage node --test --test-concurrency=1 --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=junit --test-reporter-destination="$results/browser.xml")
  tally junit "$results" browser "$results/browser.xml"
}

part_docs() {
  part_build
  WEIR_BIN=$bin/weir gotest docs -count=1 -v ./conformance/docs
}

part_streamlit() {
  part_build
  local status=0 version
  WEIR_BIN=$bin/weir scripts/streamlit-tests.sh "$results" || status=1
  for version in 1.41 newest; do
    tally junit "$results" "streamlit-$version" "$results/streamlit-$version.xml" || status=1
  done
  return $status
}

part_newcomer() {
  scripts/newcomer.sh
  tally passed "$results" newcomer
}

# A count of inputs, not a time: at the end of a time, go test -fuzz now and then
# takes its own deadline for a failure of the target.
part_fuzz() {
  local dir name
  for dir in $(git ls-files -co --exclude-standard '*_test.go' | xargs grep -l '^func Fuzz' | xargs -rn1 dirname | sort -u); do
    for name in $(go test -list '^Fuzz' "./$dir" | grep '^Fuzz'); do
      gotest "fuzz-${dir//\//-}-$name" -run='^$' -fuzz="^$name\$" -fuzztime="${FUZZTIME:-10000x}" "./$dir"
    done
  done
}

# Prometheus' own tools on what operators import, and a real scrape.
part_prometheus() {
  part_build
  promtool check rules deploy/prometheus/rules.yaml
  promtool test rules deploy/prometheus/rules_test.yaml
  "$bin/scrape" -root "$root" -bin "$bin/weir"
  tally passed "$results" prometheus
}

part_demo() {
  part_build
  "$bin/weir" demo --no-browser --for "${DEMOTIME:-15s}"
  tally passed "$results" demo
}

if [[ ${1:-} == --sum ]]; then
  tally sum "$results"
  exit
fi

# finish prints the last line. A part that failed without a failed test, such
# as vet, counts as one.
finish() {
  local status=$?
  if ((${#background[@]})); then joined || true; fi # a part beside the one that failed
  if [[ $status != 0 && $(tally sum "$results") == *" 0 failed" ]]; then
    tally failed "$results" "part-$part" || true
  fi
  tally sum "$results"
}

# run PART runs one, and says how long it took.
run() {
  local began=$SECONDS
  echo "== $1"
  "part_$1"
  echo "== $1: $((SECONDS - began)) s"
}

# beside PART runs one in the background. What it says comes at the next wait.
beside() { (set -e; run "$1") >"$results/$1.log" 2>&1 & background[$1]=$!; }

# joined waits for the parts in the background, and fails if one of them did.
joined() {
  local name status=0
  for name in "${!background[@]}"; do
    if ! wait "${background[$name]}"; then
      part=$name status=1
    fi
    cat "$results/$name.log"
    unset "background[$name]"
  done
  return $status
}

mkdir -p "$bin" "$results"
rm -rf "${results:?}"/*
declare -A background=()
trap finish EXIT
for part in "$@"; do
  case $part in
  +*) beside "${part#+}" ;;
  wait) joined ;;
  *) run "$part" ;;
  esac
done
joined
