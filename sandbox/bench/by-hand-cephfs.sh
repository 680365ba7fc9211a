#!/usr/bin/env bash
# What `cephbackup run --cephfs-client fuse` does for one CephFS subvolume, done by the same programs with the same
# options, one after the other, but for the snapshot's removal, which both begin while ceph-fuse still ends.
# Wants a mount namespace of its own.
# by-hand-cephfs.sh PATH NAME FOLDER RESTIC-OPTION...
# PATH is /volumes/GROUP/SUBVOLUME/UUID; prints the microseconds of each step; restic's output is FOLDER/summary
set -euo pipefail
path=$1 name=$2 folder=$3
shift 3
root=${path%/*} uuid=${path##*/}
group=${root#/volumes/} group=${group%/*} subvolume=${root##*/}
. "${BASH_SOURCE[0]%/*}/lap.sh"

mkdir -p "$folder/client" "$folder/volume"
ceph fs dump --format json >/dev/null
lap 'ceph fs dump'
setpriv --pdeathsig KILL ceph-fuse -f "$folder/client" --client_fs=cephfs "--client_mountpoint=$root" \
  --client_snapdir=.snap --client_acl_type=posix_acl --fuse_default_permissions=0 2>/dev/null &
until grep -qF " $folder/client fuse.ceph-fuse " /proc/self/mounts; do
  sleep 0.01
done
mount -o remount,bind,ro,nosuid,nodev,noexec,nosymfollow -- "$folder/client"
lap ceph-fuse
ls -A -U -1 "$folder/client/.snap" >/dev/null
ceph fs subvolume snapshot create cephfs "$subvolume" "$name" --group_name "$group"
ls -A -U -1 "$folder/client/.snap" >/dev/null
lap 'ceph fs snapshot create'
mount --bind -- "$folder/client/.snap/$name/$uuid" "$folder/volume"
mount -o remount,bind,ro,nosuid,nodev,noexec,nosymfollow -- "$folder/volume"
lap mount
cd "$folder/volume"
restic backup --json --no-scan --group-by=host,tags --retry-lock=60s "$@" -- . >"$folder/summary"
lap 'restic backup'
cd /
umount "$folder/volume"
umount "$folder/client"
lap umount
ceph fs subvolume snapshot rm cephfs "$subvolume" "$name" --group_name "$group"
lap 'ceph fs snapshot rm'
wait
lap 'end of ceph-fuse'
