#!/bin/sh
# Tries the README's two commands where nothing is installed: a Debian of its own in a temporary directory, with Node
# and npm and nothing else. Takes some minutes and needs root, the network and debootstrap; no part of npm test.
#
#   sh test/bare.sh               Debian 12 and this machine's Node
#   sh test/bare.sh trixie        Debian 13 and its own Node
#
# Mounts and processes live in namespaces that end with this script, so nothing is left to clean up but the directory.
set -eu

suite=${1:-bookworm}
checkout=$(cd "$(dirname "$0")/.." && pwd)
say() { printf '\n==== %s\n' "$*"; }

[ "$(id -u)" = 0 ] || { echo "bare: chroot needs root" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "bare: apt-get install debootstrap" >&2; exit 1; }

if [ -z "${BARE_ROOT:-}" ]; then
  root=$(mktemp -d "${TMPDIR:-/tmp}/missd-bare.XXXXXX")
  chmod 755 "$root" # as any root directory: some tests are not root
  trap 'rm -rf --one-file-system "$root"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  status=0
  BARE_ROOT=$root unshare --mount --propagation private --pid --fork --kill-child sh "$0" "$suite" || status=$?
  exit $status
fi

root=$BARE_ROOT
say "Debian $suite"
debootstrap --variant=minbase "$suite" "$root" >"$root.log" 2>&1 || { tail -5 "$root.log"; exit 1; }
rm -f "$root.log"
mount -t proc proc "$root/proc"
mount -t sysfs sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs run "$root/run"
cp /etc/resolv.conf /etc/hosts "$root/etc/"
# A network with an authority of its own: Node has to trust what this machine trusts.
if [ -n "${NODE_EXTRA_CA_CERTS:-}" ]; then
  mkdir -p "$root/etc/ssl/certs"
  cp "$NODE_EXTRA_CA_CERTS" "$root/etc/ssl/certs/bare.crt"
fi

inside() {
  chroot "$root" env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    ${NODE_EXTRA_CA_CERTS:+NODE_EXTRA_CA_CERTS=/etc/ssl/certs/bare.crt} sh -c "cd /root/missd 2>/dev/null; $1"
}

if [ "$suite" = bookworm ]; then
  prefix=$(node -p 'require("path").resolve(require("fs").realpathSync(process.execPath), "../..")')
  say "Node $(node -p process.versions.node) and npm of this machine"
  mkdir -p "$root/usr/local/lib/node_modules" "$root/usr/local/include"
  cp "$prefix/bin/node" "$root/usr/local/bin/node"
  cp -r "$prefix/include/node" "$root/usr/local/include/node"
  cp -r "$prefix/lib/node_modules/npm" "$root/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
else
  say "Node and npm of Debian"
  inside 'apt-get -q update && apt-get -q -y install --no-install-recommends nodejs npm' >/dev/null 2>&1
fi
inside 'node --version; npm --version'

git clone -q "$checkout" "$root/root/missd"

failed=
try() {
  say "$1"
  begun=$(date +%s)
  if inside "$1"; then result=ok; else
    result=FAILED
    failed="$failed, $1"
  fi
  say "$1: $result after $(($(date +%s) - begun)) s"
}
try 'npm run demo'
try 'sh test/setup.sh demo'
try 'npm test'
try 'sh test/setup.sh test'
# What set-up promises besides: no service runs or would after a restart, and nothing of its means is left.
try '! grep -lsx redis-server /proc/[0-9]*/comm'
try '! ls /etc/rc[2345].d/S*redis* /etc/systemd/system/*.wants/redis* 2>/dev/null'
try '! ls /usr/sbin/policy-rc.d /run/netns/* /tmp/missd* 2>/dev/null'

[ -z "$failed" ] || { say "failed: ${failed#, }"; exit 1; }
say "Debian $suite: all good"
