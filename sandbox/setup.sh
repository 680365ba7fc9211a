#!/usr/bin/env bash
# Makes a checkout ready for the sandbox, the tests and the demo: Debian packages, npm packages, build, restic.
# setup.sh [PACKAGE...]: with these Debian packages, too.
# Says what it installs before it does. Does nothing, quickly, where nothing is missing. Written for Debian 12 and 13.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export LC_ALL=C
. sandbox/debian.sh

# e2fsprogs, xfsprogs, btrfs-progs, fdisk: the filesystems and partitions of volumes; qemu-block-extra: QEMU's rbd driver;
# qemu-system-common: qemu-storage-daemon; openssl: certificates of the sandbox's Kubernetes API; zstd: forged index files.
packages=(
  acl attr btrfs-progs ca-certificates ceph-common ceph-fuse ceph-mds ceph-mgr ceph-mon ceph-osd debian-archive-keyring
  e2fsprogs fdisk fuse3 mount openssl procps qemu-block-extra qemu-system-common qemu-utils util-linux xfsprogs xz-utils
  zstd
)
# What only some tests need is named as arguments.
packages+=("$@")
restic_at_least=0.19

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

check_machine() {
  if [ "$(id -u)" != 0 ]; then
    say 'please run this as root: the sandbox starts Ceph daemons and mounts filesystems.'
    die '(npm runs scripts as the owner of the folder: the checkout must belong to root, too.)'
  fi
  command -v apt-get >/dev/null || die 'the sandbox is written for Debian 12 and 13: there is no apt-get here.'
  local node
  node=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null) || die 'Node.js >= 20 is needed.'
  [ "$node" -ge 20 ] || die "Node.js >= 20 is needed; this is $(node --version)."
}

missing_packages() {
  local installed
  # What dpkg-query does not know makes it exit 1.
  installed=$(dpkg-query --show --showformat '${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null || true)
  local package
  for package in "${packages[@]}"; do
    grep -qx "installed $package" <<<"$installed" || printf '%s\n' "$package"
  done
}

install_packages() {
  local missing
  mapfile -t missing < <(missing_packages)
  [ "${#missing[@]}" -gt 0 ] || return 0
  say "Debian packages that are missing: ${missing[*]}"
  local asked=("${missing[@]}")
  keep_services_down
  # apt refuses to install anything as long as an installation that was interrupted is not brought to its end.
  if [ -n "$(dpkg --audit)" ]; then
    say 'an installation was interrupted: finishing it first (dpkg --configure -a)'
    run_apt dpkg --configure -a || say 'dpkg had errors; going on with apt'
    mapfile -t missing < <(missing_packages)
  fi
  # The lists of packages can be missing, or older than the mirror: then they are fetched, and it is tried once more.
  [ "${#missing[@]}" -eq 0 ] || try_install "${missing[@]}" || {
    say 'fetching the lists of packages (apt-get update)'
    run_apt apt-get update || say 'apt-get update had errors; going on with the lists that there are'
    try_install "${missing[@]}"
  } || { tail -n 40 .cache/apt.log >&2; die 'the packages could not be installed (all that apt said: .cache/apt.log).'; }
  allow_services
  disable_ceph_units "${asked[@]}"
}

# Fails where the packages cannot be had; ends the script where they would need an upgrade of what is installed.
try_install() {
  local install=(apt-get --yes --no-install-recommends --no-upgrade --no-remove install "$@") plan newer
  plan=$("${install[@]}" --simulate 2>>.cache/apt.log) || return 1
  newer=$(awk '$1 == "Inst" && $3 ~ /^\[/ { printf "%s ", $2 }' <<<"$plan")
  [ -z "$newer" ] || die "these packages would have to be upgraded, which is left to you: apt-get install $newer"
  say "apt-get will install: $(awk '$1 == "Inst" { printf "%s ", $2 }' <<<"$plan")"
  run_apt "${install[@]}"
}

run_apt() { DEBIAN_FRONTEND=noninteractive "$@" >>.cache/apt.log 2>&1 </dev/null; }

policy=/usr/sbin/policy-rc.d
# Debian starts the services of a package that it installs; the sandbox starts its own daemons, and only those.
keep_services_down() {
  [ ! -e "$policy" ] || return 0
  trap allow_services EXIT
  printf '#!/bin/sh\n# cephbackup sandbox/setup.sh, removed when it ends\nexit 101\n' >"$policy"
  chmod 755 "$policy"
}
allow_services() {
  ! grep -qs 'cephbackup sandbox/setup.sh' "$policy" || rm -f "$policy"
}
# Nor at the next boot.
disable_ceph_units() {
  [ -d /run/systemd/system ] || return 0
  local package unit
  for package in ceph-base "$@"; do
    case $package in ceph-*) ;; *) continue ;; esac
    dpkg-query --listfiles "$package" 2>/dev/null | sed -n 's|.*/systemd/system/\(ceph[^/@]*\.\(service\|target\)\)$|\1|p' |
      while read -r unit; do systemctl --quiet disable "$unit" 2>/dev/null || true; done
  done
}

