#!/bin/sh
# Debian systems of other releases, with packages that this one does not have (FRR, container engines), each a root
# directory for chroot. They are kept outside of the checkout and made once: the next call takes what is there.
#
#   sh test/roots.sh SUITE [PACKAGE…]     makes the root if it is missing, and prints its directory
#
# MISSD_TEST_ROOTS is where they are kept (/var/cache/missd-test), MISSD_TEST_MIRROR where Debian comes from. To make
# one anew, remove its directory. Says what it downloads. Every failure ends in one line that says what to do.
set -eu

roots=${MISSD_TEST_ROOTS:-/var/cache/missd-test}
mirror=${MISSD_TEST_MIRROR:-http://deb.debian.org/debian}

die() {
  echo "roots: $*" >&2
  exit 1
}

[ $# -ge 1 ] || die "say which: sh test/roots.sh SUITE [PACKAGE…], as in: sh test/roots.sh trixie frr"
suite=$1
shift
packages=$*
name=$(echo "$suite $packages" | sed 's/ *$//; s/ /-/g')
root=$roots/$name

[ ! -d "$root" ] || { echo "$root"; exit 0; }
[ "$(id -u)" = 0 ] || die "making a Debian root needs root: run it again as root"
command -v debootstrap >/dev/null || die "debootstrap is missing: apt-get install --no-install-recommends debootstrap"
mkdir -p "$roots" || die "$roots cannot be made: say another folder with MISSD_TEST_ROOTS"

# Tests may ask for the same one at the same time: the first makes it, the others wait. One at a time, since those with
# packages begin with a copy of the one without.
exec 9>"$roots/.lock"
flock -w 1200 9 || die "another process has been making a root in $roots for 20 minutes: look what it is doing, then run this again"
[ ! -d "$root" ] || { echo "$root"; exit 0; }
log=$roots/$name.log
failed() {
  tail -n 20 "$log" >&2
  die "$1 (the whole log: $log): check the network, or say another mirror with MISSD_TEST_MIRROR, then run this again"
}

# Made beside its place and moved there when it is whole. What a call that was killed has left goes.
# What the commands start must not inherit the lock (9>&-): a daemon would hold it for ever.
base=$roots/$suite
making=$roots/.making
rm -rf --one-file-system "$making"
if [ ! -d "$base" ]; then
  echo "roots: downloading Debian $suite from $mirror into $base (about 50 MB, kept for the next time)" >&2
  debootstrap --variant=minbase "$suite" "$making" "$mirror" >"$log" 2>&1 9>&- ||
    failed "Debian $suite could not be fetched from $mirror"
  # No package starts a service here.
  printf '#!/bin/sh\nexit 101\n' >"$making/usr/sbin/policy-rc.d"
  chmod 755 "$making/usr/sbin/policy-rc.d"
  rm -f "$making"/var/cache/apt/archives/*.deb
  mv "$making" "$base"
fi

if [ -n "$packages" ]; then
  echo "roots: downloading $packages of Debian $suite from $mirror into $root (kept for the next time)" >&2
  cp -a --reflink=auto "$base" "$making"
  cp -L /etc/resolv.conf "$making/etc/resolv.conf"
  # In a mount namespace of its own, so that /proc is gone with the last process.
  unshare --mount sh -c '
    mount -t proc proc "$1/proc" || exit 1
    making=$1; shift
    DEBIAN_FRONTEND=noninteractive chroot "$making" sh -c "apt-get -qq update && exec apt-get -qq -y install --no-install-recommends \"\$@\"" sh "$@"
  ' sh "$making" "$@" >"$log" 2>&1 9>&- || failed "$packages of Debian $suite could not be installed"
  rm -rf "$making"/var/cache/apt/archives/*.deb "$making"/var/lib/apt/lists/*
  mv "$making" "$root"
fi
echo "$root"
