# What the blocks of a page run in: the commands that go on for ever are started
# in the background, on the page's own addresses, and ended by pid. GATEWAY,
# ADMIN and SIM are those addresses, WEIR is the binary.
set -euo pipefail
mkdir -p out log
declare -A running=()
local_env=()

halt() {
  local pid=${running[$1]:-}
  if [[ -n $pid ]]; then
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    unset "running[$1]"
  fi
}
finish() { for name in "${!running[@]}"; do halt "$name"; done; }
trap finish EXIT

# begin NAME SIGN COMMAND... starts it and waits until it has written SIGN.
begin() {
  local name=$1 sign=$2 log=log/$1
  shift 2
  halt "$name"
  : >"$log"
  "$@" >"$log" 2>&1 &
  running[$name]=$!
  for _ in {1..200}; do
    if grep -q -- "$sign" "$log"; then
      cat "$log"
      return 0
    fi
    kill -0 "${running[$name]}" 2>/dev/null || break
    sleep 0.05
  done
  cat "$log"
  return 1
}

# The upstream is the page's own simulator, unless that of profile development is
# to answer.
gateway() {
  local upstream=http://$SIM
  [[ " $* " != *' --profile development '* ]] || upstream=
  WEIR_LISTEN=$GATEWAY WEIR_ADMIN=$ADMIN WEIR_UPSTREAM=$upstream begin gateway 'weir: upstream' "$WEIR" serve --drain 1s "$@"
}

weir() {
  case ${1:-} in
    serve) gateway "${@:2}" ;;
    sim) begin sim 'simulated API is at' "$WEIR" sim --listen "$SIM" "${@:2}" ;;
    demo)
      begin demo 'ashboard' "$WEIR" demo "${@:2}"
      halt demo
      ;;
    *) "$WEIR" "$@" ;;
  esac
}

go() {
  case "$*" in
    "run ./cmd/weir "*) weir "${@:3}" ;;
    *) command go "$@" ;;
  esac
}

# try_configuration FILE starts a gateway with it beside the page's own.
try_configuration() {
  begin try 'weir: upstream' env ${local_env[@]+"${local_env[@]}"} WEIR_LISTEN=127.0.0.1:0 WEIR_ADMIN=127.0.0.1:0 \
    WEIR_UPSTREAM="http://$SIM" "$WEIR" serve --drain 1s --config "$1"
  halt try
}

begin sim 'simulated API is at' "$WEIR" sim --listen "$SIM" >/dev/null
gateway >/dev/null