install_node_modules() {
  local stamp=node_modules/.cephbackup-lock.json
  ! cmp --silent package-lock.json "$stamp" || return 0
  say 'npm ci'
  npm ci --include=dev --no-audit --no-fund --loglevel=error >&2
  cp package-lock.json "$stamp"
}

build() {
  local stamp=dist/.built inputs=(package-lock.json tsconfig.json tsconfig.build.json lib sandbox) newer
  [ ! -d bin ] || inputs+=(bin)
  if [ -e "$stamp" ]; then
    newer=$(find "${inputs[@]}" -newer "$stamp" -print -quit)
    [ -n "$newer" ] || return 0
  fi
  say 'npm run build'
  local now
  now=$(mktemp -p .cache)
  # What a source file that is gone had produced goes, too.
  find dist -name '*.js' -delete 2>/dev/null || true
  rm -f dist/*.tsbuildinfo
  npm run --silent build >&2
  mv "$now" "$stamp"
}

# fetch_restic SUITE FOLDER: unpacks a release's own restic into FOLDER, without installing it; apt checks the signatures.
fetch_restic() {
  local suite=$1 to=$2 site work=$PWD/.cache/apt-$1 signed_by
  signed_by=$(keyring) || exit 1
  for site in $(debian_mirrors); do
    rm -rf "$work"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
    echo "deb [signed-by=$signed_by] $site $suite main" >"$work/sources.list"
    # A configuration of its own: neither the machine's sources nor its lists are read or changed.
    # A list whose time is over (a mirror that lags, a clock that is wrong) is as good here: its signature still counts.
    # Only the list of packages is of use; without a sandbox user, since that one may not enter the checkout.
    local apt=(
      apt-get --quiet=2 -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=-
      -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root -o Acquire::Check-Valid-Until=false
      -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
      -o Acquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled=false
      -o Acquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled=false
      -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false
    )
    "${apt[@]}" update >&2 || continue
    (cd "$work" && "${apt[@]}" download "restic/$suite" >&2) || continue
    dpkg-deb --extract "$work"/restic_*.deb "$work/root"
    mkdir -p "$to"
    mv -f "$work/root/usr/bin/restic" "$to/restic"
    rm -rf "$work"
    return 0
  done
  die "Debian's restic of $suite could not be fetched from the mirrors that this machine uses."
}

restic_version() { "$1" version 2>/dev/null | awk '{ print $2 }'; }
version_at_least() { printf '%s\n' "$2" "$1" | sort --check=quiet --version-sort; }

install_restic() {
  if [ ! -x .cache/restic/restic ]; then
    say "restic >= $restic_at_least (Debian's, unpacked into .cache/, not installed)"
    fetch_restic forky .cache/restic
    local version
    version=$(restic_version .cache/restic/restic)
    version_at_least "$version" "$restic_at_least" || { rm -f .cache/restic/restic; die "restic is too old: $version"; }
  fi
  if [ ! -x .cache/restic-old/restic ]; then
    say "restic 0.14 (Debian 12's, unpacked into .cache/), to test that old ones are refused"
    fetch_restic bookworm .cache/restic-old
  fi
}

# take_program PACKAGE PATH WHY: one program of a package, unpacked: its service and what that needs are not wanted.
take_program() {
  local package=$1 file=$2 why=$3 work=$PWD/.cache/$1-deb program
  program=.cache/$package/${file##*/}
  [ ! -x "$program" ] || return 0
  say "${file##*/} (of Debian’s $package, unpacked into .cache/, not installed), $why"
  rm -rf "$work"
  mkdir -p "$work" ".cache/$package"
  local download=(apt-get --quiet=2 -o APT::Sandbox::User=root download "$package")
  (cd "$work" && "${download[@]}" >&2) || { run_apt apt-get update || true; (cd "$work" && "${download[@]}" >&2); } ||
    die "the package $package could not be fetched."
  dpkg-deb --fsys-tarfile "$work/$package"_*.deb | tar --extract --directory "$work" "./$file"
  mv -f "$work/$file" "$program"
  rm -rf "$work"
}

check_machine
mkdir -p .cache
# Two set-ups of one checkout take turns.
exec 9>.cache/setup.lock
flock 9
install_packages
install_node_modules
install_restic
take_program prometheus usr/bin/promtool 'to test the alerts of the chart'
take_program nginx usr/sbin/nginx 'to test how the chart serves the report'
build
