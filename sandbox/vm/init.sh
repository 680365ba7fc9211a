#!/bin/sh
# PID 1 of the virtual machine. Its root is that of the host's program which it is, and cannot be written to: a layer in
# memory above it makes one that can.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
# The kernel's command line has paths, which are those of the host.
eval "$(tr ' ' '\n' </proc/cmdline | grep -E '^(checkout|built)=[A-Za-z0-9/._@+-]+$')"
umount /proc
busybox=$built/bin/busybox
"$busybox" insmod "$built/modules/$(uname -r)/kernel/fs/overlayfs/overlay.ko"
mount -t tmpfs -o size=75% memory /mnt
mkdir /mnt/new /mnt/work /mnt/root
mount -t overlay -o "lowerdir=/,upperdir=/mnt/new,workdir=/mnt/work" root /mnt/root
# Before the checkout, which may be a clone in there.
mount -t tmpfs -o mode=1777 tmpfs /mnt/root/tmp
mkdir -p "/mnt/root$checkout" /mnt/root/lib/modules
# By mount(2): what hostfs calls its one option depends on the release of the kernel.
"$busybox" mount -t hostfs -o "$checkout,ro" checkout "/mnt/root$checkout"
"$busybox" mount -t hostfs -o "$built/modules,ro" modules /mnt/root/lib/modules
# What this userland lacks.
mkdir -p /mnt/root/usr/local/bin
cp "$built"/bin/* /mnt/root/usr/local/bin/
cp -r "$built/lib/." /mnt/root/usr/lib/x86_64-linux-gnu/
cd /mnt/root || exit
# Newer releases of util-linux come without it.
"$busybox" pivot_root . mnt
exec chroot . "$checkout/sandbox/vm/node.sh" "$checkout" </dev/console >/dev/console 2>&1
