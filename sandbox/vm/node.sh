#!/bin/bash
# PID 1 of the virtual machine: makes a Kubernetes node of it, as far as the program needs one, and obeys the agent.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs -o mode=0755 devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
for folder in /dev/shm /run /tmp; do mount -t tmpfs -o mode=1777 tmpfs "$folder"; done
mkdir -p /run/lock /lib/modules
die() {
  echo "the node is no good: $*"
  echo o >/proc/sysrq-trigger
  sleep 60
}
share() { mkdir -p "$3" && mount -t 9p -o "trans=virtio,version=9p2000.L,msize=524288,$1" "$2" "$3" || die "no share $2"; }
# The kernel's command line has the two paths, which are those of the host.
eval "$(tr ' ' '\n' </proc/cmdline | grep -E '^(checkout|state)=[A-Za-z0-9/._@+-]+$')"
mkdir -p "$checkout"
mount --move /mnt "$checkout"
share cache=none state "$state"
share cache=loose,ro modules /lib/modules
# A userland without these gets busybox's.
for applet in modprobe ip; do
  command -v "$applet" >/dev/null || ln -s busybox "/usr/local/bin/$applet"
done
[ -x /sbin/modprobe ] || ln -s /usr/local/bin/busybox /sbin/modprobe
# rbd gets EOPNOTSUPP where the node has no name.
hostname node1
echo '127.0.0.1 localhost node1' >/etc/hosts
# The loopback of this machine is the host's: Ceph and the Kubernetes API have one address in both.
modprobe virtio_net
echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
ip link set lo up
ip addr del 127.0.0.1/8 dev lo
ip addr add 127.0.0.15/8 dev eth0
ip link set eth0 up
for module in loop fuse ext4 xfs btrfs rbd ceph nbd; do modprobe "$module" || die "no module $module"; done
echo "the node is up after $(cut -d' ' -f1 /proc/uptime) s"
node "$checkout/dist/sandbox/vm/agent.js"
die 'its agent has ended'
