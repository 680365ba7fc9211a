#!/bin/sh
# network.sh COMMAND...: runs COMMAND in a network of its own, in which a virtual machine finds its host by a tap device.
set -eu
if [ "${NETWORK_OF_ITS_OWN:-}" = '' ]; then
  NETWORK_OF_ITS_OWN=1 exec unshare --net -- "$0" "$@"
fi
unset NETWORK_OF_ITS_OWN
ip link set lo up
ip tuntap add name machine mode tap
ip addr add 198.18.0.1/30 dev machine
ip link set machine up
# What the machine sends to the loopback addresses of this host is taken.
echo 1 >/proc/sys/net/ipv4/conf/machine/route_localnet
exec "$@"
