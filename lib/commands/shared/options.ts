import type { Definitions } from '../../cli/options.js';
import {
  boolean,
  claimName,
  duration,
  imageName,
  integer,
  matching,
  objectName,
  oneOf,
  path,
  shard,
  text,
  time,
  webUrl,
  type Parser,
} from '../../cli/values.js';
import type { NamedDriver } from '../../plan/policy.js';

/** A value of the tag `cluster=`. */
const clusterTag = matching(/^[A-Za-z0-9][A-Za-z0-9_.:-]*$/, 'letters, digits and _ . : -');

const dnsPrefix = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

const namedDriver: Parser<NamedDriver> = (given) => {
  const [, name, type] = /^([A-Za-z0-9][A-Za-z0-9.-]*)=(rbd|cephfs)$/.exec(given) ?? [];
  return name !== undefined && (type === 'rbd' || type === 'cephfs')
    ? { value: { name, type } }
    : { expected: 'NAME=rbd or NAME=cephfs, e.g. rbd.csi.example.com=rbd' };
};

/** Options of every command. */
export const commonOptions = {
  output: {
    flag: '--output',
    short: '-o',
    placeholder: 'table|json',
    description: 'how results are printed (default: table)',
    parse: oneOf('table', 'json'),
  },
  kubeconfig: {
    flag: '--kubeconfig',
    placeholder: 'PATH',
    description: 'kubeconfig file (default: in-cluster, else the default kubeconfig)',
    parse: text,
  },
  annotationPrefix: {
    flag: '--annotation-prefix',
    placeholder: 'PREFIX',
    description: 'prefix of the annotations (default: cephbackup.hpc.nyu.edu)',
    parse: matching(dnsPrefix, 'a DNS name such as cephbackup.example.com'),
  },
  clusterName: {
    flag: '--cluster-name',
    placeholder: 'NAME',
    description: 'name of this cluster in the repository (default: the UID of namespace kube-system)',
    parse: clusterTag,
  },
  leaseNamespace: {
    flag: '--lease-namespace',
    placeholder: 'NS',
    description: 'namespace of the lease (default: that of the pod, else of the kubeconfig context)',
    parse: objectName,
  },
  runTimeout: {
    flag: '--run-timeout',
    placeholder: 'DURATION',
    description: 'limit for the whole command (default: none)',
    parse: duration,
  },
  logLevel: {
    flag: '--log-level',
    placeholder: 'LEVEL',
    description: 'debug, info, warn or error (default: info)',
    parse: oneOf('debug', 'info', 'warn', 'error'),
  },
  logFormat: {
    flag: '--log-format',
    placeholder: 'text|json',
    description: 'format of the log on stderr (default: text)',
    parse: oneOf('text', 'json'),
  },
} satisfies Definitions;

/** Which claims. What the first ones leave out is not listed at all; --min-age and --shard give a reason. */
export const selectionOptions = {
  namespaces: {
    flag: '--namespace',
    placeholder: 'NS',
    description: 'only claims of this namespace (repeatable)',
    parse: objectName,
    repeated: true,
  },
  excludeNamespaces: {
    flag: '--exclude-namespace',
    placeholder: 'NS',
    description: 'no claims of this namespace (repeatable)',
    parse: objectName,
    repeated: true,
  },
  pvcs: {
    flag: '--pvc',
    placeholder: 'NS/NAME',
    description: 'only this claim (repeatable)',
    parse: claimName,
    repeated: true,
  },
  selector: {
    flag: '--selector',
    placeholder: 'LABELS',
    description: "only claims with these labels (Kubernetes' selector syntax)",
    parse: text,
  },
  storageClasses: {
    flag: '--storage-class',
    placeholder: 'NAME',
    description: 'only claims of this storage class (repeatable)',
    parse: objectName,
    repeated: true,
  },
  minAge: {
    flag: '--min-age',
    placeholder: 'DURATION',
    description: 'leave out volumes backed up more recently',
    parse: duration,
  },
  shard: {
    flag: '--shard',
    placeholder: 'I/N',
    description: 'only the claims of shard I of N, I from 0',
    parse: shard,
  },
  optIn: {
    flag: '--opt-in',
    description: 'back up only what an annotation names: what has none is left out',
    parse: boolean,
  },
  drivers: {
    flag: '--driver',
    placeholder: 'NAME=rbd|cephfs',
    description: 'a CSI driver of Ceph under another name (repeatable)',
    parse: namedDriver,
    repeated: true,
  },
  cephClusters: {
    flag: '--ceph-clusters',
    placeholder: 'FILE',
    description: "ceph-csi's config.json: monitors, RADOS namespace and subvolume group by clusterID",
    parse: text,
  },
} satisfies Definitions;

