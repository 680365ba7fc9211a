import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';

export interface ConfigOptions {
  dir: string;
  fsid: string;
  /** The monitor's ports on loopback for the two versions of Ceph's protocol. */
  ports: { v2: number; v1: number };
  /** Bytes that each OSD can hold, in memory. */
  capacity: number;
}

/** Python modules of the manager that a sandbox can do without; loading them takes most of a start's time. */
const unusedModules = [
  ...[
    'alerts',
    'balancer',
    'cephadm',
    'cli_api',
    'crash',
    'dashboard',
    'devicehealth',
    'diskprediction_local',
  ],
  ...[
    'feedback',
    'influx',
    'insights',
    'iostat',
    'k8sevents',
    'localpool',
    'mds_autoscaler',
    'mirroring',
    'nfs',
  ],
  ...[
    'orchestrator',
    'osd_perf_query',
    'osd_support',
    'pg_autoscaler',
    'progress',
    'prometheus',
    'rbd_support',
  ],
  ...['restful', 'rgw', 'rook', 'selftest', 'snap_schedule', 'stats', 'status', 'telegraf', 'telemetry'],
  ...['test_orchestrator', 'zabbix'],
];

/** ceph.conf of a cluster on one machine, for its daemons and its clients. */
export function cephConfig({ dir, fsid, ports, capacity }: ConfigOptions): string {
  return `[global]
fsid = ${fsid}
mon_host = [v2:127.0.0.1:${ports.v2},v1:127.0.0.1:${ports.v1}]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv6 = false
keyring = ${dir}/keyring
# Sockets have short paths, and clients that share one path would meet there.
admin_socket =
pid_file =
crash_dir = ${dir}
log_file =
log_to_stderr = true
log_to_syslog = false
auth_allow_insecure_global_id_reclaim = false
# One OSD is enough for a pool.
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0

[client]
log_to_stderr = false

[mon]
mon_data = ${dir}/mon
mon_allow_pool_size_one = true
mon_allow_pool_delete = true
mon_max_pg_per_osd = 2000
mon_warn_on_pool_no_redundancy = false
mon_data_avail_warn = 0
mon_data_avail_crit = 0
# Changes of a cluster of one need not be collected for a second.
paxos_propose_interval = 0.05
# A machine that is busy with tests is slow, not broken.
mon_osd_report_timeout = 3600
mds_beacon_grace = 600
mon_mgr_beacon_grace = 600

[mgr]
mgr_data = ${dir}/mgr
mgr_disabled_modules = ${unusedModules.join(' ')}
objecter_tick_interval = 0.3
keyring = ${dir}/daemons.keyring

[osd]
osd_data = ${dir}/$name
osd_objectstore = memstore
memstore_device_bytes = ${capacity}
osd_op_thread_timeout = 600
osd_op_thread_suicide_timeout = 0
osd_heartbeat_grace = 600
keyring = ${dir}/daemons.keyring
${classFolder()}
[mds]
mds_data = ${dir}/mds
mds_beacon_grace = 600
objecter_tick_interval = 0.3
keyring = ${dir}/daemons.keyring
`;
}

/** Debian 13's Ceph looks for its object classes in a folder where Debian does not put them. */
function classFolder(): string {
  const folder = readdirSync('/usr/lib')
    .map((name) => path.join('/usr/lib', name, 'rados-classes'))
    .find((name) => existsSync(name));
  return folder === undefined ? '' : `osd_class_dir = ${folder}\n`;
}
