#!/bin/sh
# The service under a real systemd: a Debian 12 of its own in a temporary directory, without a compiler, gets the package
# from `npm install -g` and is booted in namespaces of its own, with systemd as pid 1. Takes two minutes and needs root,
# the network and debootstrap; no part of npm test.
#
#   sh test/systemd.sh
set -eu

checkout=$(cd "$(dirname "$0")/.." && pwd)
say() { printf '\n==== %s\n' "$*"; }

# ---- As pid 1 to be: mounts, and then systemd --------------------------------------------------------------------
if [ "${1:-}" = boot ]; then
  root=$2
  mount --bind "$root" "$root"
  mount -t proc proc "$root/proc"
  mount -t sysfs sys "$root/sys"
  mount -t cgroup2 cgroup "$root/sys/fs/cgroup"
  mount -t tmpfs run "$root/run"
  # Devices of its own: systemd changes the owners of those it hands out.
  mount -t tmpfs -o mode=755,nosuid dev "$root/dev"
  for device in null:3 zero:5 full:7 random:8 urandom:9; do
    mknod -m 666 "$root/dev/${device%:*}" c 1 "${device#*:}"
  done
  mknod -m 666 "$root/dev/tty" c 5 0
  mkdir "$root/dev/pts" "$root/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
  ln -s pts/ptmx "$root/dev/ptmx"
  ln -s /proc/self/fd "$root/dev/fd"
  cd "$root"
  mkdir -p old
  pivot_root . old
  umount -l /old
  # As at a real boot; credentials reach a service only so.
  mount --make-rshared /
  exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=journal </dev/null
fi

# ---- Inside, when it is up: what has to be seen ------------------------------------------------------------------
if [ "${1:-}" = inside ]; then
  fail() { echo "FAILED: $*"; journalctl -u missd --no-pager | tail -20; exit 1; }
  expect() { printf '%-64s' "$1"; shift; if "$@" >/dev/null 2>&1; then echo ok; else fail "$*"; fi; }
  show() { systemctl show -P "$1" missd; }
  ready() { [ "$(show ActiveState)" = active ] && case $(show StatusText) in ready*) ;; *) false ;; esac; }
  within() { n=$1; shift; while ! "$@"; do n=$((n - 1)); [ $n -gt 0 ] || return 1; sleep 0.5; done; }
  another() { [ "$(show MainPID)" != "$1" ] && ready; }
  down() { show StatusText | grep -q 'directory down since'; }
  install() { missd service install "$@" && systemctl daemon-reload && systemctl restart missd; }

  for n in guest far; do ip netns add $n; ip -n $n link set lo up; done
  ip link add br0 type bridge && ip link set br0 up
  ip link add u0 type veth peer name u1 netns far && ip addr add 10.99.0.1/24 dev u0 && ip link set u0 up
  ip link add vxlan100 type vxlan id 100 dstport 4789 local 10.99.0.1 nolearning proxy l2miss l3miss
  ip link set vxlan100 mtu 1450 master br0 up
  ip link add p0 type veth peer name eth0 netns guest && ip link set p0 master br0 up
  ip -n guest link set eth0 address 02:42:14:00:00:01 mtu 1450 up && ip -n guest addr add 20.0.0.1/24 dev eth0
  ip -n far addr add 10.99.0.2/24 dev u1 && ip -n far link set u1 up
  ip -n far link add vx type vxlan id 100 dstport 4789 local 10.99.0.2 remote 10.99.0.1
  ip -n far link set vx address 02:42:14:00:00:02 mtu 1450 up && ip -n far addr add 20.0.0.2/24 dev vx
  # A proxy tunnels no ARP reply, so the far end cannot ask.
  ip -n far neigh add 20.0.0.1 lladdr 02:42:14:00:00:01 dev vx
  redis-cli config set requirepass secret >/dev/null
  mkdir -p /etc/missd && (umask 077 && echo secret >/etc/missd/password)
  missd endpoint set 100 20.0.0.2 02:42:14:00:00:02 10.99.0.2 --redis-password-file /etc/missd/password >/dev/null
  mkdir -p /run/systemd/system/missd.service.d
  printf '[Service]\nWatchdogSec=2\n' >/run/systemd/system/missd.service.d/soon.conf

  expect 'installed, with a password that only root may read' install --redis-password-file /etc/missd/password
  expect 'ready when systemctl returns' ready
  expect 'a user of its own' sh -c '! grep -q "^Uid:.0" /proc/$(systemctl show -P MainPID missd)/status'
  expect 'two capabilities, no more' grep -q 'CapBnd:.0000000000003000' "/proc/$(show MainPID)/status"
  within 10 sh -c 'journalctl -u missd -o cat | grep -q "the directory answers"' || fail 'no directory'
  expect 'a first ping' ip netns exec guest ping -c 1 -W 2 20.0.0.2
  expect 'nothing to warn of' sh -c '[ -z "$(journalctl -u missd -q -p warning -o cat)" ]'
  ip netns exec guest ping -n -q -i 0.01 20.0.0.2 >/tmp/traffic &
  traffic=$!
  expect 'systemctl restart' systemctl restart missd
  frozen=$(show MainPID); kill -STOP "$frozen"
  expect 'frozen: the watchdog ends it, and another one takes over' within 40 another "$frozen"
  killed=$(show MainPID); kill -KILL "$killed"
  expect 'killed: another one takes over' within 40 another "$killed"
  systemctl stop redis-server
  expect 'without Redis: the status says so' within 20 down
  systemctl restart missd
  expect 'ready without a directory, too' ready
  kill -INT $traffic; wait $traffic || true
  grep transmitted /tmp/traffic
  expect 'of the traffic meanwhile nothing is lost' grep -q ' 0% packet loss' /tmp/traffic
  systemctl start redis-server

  install --netns blue >/dev/null 2>&1 &
  expect 'a namespace that is not there yet is waited for' within 20 sh -c 'systemctl show -P StatusText missd | grep -q "waiting for namespace blue"'
  ip netns add blue
  expect 'ready when it is there' within 20 ready
  expect 'with the capability to enter it' grep -q 'CapBnd:.0000000000203000' "/proc/$(show MainPID)/status"
  missd service uninstall >/dev/null; systemctl stop missd; systemctl daemon-reload
  expect 'uninstalled' sh -c '[ "$(systemctl show -P LoadState missd)" = not-found ]'
  systemd-analyze --version | head -1
  exit