/** How volumes are reached and read. */
export const volumeOptions = {
  concurrency: {
    flag: '--concurrency',
    placeholder: 'N',
    description: 'volumes at a time (default: 4)',
    parse: integer(1, 256),
  },
  volumeTimeout: {
    flag: '--volume-timeout',
    placeholder: 'DURATION',
    description: 'limit for each volume (default: 20h; 0s: none)',
    parse: duration,
  },
  mapper: {
    flag: '--mapper',
    placeholder: 'krbd|nbd|fuse',
    description: 'how RBD images are mapped (default: krbd)',
    parse: oneOf('krbd', 'nbd', 'fuse'),
  },
  cephfsClient: {
    flag: '--cephfs-client',
    placeholder: 'kernel|fuse',
    description: 'how CephFS is mounted (default: kernel)',
    parse: oneOf('kernel', 'fuse'),
  },
  fsck: {
    flag: '--fsck',
    placeholder: 'preen|full',
    description: 'how thoroughly clones are checked (default: preen)',
    parse: oneOf('preen', 'full'),
  },
  cephConf: {
    flag: '--ceph-conf',
    placeholder: 'FILE',
    description: 'ceph.conf (default: CEPH_CONF, else /etc/ceph/ceph.conf)',
    parse: text,
  },
  cephUser: {
    flag: '--ceph-user',
    placeholder: 'NAME',
    description: 'Ceph user without "client." (default: admin)',
    parse: matching(/^(?!client\.)[A-Za-z0-9_.-]+$/, 'a user name without "client."'),
  },
  cephKeyring: {
    flag: '--ceph-keyring',
    placeholder: 'FILE',
    description: "keyring of the Ceph user (default: ceph.conf's)",
    parse: text,
  },
  patience: {
    flag: '--patience',
    placeholder: 'DURATION',
    description: 'how long a step that fails by what passes by itself is tried again (default: 2m)',
    parse: duration,
  },
  retryLock: {
    flag: '--retry-lock',
    placeholder: 'DURATION',
    description: 'how long to wait while others lock the repository (default: 2m)',
    parse: duration,
  },
  limitUpload: {
    flag: '--limit-upload',
    placeholder: 'KIB',
    description: 'limit for restic uploads in KiB/s',
    parse: integer(1, 2 ** 31),
  },
  limitDownload: {
    flag: '--limit-download',
    placeholder: 'KIB',
    description: 'limit for restic downloads in KiB/s',
    parse: integer(1, 2 ** 31),
  },
} satisfies Definitions;

/** Where a command says how it went. */
export const metricsOptions = {
  metricsFile: {
    flag: '--metrics-file',
    placeholder: 'FILE',
    description:
      "write metrics to this file, for node exporter's textfile collector (a name that ends in .prom)",
    parse: path,
  },
  metricsPush: {
    flag: '--metrics-push',
    placeholder: 'URL',
    description: 'push metrics to this Pushgateway',
    parse: webUrl,
    secret: true,
  },
  ping: {
    flag: '--ping',
    placeholder: 'URL',
    description:
      "tell a dead man's switch (such as healthchecks.io) how it goes: asks URL/start, then URL, or URL/fail; {shard} in it becomes the shard's number",
    parse: webUrl,
    secret: true,
  },
} satisfies Definitions;

export const hooks = {
  flag: '--hooks',
  description: 'run the hooks that annotations of pods name around each snapshot, in the pods',
  parse: boolean,
};

export const dryRun = {
  flag: '--dry-run',
  description: 'say what would be done, and touch nothing',
  parse: boolean,
};

export const { limitUpload, limitDownload, patience, retryLock } = volumeOptions;

export const cluster = {
  flag: '--cluster',
  placeholder: 'NAME|all',
  description:
    "whose backups to look at (default: this cluster's; without a Kubernetes API: all, if they are of one cluster)",
  parse: clusterTag,
};

export const uid = {
  flag: '--uid',
  placeholder: 'UID',
  description: 'which claim, where several had the name one after the other',
  parse: matching(/^[A-Za-z0-9][A-Za-z0-9-]*$/, 'the UID of a claim'),
};

export const snapshot = {
  flag: '--snapshot',
  placeholder: 'ID|latest',
  description: 'which backup (default: latest)',
  parse: matching(/^(latest|[0-9a-f]{4,64})$/, 'latest, or at least 4 hex digits of the id of a snapshot'),
};

export const asOf = {
  flag: '--as-of',
  placeholder: 'TIME',
  description: 'the newest backup that is not younger than this, e.g. 2026-01-31T12:00:00Z',
  parse: time,
};

/** Which backup is meant, of the claim that is named. */
export const choiceOptions = { cluster, uid, snapshot, asOf } satisfies Definitions;

/** For commands that read one backup in the repository. */
export const readingOptions = {
  limitUpload,
  limitDownload,
  retryLock,
  ...choiceOptions,
} satisfies Definitions;

export const toImage = {
  flag: '--to-image',
  placeholder: 'POOL[/RADOSNS]/IMAGE',
  description: 'a new image',
  parse: imageName,
};
