#!/bin/sh
# inside.sh ROOT CHECKOUT COMMAND...: runs COMMAND with ROOT as the root of its mounts, and the checkout in its place.
set -eu
root=$1 checkout=$2
shift 2
if [ "${INSIDE_OWN_MOUNTS:-}" = '' ]; then
  INSIDE_OWN_MOUNTS=1 exec unshare --mount -- "$0" "$root" "$checkout" "$@"
fi
unset INSIDE_OWN_MOUNTS
mount --bind "$root" "$root"
for folder in proc sys dev; do mount --rbind "/$folder" "$root/$folder"; done
for folder in run tmp; do mount -t tmpfs -o mode=1777 tmpfs "$root/$folder"; done
# Kubernetes' programs may lie elsewhere.
for folder in "$checkout" ${KUBEBUILDER_ASSETS:+"$KUBEBUILDER_ASSETS"}; do
  mkdir -p "$root$folder"
  mount --bind "$folder" "$root$folder"
done
cd "$root"
# Not chroot: who enters this namespace of mounts, as tests do, would be outside again.
pivot_root . mnt
exec chroot . /bin/sh -ec 'umount --lazy /mnt; cd "$0"; exec "$@"' "$checkout" "$@"
