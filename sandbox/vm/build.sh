#!/usr/bin/env bash
# build.sh host|trixie: what the virtual machine is made of, kept in .cache/vm; quick where it is there already.
# host: the kernel of this machine's own Debian, beside its own userland. trixie: a whole Debian 13 by debootstrap.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export LC_ALL=C
. sandbox/debian.sh

userland=${1:?host or trixie}
cache=$PWD/.cache/vm
out=$cache/$userland
log=$cache/debootstrap.log
say() { printf 'vm: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# What the suite needs in a userland: as sandbox/setup.sh, and what runs the machine as a node.
packages=(
  acl attr btrfs-progs ca-certificates ceph-common ceph-fuse ceph-mds ceph-mgr ceph-mon ceph-osd e2fsprogs iproute2 kmod
  linux-image-amd64 mount nodejs openssl procps qemu-block-extra qemu-system-common qemu-utils rbd-nbd udev util-linux
  xfsprogs xz-utils
)
# In the initramfs, each with what it needs: the shared folders and the layer above them.
modules=(virtio_pci 9pnet_virtio 9p overlay)

# fetch PACKAGE FOLDER: unpacks a package of this machine's own Debian, without installing it.
fetch() {
  local package=$1 to=$2 work
  work=$(mktemp -d -p "$cache")
  say "fetching $package"
  (cd "$work" && apt-get --quiet=2 -o APT::Sandbox::User=root download "$package" >&2) ||
    { rm -rf "$work"; die "$package could not be fetched"; }
  dpkg-deb --extract "$work"/*.deb "$to"
  rm -rf "$work"
}

# The package that the metapackage of kernels stands for.
kernel_package() {
  apt-cache depends linux-image-amd64 | awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }'
}

host_kernel() {
  local package
  package=$(kernel_package) || true
  [ -n "$package" ] || { apt-get --quiet=2 update >&2 || true; package=$(kernel_package); }
  fetch "$package" "$out/kernel"
}

trixie_root() {
  local site signed_by
  signed_by=$(keyring) || exit 1
  for site in $(debian_mirrors); do
    say "debootstrap of Debian 13 from $site"
    rm -rf "$out/root"
    if debootstrap --variant=minbase --keyring="$signed_by" trixie "$out/root" "$site" >"$log" 2>&1 && install_in_root; then
      return 0
    fi
  done
  tail -n 20 "$log" >&2
  die "Debian 13 could not be fetched (all that was said: $log)"
}

# Debootstrap cannot order the installation of so many packages; apt can.
install_in_root() {
  local root=$out/root
  say "apt-get will install in it: ${packages[*]}"
  cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
  # As this machine's apt reaches its mirrors.
  apt-config dump | grep -i '^Acquire::.*Proxy' >"$root/etc/apt/apt.conf.d/90proxy" || true
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  # A machine that is thrown away needs neither every write on the disk nor documentation; its initramfs is ours.
  printf 'force-unsafe-io\npath-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\n' >"$root/etc/dpkg/dpkg.cfg.d/fast"
  local apt='apt-get --yes --no-install-recommends -o APT::Sandbox::User=root'
  # shellcheck disable=SC2086 # words
  DEBIAN_FRONTEND=noninteractive INITRD=No unshare --mount -- sh -c 'mount --rbind /proc "$0/proc"; mount --rbind /dev "$0/dev"; exec chroot "$0" "$@"' \
    "$root" $apt install "${packages[@]}" >>"$log" 2>&1 </dev/null || return 1
  rm -f "$root"/var/cache/apt/archives/*.deb
}

# order MODULE...: files of modules, each after those that it needs; modules.dep names these from the last to the first.
order() {
  local module
  for module in "$@"; do
    grep -m1 "/$module\.ko\(\.xz\)\?:" "$tree/modules.dep" | tr -d : | tr ' ' '\n' | tac
  done | awk '!seen[$0]++'
}

initramfs() {
  local work file name
  work=$(mktemp -d -p "$cache")
  mkdir -p "$work"/{bin,dev,modules,userland,checkout,memory,root}
  cp "$cache/busybox/bin/busybox" "$work/bin/" 2>/dev/null || cp "$cache/busybox/usr/bin/busybox" "$work/bin/"
  cp sandbox/vm/init.sh "$work/init"
  for file in $(order "${modules[@]}"); do
    name=$(basename "$file" .xz)
    case $file in *.xz) xz -dc "$tree/$file" ;; *) cat "$tree/$file" ;; esac >"$work/modules/$name"
    echo "$name" >>"$work/modules/order"
  done
  (cd "$work" && find . | "$work/bin/busybox" cpio -o -H newc 2>/dev/null) | gzip -1 >"$out/initramfs.new"
  rm -rf "$work"
  mv "$out/initramfs.new" "$out/initramfs"
}

if [ "$userland" = host ]; then sandbox/setup.sh qemu-system-x86; else sandbox/setup.sh debootstrap qemu-system-x86; fi
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
[ -d "$cache/busybox" ] || fetch busybox-static "$cache/busybox"
if [ ! -e "$out/complete" ]; then
  rm -rf "$out"
  mkdir -p "$out"
  if [ "$userland" = host ]; then
    host_kernel
    kernel=$out/kernel
  else
    trixie_root
    kernel=$out/root
  fi
  ln "$kernel"/boot/vmlinuz-* "$out/vmlinuz"
  ln -s "$(realpath --relative-to="$out" "$kernel/lib/modules")" "$out/modules"
  tree=$(echo "$out"/modules/*)
  # A package that was not installed has no list of what its modules need.
  [ -e "$tree/modules.dep" ] || "$cache"/busybox/*bin/busybox depmod -b "$kernel" "$(basename "$tree")"
  touch "$out/complete"
fi
tree=$(echo "$out"/modules/*)
[ "$out/initramfs" -nt sandbox/vm/init.sh ] || initramfs
