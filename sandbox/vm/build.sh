#!/usr/bin/env bash
# build.sh host|trixie|forky: what the virtual machine is made of, kept in .cache/vm; quick where it is there already.
# host: user-mode Linux of this machine's own Debian, beside its own userland. trixie, forky: a whole Debian 13, or what will
# be Debian 14, by debootstrap, with its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export LC_ALL=C
. sandbox/debian.sh

userland=${1:?host, trixie or forky}
case $userland in host | trixie | forky) ;; *) echo "vm: no such userland: $userland" >&2; exit 2 ;; esac
cache=$PWD/.cache/vm
out=$cache/$userland
log=$cache/debootstrap-$userland.log
say() { printf 'vm: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# What the suite needs in a userland: as sandbox/setup.sh, and what runs the machine as a node.
packages=(
  acl attr btrfs-progs ca-certificates ceph-common chromium ceph-fuse ceph-mds ceph-mgr ceph-mon ceph-osd dosfstools e2fsprogs fdisk fuse3 iproute2 kmod lvm2
  mount nodejs openssl procps qemu-block-extra qemu-system-common qemu-utils rbd-nbd udev user-mode-linux
  util-linux xfsprogs xz-utils
)

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

debian_root() {
  local site signed_by
  signed_by=$(keyring) || exit 1
  # A debootstrap that is older than a release has no script of its name. What systemd's packages ask for there is
  # fulfilled by the smallest package that does.
  local options=(--variant=minbase --keyring="$signed_by") script=()
  [ "$userland" != forky ] || { options+=(--include=systemd-standalone-sysusers); script=(sid); }
  for site in $(debian_mirrors); do
    say "debootstrap of $userland from $site"
    rm -rf "$out/root"
    if debootstrap "${options[@]}" "$userland" "$out/root" "$site" "${script[@]}" >"$log" 2>&1 && install_in_root; then
      return 0
    fi
  done
  tail -n 20 "$log" >&2
  die "$userland could not be fetched (all that was said: $log)"
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
  # A machine that is thrown away needs neither every write on the disk nor documentation.
  printf 'force-unsafe-io\npath-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\n' >"$root/etc/dpkg/dpkg.cfg.d/fast"
  local apt='apt-get --yes --no-install-recommends -o APT::Sandbox::User=root'
  # shellcheck disable=SC2086 # words
  DEBIAN_FRONTEND=noninteractive unshare --mount -- sh -c 'mount --rbind /proc "$0/proc"; mount --rbind /dev "$0/dev"; exec chroot "$0" "$@"' \
    "$root" $apt install "${packages[@]}" >>"$log" 2>&1 </dev/null || return 1
  rm -f "$root"/var/cache/apt/archives/*.deb
}

if [ "$userland" = host ]; then sandbox/setup.sh iproute2; else sandbox/setup.sh debootstrap iproute2; fi
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
[ ! -e "$out/complete" ] || exit 0
rm -rf "$out"
mkdir -p "$out/bin" "$out/lib"
fetch busybox-static "$out/packages"
install "$(find "$out/packages" -path '*bin/busybox' -type f)" "$out/bin/"
if [ "$userland" = host ]; then
  # What this machine itself need not have.
  for package in user-mode-linux rbd-nbd libnl-3-200 libnl-genl-3-200; do fetch "$package" "$out/packages"; done
  install "$out/packages/usr/bin/rbd-nbd" "$out/bin/"
  find "$out/packages" -name 'libnl-*.so.*' -exec cp {} "$out/lib/" ';'
  kernel=$out/packages
else
  debian_root
  kernel=$out/root
fi
# Not below a folder that is the machine's root: it would contain itself.
mv "$kernel/usr/bin/linux.uml" "$out/linux"
mv "$kernel/usr/lib/uml/modules" "$out/modules"
touch "$out/complete"
