#!/bin/sh
# Fetches Debian's GRUB rescue images and memtest86+, without installing them, for the tests of this directory: into loaders/ beside this
# file, or the directory that is given. Needs apt-get and dpkg.
set -eu
target="${1:-$(dirname "$0")/loaders}"
mkdir -p "$target/packages"
target="$(cd "$target" && pwd)"
cd "$target/packages"
for package in grub-rescue-pc memtest86+; do
  apt-get -q download "$package"
  dpkg -x "$(ls -t "${package}"_*.deb | head -n 1)" "$target"
done
