#!/bin/sh
# Another version of Node, for tests of what missd does on it. npm's package `node` brings the binary.
#
#   sh test/node.sh MAJOR      installs the newest Node MAJOR if it is missing, and prints the path of its binary
#
# MISSD_TEST_ROOTS is where it is kept (/var/cache/missd-test), outside of the checkout. To have a newer one, remove its
# directory. Every failure ends in one line that says what to do.
set -eu

roots=${MISSD_TEST_ROOTS:-/var/cache/missd-test}

die() {
  echo "node: $*" >&2
  exit 1
}

[ $# -eq 1 ] || die "say which: sh test/node.sh MAJOR, as in: sh test/node.sh 22"
home=$roots/node-$1
binary=$home/node_modules/node/bin/node

[ ! -x "$binary" ] || { echo "$binary"; exit 0; }
mkdir -p "$roots" || die "$roots cannot be made: say another folder with MISSD_TEST_ROOTS"
exec 9>"$roots/.node-lock"
flock -w 600 9 || die "another process has been installing Node in $roots for 10 minutes: look what it is doing, then run this again"
[ ! -x "$binary" ] || { echo "$binary"; exit 0; }

# Made aside and renamed, so that an interrupted installation is not taken for a whole one.
rm -rf "$home" "$home.new"
mkdir "$home.new"
npm install --prefix "$home.new" --no-audit --no-fund --loglevel=error "node@$1" >&2 ||
  die "npm install node@$1 failed: see its words above; check the network (npm ping), then run this again"
mv "$home.new" "$home"
[ -x "$binary" ] || die "npm's package node@$1 has no $binary: report it"
echo "$binary"
