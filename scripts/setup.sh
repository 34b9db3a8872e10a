#!/usr/bin/env bash
# Installs what the checks need and the machine lacks: Debian packages (as
# root), and under .cache/ and node_modules/ the pinned clients.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .cache

# need COMMAND PACKAGE... notes the packages if there is no such command.
missing=()
need() { command -v "$1" >/dev/null || missing+=("${@:2}"); }

need git git
need gcc gcc libc6-dev # go test -race links with it
need node nodejs
need npm npm
need chromium chromium
need prometheus prometheus # its service is ended below if it was not here before
need etcd etcd-server # tests start their own; the package's service is not needed
need redis-server redis-server # as of etcd
# Tests start their own, of the version that Debian's release has; likewise.
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || need postgres postgresql
# The pictures and tests of the page in Chinese need characters to show.
fc-list ':lang=zh-cn' 2>/dev/null | grep -q . || missing+=(fontconfig fonts-wqy-microhei)
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3 python3-venv)

if ((${#missing[@]})); then
  if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
    echo "setup: error: these Debian packages are missing: ${missing[*]}" >&2
    echo "setup: hint: install them, or run this as root" >&2
    exit 1
  fi
  echo "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q >.cache/apt.log 2>&1 &&
    apt-get install -q -y --no-install-recommends "${missing[@]}" >>.cache/apt.log 2>&1 || {
    tail -n 20 .cache/apt.log >&2
    exit 1
  }
  for service in prometheus postgresql; do
    if [[ " ${missing[*]} " == *" $service "* ]] && command -v systemctl >/dev/null; then
      systemctl disable --quiet --now "$service" >>.cache/apt.log 2>&1 || true # where systemd does not run it did not start
    fi
  done
fi

if (($(node -p 'process.versions.node.split(".")[0]') < 20)); then
  echo "setup: error: node $(node --version) is too old for the browser tests" >&2
  echo "setup: hint: put node 20 or newer first on the PATH" >&2
  exit 1
fi

# changed STAMP FILE... tells whether the files are not those of the last time.
changed() { [[ $(cat ".cache/$1" 2>/dev/null) != "$(sha256sum "${@:2}")" ]]; }
done_with() { sha256sum "${@:2}" >".cache/$1"; }

if changed venv.sum conformance/python/requirements.txt || [[ ! -x .cache/venv/bin/python ]]; then
  rm -rf .cache/venv
  python3 -m venv .cache/venv
  .cache/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
    -r conformance/python/requirements.txt
  done_with venv.sum conformance/python/requirements.txt
fi

for dir in conformance/ts conformance/browser; do
  stamp=${dir##*/}.sum
  if changed "$stamp" "$dir/package-lock.json" || [[ ! -d $dir/node_modules ]]; then
    (cd "$dir" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    done_with "$stamp" "$dir/package-lock.json"
  fi
done
