import type { Values } from './helm.js';

/** Another value than the default, and what else must be set for it to matter. */
export interface Flip {
  to: unknown;
  with?: Values;
}

const manyShards = { shards: 3 };
const fuseClients = { mapper: 'fuse', cephfsClient: 'fuse' };
const keySecret = { keySecret: { name: 'rook-ceph-client-cephbackup', key: 'cephbackup' } };
const persistent = { cache: { persistence: { enabled: true } } };
const verify = { verify: { enabled: true } };
const prune = { prune: { enabled: true, existingSecret: 'pruner' } };
const report = { report: { enabled: true } };
const serve = {
  report: { enabled: true, volume: { accessModes: ['ReadWriteMany'] }, serve: { enabled: true } },
};
const rules = { monitoring: { rules: { enabled: true } } };
const dashboard = { monitoring: { dashboard: { enabled: true } } };
const restore = { restore: { enabled: true } };
const resources = { requests: { cpu: '1' }, limits: { memory: '8Gi' } };

/** One for each value of the chart, except those of commands that the program does not have yet. */
export const flips: Record<string, Flip> = {
  nameOverride: { to: 'backup' },
  fullnameOverride: { to: 'nightly' },
  'image.repository': { to: 'registry.example.com/cephbackup' },
  'image.tag': { to: 'v1' },
  'image.digest': { to: `sha256:${'0a'.repeat(32)}` },
  'image.pullPolicy': { to: 'Never' },
  imagePullSecrets: { to: [{ name: 'registry' }] },
  schedule: { to: '@daily' },
  timeZone: { to: 'America/New_York' },
  suspend: { to: true },
  startingDeadlineSeconds: { to: 60 },
  activeDeadlineSeconds: { to: 7200 },
  terminationGracePeriodSeconds: { to: 600 },
  successfulJobsHistoryLimit: { to: 0 },
  failedJobsHistoryLimit: { to: 9 },
  ttlSecondsAfterFinished: { to: 86400 },
  replacements: { to: 1 },
  shards: { to: 4 },
  concurrency: { to: 8 },
  mapper: { to: 'nbd' },
  keepBase: { to: true },
  cephfsClient: { to: 'fuse' },
  'kinds.rbdFilesystem': { to: false },
  'kinds.cephfs': { to: false, with: { mapper: 'fuse' } },
  'fuse.deviceResource': { to: 'example.com/fuse', with: fuseClients },
  hostNetwork: { to: true, with: fuseClients },
  fsck: { to: 'full' },
  onCorrupt: { to: 'image' },
  volumeTimeout: { to: '6h' },
  annotationPrefix: { to: 'backup.example.com' },
  clusterName: { to: 'production' },
  allowEmpty: { to: true },
  optIn: { to: true },
  logFormat: { to: 'text' },
  logLevel: { to: 'debug' },
  output: { to: 'table' },
  'selection.namespaces': { to: ['a', 'b'] },
  'selection.excludeNamespaces': { to: ['a', 'b'] },
  'selection.storageClasses': { to: ['fast', 'slow.example'] },
  'selection.selector': { to: 'app in (a, b),!scratch' },
  'selection.minAge': { to: '20h' },
  'hooks.enabled': { to: true },
  extraArgs: { to: ['--limit-upload=10240'] },
  'repository.existingSecret': { to: 'my-repository' },
  'repository.variables': {
    to: { RESTIC_REPOSITORY: 'rest:http://example.com/', RESTIC_PASSWORD: 'a"b\\c' },
  },
  'ceph.existingSecret': { to: 'my-ceph' },
  'ceph.conf': { to: '[global]\nmon_host = 192.0.2.1\n', with: { ceph: keySecret } },
  'ceph.keyring': { to: '[client.admin]\n\tkey = AAAA==\n' },
  'ceph.user': { to: 'cephbackup' },
  'ceph.keySecret.name': { to: 'rook-ceph-client-cephbackup' },
  'ceph.keySecret.key': { to: 'cephbackup', with: { ceph: { keySecret: { name: 'csi-rbd-secret' } } } },
  'ceph.monitorsConfigMap.name': { to: 'rook-ceph-mon-endpoints', with: { ceph: keySecret } },
  'ceph.monitorsConfigMap.key': {
    to: 'endpoints',
    with: { ceph: { ...keySecret, monitorsConfigMap: { name: 'rook-ceph-mon-endpoints' } } },
  },
  'ceph.clustersConfigMap': { to: 'ceph-csi-config' },
  'ceph.clustersKey': {
    to: 'csi-cluster-config-json',
    with: { ceph: { clustersConfigMap: 'rook-ceph-csi-config' } },
  },
  'ceph.clusters': {
    to: [{ clusterID: 'a', monitors: ['192.0.2.1:6789'], cephFS: { subvolumeGroup: 'csi' } }],
  },
  'ceph.usersSecret': { to: 'cephbackup-users', with: { ceph: { clustersConfigMap: 'ceph-csi-config' } } },
  'cache.sizeLimit': { to: '1Gi' },
  'cache.persistence.enabled': { to: true },
  'cache.persistence.existingClaim': { to: 'my-cache', with: persistent },
  'cache.persistence.size': { to: '1Ti', with: persistent },
  'cache.persistence.storageClass': { to: 'local', with: persistent },
  'cache.persistence.accessModes': { to: ['ReadWriteMany'], with: persistent },
  temporarySizeLimit: { to: '10Gi' },
  resources: { to: resources },
  nodeSelector: { to: { 'kubernetes.io/os': 'linux' } },
  tolerations: { to: [{ key: 'storage', operator: 'Exists', effect: 'NoSchedule' }] },
  affinity: {
    to: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: 'storage', operator: 'Exists' }] }],
        },
      },
    },
  },
  topologySpreadConstraints: {
    to: [
      {
        maxSkew: 1,
        topologyKey: 'zone',
        whenUnsatisfiable: 'DoNotSchedule',
        labelSelector: { matchLabels: { a: 'b' } },
      },
    ],
    with: manyShards,
  },
  priorityClassName: { to: 'low' },
  runtimeClassName: { to: 'kata' },
  hostAliases: { to: [{ ip: '192.0.2.1', hostnames: ['nas'] }] },
  dnsConfig: { to: { options: [{ name: 'ndots', value: '1' }] } },
  podLabels: { to: { team: 'storage' } },
  podAnnotations: { to: { 'example.com/scrape': 'false' } },
  sidecars: { to: true },
  podSecurityContext: { to: { fsGroupChangePolicy: 'OnRootMismatch' } },
  securityContext: { to: { procMount: 'Default' } },
  commonLabels: { to: { team: 'storage' } },
  extraEnv: { to: [{ name: 'HTTPS_PROXY', value: 'http://proxy.example.com:3128' }] },
  extraVolumes: { to: [{ name: 'extra', emptyDir: {} }] },
  extraVolumeMounts: {
    to: [{ name: 'extra', mountPath: '/extra' }],
    with: { extraVolumes: [{ name: 'extra', emptyDir: {} }] },
  },
  extraObjects: {
    to: [
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'extra' } },
      'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-more',
    ],
  },
  'serviceAccount.create': { to: false },
  'serviceAccount.name': { to: 'backup' },
  'serviceAccount.annotations': { to: { 'example.com/role': 'backup' } },
  'rbac.create': { to: false },
  'rbac.restoreRole': { to: true },
  'openshift.scc': { to: true },
  'byHand.enabled': { to: false },
  'restore.enabled': { to: true },
  'restore.serviceAccountAnnotations': { to: { 'example.com/role': 'restore' }, with: restore },
  'metrics.push': { to: 'http://pushgateway.example.com:9091' },
  'networkPolicy.enabled': { to: true },
  'networkPolicy.egress': {
    to: [{ ports: [{ port: 443 }] }],
    with: { networkPolicy: { enabled: true } },
  },
  'monitoring.rules.enabled': { to: true },
  'monitoring.rules.labels': { to: { release: 'prometheus' }, with: rules },
  'monitoring.rules.maxAge': { to: '8d', with: rules },
  'monitoring.rules.verifyMaxAge': { to: '90d', with: rules },
  'monitoring.rules.pruneMaxAge': { to: '40d', with: rules },
  'monitoring.dashboard.enabled': { to: true },
  'monitoring.dashboard.labels': { to: { grafana: 'yes' }, with: dashboard },
  'monitoring.dashboard.namespace': { to: 'grafana', with: dashboard },
  'verify.enabled': { to: true },
  'verify.schedule': { to: '@weekly', with: verify },
  'verify.suspend': { to: true, with: verify },
  'verify.budget': { to: '500GiB', with: verify },
  'verify.concurrency': { to: 4, with: verify },
  'verify.extraArgs': { to: ['--limit-download=10240'], with: verify },
  'verify.podSecurityContext': { to: { fsGroupChangePolicy: 'OnRootMismatch' }, with: verify },
  'verify.securityContext': { to: { procMount: 'Default' }, with: verify },
  'verify.resources': { to: resources, with: verify },
  'prune.enabled': { to: true, with: { prune: { existingSecret: 'pruner' } } },
  'prune.schedule': { to: '@monthly', with: prune },
  'prune.suspend': { to: true, with: prune },
  'prune.existingSecret': { to: 'other', with: prune },
  'prune.keep.last': { to: 3, with: prune },
  'prune.keep.hourly': { to: 24, with: prune },
  'prune.keep.daily': { to: 7, with: prune },
  'prune.keep.weekly': { to: 4, with: prune },
  'prune.keep.monthly': { to: 6, with: prune },
  'prune.keep.yearly': { to: 5, with: prune },
  'prune.keep.within': { to: '48h', with: prune },
  'prune.keepDeleted': { to: '90d', with: prune },
  'prune.retryLock': { to: '2h', with: prune },
  'prune.unlockStale': { to: false, with: prune },
  'prune.extraArgs': { to: ['--max-repack-size=50GiB'], with: prune },
  'prune.serviceAccountAnnotations': { to: { 'example.com/role': 'prune' }, with: prune },
  'prune.podSecurityContext': { to: { fsGroupChangePolicy: 'OnRootMismatch' }, with: prune },
  'prune.securityContext': { to: { procMount: 'Default' }, with: prune },
  'prune.resources': { to: resources, with: prune },
  'report.enabled': { to: true },
  'report.schedule': { to: '@daily', with: report },
  'report.suspend': { to: true, with: report },
  'report.repository': { to: false, with: report },
  'report.maxAge': { to: '8d', with: report },
  'report.extraArgs': { to: ['--namespace=shop'], with: report },
  'report.serviceAccountAnnotations': { to: { 'example.com/role': 'report' }, with: report },
  'report.volume.existingClaim': { to: 'my-page', with: report },
  'report.volume.size': { to: '100Mi', with: report },
  'report.volume.storageClass': { to: 'cephfs', with: report },
  'report.volume.accessModes': { to: ['ReadWriteMany'], with: report },
  'report.podSecurityContext': { to: { fsGroupChangePolicy: 'OnRootMismatch' }, with: report },
  'report.securityContext': { to: { procMount: 'Default' }, with: report },
  'report.resources': { to: resources, with: report },
  'report.serve.enabled': {
    to: true,
    with: { report: { enabled: true, volume: { accessModes: ['ReadWriteMany'] } } },
  },
  'report.serve.image.repository': { to: 'registry.example.com/nginx', with: serve },
  'report.serve.image.tag': { to: 'mainline', with: serve },
  'report.serve.image.digest': { to: `sha256:${'0b'.repeat(32)}`, with: serve },
  'report.serve.image.pullPolicy': { to: 'Always', with: serve },
  'report.serve.ingressFrom': {
    to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress' } } }],
    with: { ...serve, networkPolicy: { enabled: true } },
  },
  'report.serve.podSecurityContext': { to: { fsGroupChangePolicy: 'OnRootMismatch' }, with: serve },
  'report.serve.securityContext': { to: { procMount: 'Default' }, with: serve },
  'report.serve.resources': { to: resources, with: serve },
};

/** `{ 'a.b': 1 }` on top of other values: `{ a: { b: 1 } }`. */
export function withValue(values: Values, path: string, value: unknown): Values {
  const [key = '', ...rest] = path.split('.');
  const below = (values[key] ?? {}) as Values;
  return { ...values, [key]: rest.length === 0 ? value : withValue(below, rest.join('.'), value) };
}
