#!/bin/sh
# sh test/built.sh DIRECTORY: what was compiled there runs with what is built in dist/, which finds its addon and its files.
set -eu
cd "$(dirname "$0")/.."
rm -rf "$1/src"
ln -s "$PWD/dist" "$1/src"
