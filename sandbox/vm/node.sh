#!/bin/bash
# node.sh CHECKOUT: makes a Kubernetes node of the virtual machine, as far as the program needs one, and obeys the agent.
checkout=$1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
umount --lazy /mnt
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs -o mode=0755 devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
for folder in /dev/shm /run; do mount -t tmpfs -o mode=1777 tmpfs "$folder"; done
mkdir -p /run/lock
die() {
  echo "the node is no good: $*"
  echo o >/proc/sysrq-trigger
  sleep 60
}
eval "$(tr ' ' '\n' </proc/cmdline | grep -E '^state=[A-Za-z0-9/._@+-]+$')"
mkdir -p "$state"
busybox mount -t hostfs -o "$state" state "$state" || die 'no shared folder'
# A userland without these gets busybox's.
for applet in modprobe ip; do command -v "$applet" >/dev/null || ln -s busybox "/usr/local/bin/$applet"; done
[ -x /sbin/modprobe ] || ln -s /usr/local/bin/modprobe /sbin/modprobe
# Debian 13's Node uses it, and user-mode Linux 6.12 then corrupts its memory.
[ ! -e /proc/sys/kernel/io_uring_disabled ] || echo 2 >/proc/sys/kernel/io_uring_disabled
# rbd gets EOPNOTSUPP where the node has no name.
hostname node1
echo '127.0.0.1 localhost node1' >/etc/hosts
# The host's loopback address is this machine's, too: Ceph and the Kubernetes API have one address in both.
ip link set lo up
ip addr del 127.0.0.1/8 dev lo
ip link set vec0 up
ip addr add 198.18.0.2/30 dev vec0
echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
ip route add 127.0.0.1/32 via 198.18.0.1
for module in loop fuse rbd ceph nbd; do modprobe "$module" || die "no module $module"; done
echo "the node is up after $(cut -d' ' -f1 /proc/uptime) s"
node "$checkout/dist/sandbox/vm/agent.js"
die 'its agent has ended'
