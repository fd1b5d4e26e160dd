#!/bin/sh
# Fetches Debian's kernels and busybox, without installing them, for the tests of this directory: into kernels/ beside this file, or
# the directory that is given. Needs apt-get and dpkg; a 32-bit kernel only where i386 is among dpkg's architectures.
set -eu
target="${1:-$(dirname "$0")/kernels}"
mkdir -p "$target/packages"
target="$(cd "$target" && pwd)"
cd "$target/packages"

# The package that a metapackage depends on first.
newest() { apt-cache depends "$1" | awk '/Depends:/ { print $2; exit }'; }

fetch() {
  for package in "$2" "$3"; do
    apt-get -q download "$package"
    dpkg -x "$(ls -t "${package%%:*}"_*.deb | head -n 1)" "$target/$1"
  done
}

fetch cloud "$(newest linux-image-cloud-amd64:amd64)" busybox-static:amd64
fetch amd64 "$(newest linux-image-amd64:amd64)" busybox-static:amd64
if dpkg --print-foreign-architectures | grep -qx i386; then
  fetch i386 "$(newest linux-image-686:i386)" busybox-static:i386
fi
