#!/bin/sh
# Installs what is missing and builds, so that `npm run demo` and `npm test` work in a fresh checkout on a fresh
# Debian. Does nothing that is already done. Every failure ends in one line that says what to do.
#
#   sh test/setup.sh [build | demo | test | full | check]     each needs more packages than the one before
set -eu

# ---- The Debian packages, and nowhere else ------------------------------------------------------------------
build="python3 make g++"                        # node-gyp compiles the addon with these
demo="$build iproute2 iputils-ping redis-server"
# packets dropped and seen; certificates for Redis over TLS; a wall clock that jumps; a DHCP server and client; what
# scrapes; what systemd says of the unit (it is not run); Debian roots with FRR (test/roots.sh)
test="$demo nftables tcpdump debootstrap openssl libfaketime dnsmasq-base udhcpc prometheus systemd"
full="$test clang libclang-rt-dev"               # the decoders are fuzzed with libFuzzer
check="$test clang-format clang"                 # and compiled by both for their warnings
# Those of them that would start a daemon on installation. The demo and the tests start their own.
daemons="redis-server prometheus"
# -------------------------------------------------------------------------------------------------------------

oldest_node=20
goal=${1:-test}
case $goal in full) command=test:full ;; *) command=$goal ;; esac

die() {
  echo "setup: $*" >&2
  exit 1
}
say() { echo "setup: $*"; }

cd "$(dirname "$0")/.."

case $goal in
  build) wanted=$build ;;
  demo) wanted=$demo ;;
  test) wanted=$test ;;
  full) wanted=$full ;;
  check) wanted=$check ;;
  *) die "unknown goal '$goal': say build, demo, test, full or check" ;;
esac

[ "$(uname -s)" = Linux ] || die "missd talks to the Linux kernel; run this on Linux, not $(uname -s)"
command -v node >/dev/null || die "Node is missing: install Node $oldest_node or newer (https://nodejs.org/en/download)"
node_version=$(node -p process.versions.node) || die "'node' does not run: install Node $oldest_node or newer (https://nodejs.org/en/download)"
[ "${node_version%%.*}" -ge "$oldest_node" ] ||
  die "Node $node_version is too old (Debian 12's own is 18): install Node $oldest_node or newer (https://nodejs.org/en/download)"
command -v npm >/dev/null || die "npm is missing: install the npm that belongs to your Node (Debian: apt-get install npm)"
case $goal in
  demo | test | full)
    [ "$(id -u)" = 0 ] || die "network namespaces need root: run it again as root (sudo npm run $command)"
    ;;
esac

# ---- Debian packages ----------------------------------------------------------------------------------------

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Debian's own Node keeps the headers that the addon is compiled against in a package of their own; any other Node
# either brings them along or node-gyp fetches them.
node_binary=$(node -p 'require("fs").realpathSync(process.execPath)')
if [ ! -e "${node_binary%/bin/*}/include/node/node_api.h" ] && dpkg-query -S "$node_binary" >/dev/null 2>&1; then
  wanted="$wanted libnode-dev"
fi

missing=
if command -v dpkg-query >/dev/null; then
  for package in $wanted; do
    installed "$package" || missing="$missing $package"
  done
else
  for tool in python3 make g++ ip ping redis-server; do
    command -v "$tool" >/dev/null || missing="$missing $tool"
  done
  [ -z "$missing" ] || die "this is not Debian: install what provides$missing, then run this again"
fi

apt() {
  # The lock may be held by an unattended upgrade: wait for it rather than fail.
  # Its progress is of no use to anybody; what it has to complain about goes to stderr.
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 "$@" >/dev/null
}

# While this file exists, Debian starts no service that is being installed. Where the administrator has put one
# (container images have), it stays as it is.
policy=/usr/sbin/policy-rc.d
policy_is_ours=
forbid_services() {
  [ ! -e $policy ] || return 0
  policy_is_ours=yes
  printf '#!/bin/sh\nexit 101\n' >$policy
  chmod 755 $policy
}
allow_services() {
  [ -z "$policy_is_ours" ] || rm -f $policy
  policy_is_ours=
}

keep_off() {
  if command -v systemctl >/dev/null; then
    if [ -d /run/systemd/system ]; then now=--now; else now=; fi
    systemctl --quiet disable $now "$1" >/dev/null 2>&1 || true
  elif command -v update-rc.d >/dev/null; then
    update-rc.d "$1" disable >/dev/null 2>&1 || true
  fi
}

if [ -n "$missing" ]; then
  [ "$(id -u)" = 0 ] || die "installing Debian packages needs root: apt-get install --no-install-recommends$missing"
  say "installing these Debian packages with apt-get, without their recommendations:$missing"
  trap allow_services EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  forbid_services
  updated=
  update() { updated=yes; apt update || true; } # a broken third-party source need not matter: the install decides
  for package in $missing; do
    apt-cache show "$package" >/dev/null 2>&1 || { update; break; }
  done
  # shellcheck disable=SC2086  # a list of names
  apt install --no-install-recommends $missing || {
    # Package lists older than the mirror name files that are gone.
    [ -z "$updated" ] && update && apt install --no-install-recommends $missing
  } || die "apt-get could not install$missing: see its words above; check the network and /etc/apt, then run this again"
  allow_services
  trap - EXIT INT TERM HUP
  # Those that were installed before are somebody's: only the new ones are kept from starting with the machine.
  for package in $daemons; do
    case " $missing " in *" $package "*) keep_off "$package" ;; esac
  done
fi

case $goal in
  demo | test | full)
    unshare --net true 2>/dev/null ||
      die "root may not create network namespaces here (an unprivileged container?): use a privileged one, or a machine"
    ;;
esac

# ---- npm packages -------------------------------------------------------------------------------------------

# npm writes node_modules/.package-lock.json last, so one newer than package-lock.json says that it is all there.
npm_is_current() {
  [ -x node_modules/.bin/tsc ] && [ -x node_modules/.bin/vitest ] && [ -e node_modules/.package-lock.json ] &&
    [ -z "$(find package-lock.json -newer node_modules/.package-lock.json)" ]
}
if ! npm_is_current; then
  say "installing the npm packages of package-lock.json into node_modules"
  npm ci --include=dev --no-audit --no-fund --loglevel=error ||
    die "npm ci failed: see its words above; check the network (npm ping), then run this again"
fi

[ "$goal" != check ] || exit 0 # types and style are judged from the sources

# ---- The build ----------------------------------------------------------------------------------------------

stamp=dist/.built
sources="src addon/src addon/binding.gyp addon/build.mjs addon/package.json package.json package-lock.json tsconfig.json"
# shellcheck disable=SC2086
if [ ! -e $stamp ] || [ ! -e dist/main.js ] || [ -z "$(find addon/build addon/prebuilds -name '*.node' 2>/dev/null)" ] ||
  [ -n "$(find $sources -newer $stamp 2>/dev/null)" ]; then
  say "building the addon and dist/"
  # Taken before the build, so that what is edited meanwhile is newer.
  mkdir -p dist
  : >dist/.building
  npm run --silent build || die "the build failed: see its words above (npm run build repeats it)"
  mv dist/.building $stamp
fi
