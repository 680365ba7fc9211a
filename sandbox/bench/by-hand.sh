#!/usr/bin/env bash
# What `cephbackup run --mapper fuse` does for one ext4 volume, done by the same programs with the same options, one
# after the other: what the program itself costs is measured against this. Wants a mount namespace of its own.
# by-hand.sh IMAGE NAME FOLDER RESTIC-OPTION...   prints the microseconds of each step; restic's output is FOLDER/summary
set -euo pipefail
image=$1 name=$2 folder=$3
shift 3
clone=${image%/*}/$name
. "${BASH_SOURCE[0]%/*}/lap.sh"

mkdir -p "$folder/volume"
touch "$folder/$name"
rbd snap create --no-progress "$image@$name"
lap 'rbd snap create'
rbd clone --rbd-default-clone-format 2 --image-feature layering,exclusive-lock "$image@$name" "$clone"
lap 'rbd clone'
setpriv --pdeathsig KILL qemu-storage-daemon \
  --blockdev "driver=rbd,node-name=image,pool=${image%/*},image=$name,conf=$CEPH_CONF,discard=ignore" \
  --export "type=fuse,id=export,node-name=image,mountpoint=$folder/$name,writable=on,allow-other=off" &
until grep -qF " $folder/$name " /proc/self/mountinfo; do sleep 0.01; done
lap map
e2fsck -p -- "$folder/$name" >/dev/null
lap e2fsck
mount -t ext4 -o ro,nosuid,nodev,noexec,nosymfollow,loop,errors=remount-ro -- "$folder/$name" "$folder/volume"
lap mount
cd "$folder/volume"
restic backup --json --no-scan --group-by=host,tags --retry-lock=60s "$@" -- . >"$folder/summary"
lap 'restic backup'
cd /
umount "$folder/volume"
lap umount
kill %1
wait %1 || true
lap unmap
rbd rm --no-progress "$clone"
lap 'rbd rm'
rbd snap rm --no-progress "$image@$name"
lap 'rbd snap rm'
rm "$folder/$name"
