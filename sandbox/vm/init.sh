#!/bin/busybox sh
# PID 1 of the initramfs: the shared folder with the userland becomes the root, under a layer in memory.
/bin/busybox mount -t devtmpfs dev /dev
while read -r module; do
  /bin/busybox insmod "/modules/$module" || echo "cannot load $module"
done </modules/order
share='trans=virtio,version=9p2000.L,msize=524288,cache=loose,ro'
/bin/busybox mount -t 9p -o "$share" userland /userland &&
  /bin/busybox mount -t tmpfs -o size=75% memory /memory &&
  /bin/busybox mkdir -p /memory/new /memory/work &&
  /bin/busybox mount -t overlay -o lowerdir=/userland,upperdir=/memory/new,workdir=/memory/work root /root &&
  /bin/busybox mkdir -p /root/mnt /root/usr/local/bin &&
  /bin/busybox cp /bin/busybox /root/usr/local/bin/busybox &&
  /bin/busybox mount -t 9p -o "$share" checkout /root/mnt &&
  exec /bin/busybox switch_root /root /bin/bash /mnt/sandbox/vm/node.sh
echo 'the root could not be mounted'
/bin/busybox poweroff -f