fi

# ---- Outside ---------------------------------------------------------------------------------------------------
[ "$(id -u)" = 0 ] || { echo "systemd: namespaces need root" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "systemd: apt-get install debootstrap" >&2; exit 1; }
root=$(mktemp -d "${TMPDIR:-/tmp}/missd-systemd.XXXXXX")
chmod 755 "$root" # as any root directory: services are not root
unified=/sys/fs/cgroup
[ ! -d $unified/unified ] || unified=$unified/unified
group=$unified/missd-systemd-$$
machine=
clean() {
  # With pid 1 all of them go.
  [ -z "$machine" ] || { kill -KILL "$machine" 2>/dev/null || true; sleep 1; }
  [ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} \; || true
  rm -rf --one-file-system "$root"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

say 'Debian bookworm, without a compiler'
packages=systemd,systemd-sysv,iproute2,iputils-ping,redis-server,nftables,procps
debootstrap --variant=minbase --include=$packages bookworm "$root" >"$root.log" 2>&1 || { tail -5 "$root.log"; exit 1; }
rm -f "$root.log"
prefix=$(node -p 'require("path").resolve(require("fs").realpathSync(process.execPath), "../..")')
cp "$prefix/bin/node" "$root/usr/bin/node"
mkdir -p "$root/usr/lib/node_modules"
cp -r "$prefix/lib/node_modules/npm" "$root/usr/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/bin/npm"
cp /etc/resolv.conf "$root/etc/resolv.conf"
[ -z "${NODE_EXTRA_CA_CERTS:-}" ] || cp "$NODE_EXTRA_CA_CERTS" "$root/etc/extra.crt"

say 'npm pack, and npm install -g'
(cd "$checkout" && npm pack --silent --pack-destination "$root")
chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin NODE_EXTRA_CA_CERTS=/etc/extra.crt \
  sh -c 'npm install --silent --global --prefix /usr /missd-*.tgz && missd --version'

say 'systemd as pid 1'
mkdir "$group"
# Into the group of its own first: what is its root is all that it sees.
sh -c 'echo $$ >"$1/cgroup.procs"; exec unshare --mount --pid --uts --ipc --net --cgroup --propagation private --fork \
  --kill-child sh "$2" boot "$3"' sh "$group" "$checkout/test/systemd.sh" "$root" &
unshare=$!
n=0
until machine=$(cat "/proc/$unshare/task/$unshare/children" 2>/dev/null | tr -d ' ') && [ -n "$machine" ] &&
  [ "$(cat "/proc/$machine/comm" 2>/dev/null)" = systemd ]; do
  n=$((n + 1))
  [ $n -lt 100 ] || { echo 'systemd: it did not start'; exit 1; }
  sleep 0.1
done
cp "$checkout/test/systemd.sh" "$root/root/systemd.sh"
enter() { nsenter --target "$machine" --mount --pid --uts --ipc --net --cgroup -- env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
enter sh -c 'n=0; until systemctl start redis-server; do n=$((n + 1)); [ $n -lt 50 ] || exit 1; sleep 0.2; done' 2>/dev/null ||
  { enter systemctl status --no-pager redis-server; exit 1; }
enter sh /root/systemd.sh inside
say 'all good'
