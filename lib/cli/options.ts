import {
  boolean,
  budget,
  claimName,
  duration,
  imageName,
  innerPath,
  integer,
  matching,
  objectName,
  oneOf,
  path,
  retention,
  shard,
  size,
  text,
  time,
  unusedLimit,
  webUrl,
  type Parser,
} from './values.js';

/** One option: its flag, its environment variable `CEPHBACKUP_<OPTION>` and what it accepts. */
export interface OptionDefinition<T> {
  flag: string;
  /** Short flag, e.g. `-o`. */
  short?: string;
  /** Placeholder of the value in the help; none for a boolean. */
  placeholder?: string;
  description: string;
  parse: Parser<T>;
  /** May be repeated; the environment variable is comma-separated. */
  repeated?: true;
}

export type Definitions = Record<string, OptionDefinition<unknown>>;
export type Values<D extends Definitions> = {
  [K in keyof D]: D[K] extends OptionDefinition<infer T>
    ? D[K] extends { repeated: true }
      ? T[]
      : T | null
    : never;
};

/** A value of the tag `cluster=`. */
const clusterTag = matching(/^[A-Za-z0-9][A-Za-z0-9_.:-]*$/, 'letters, digits and _ . : -');
const dnsPrefix = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

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
    description: 'limit for each volume (default: none)',
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
  },
} satisfies Definitions;

const dryRun = {
  flag: '--dry-run',
  description: 'say what would be done, and touch nothing',
  parse: boolean,
};

export const listOptions = {
  ...commonOptions,
  ...selectionOptions,
  from: {
    flag: '--from',
    placeholder: 'FILE',
    description: 'read a `kubectl get ns,pv,pvc -A -o json` (or yaml) dump instead of the API; - is stdin',
    parse: text,
  },
} satisfies Definitions;

export const runOptions = {
  ...commonOptions,
  ...metricsOptions,
  ...selectionOptions,
  ...volumeOptions,
  dryRun,
  allowEmpty: {
    flag: '--allow-empty',
    description: 'succeed where no claim is selected',
    parse: boolean,
  },
} satisfies Definitions;

export const statusOptions = {
  ...commonOptions,
  namespaces: selectionOptions.namespaces,
  excludeNamespaces: selectionOptions.excludeNamespaces,
  pvcs: selectionOptions.pvcs,
  selector: selectionOptions.selector,
  storageClasses: selectionOptions.storageClasses,
  cephClusters: selectionOptions.cephClusters,
  from: listOptions.from,
  maxAge: {
    flag: '--max-age',
    placeholder: 'DURATION',
    description: 'exit 1 if a claim has no backup, or none so recent, e.g. 26h',
    parse: duration,
  },
  repository: {
    flag: '--repository',
    description: 'look into the repository, too: exit 1 if a marked backup is not there',
    parse: boolean,
  },
  limitUpload: volumeOptions.limitUpload,
  limitDownload: volumeOptions.limitDownload,
} satisfies Definitions;

/** Whatever a run may be given, to look at what that run would need. */
export const doctorOptions = {
  ...commonOptions,
  ...selectionOptions,
  ...volumeOptions,
  allowEmpty: runOptions.allowEmpty,
} satisfies Definitions;

export const cleanupOptions = {
  ...commonOptions,
  ...volumeOptions,
  cephClusters: selectionOptions.cephClusters,
  dryRun,
  installation: {
    flag: '--installation',
    placeholder: 'ID',
    description: "remove what another installation's crashed runs left",
    parse: matching(/^[0-9a-f]{8}$/, '8 hex digits, as in cephbackup-<ID>-...'),
  },
} satisfies Definitions;

const cluster = {
  flag: '--cluster',
  placeholder: 'NAME|all',
  description:
    "whose backups to look at (default: this cluster's; without a Kubernetes API: all, if they are of one cluster)",
  parse: clusterTag,
};

const uid = {
  flag: '--uid',
  placeholder: 'UID',
  description: 'which claim, where several had the name one after the other',
  parse: matching(/^[A-Za-z0-9][A-Za-z0-9-]*$/, 'the UID of a claim'),
};

const snapshot = {
  flag: '--snapshot',
  placeholder: 'ID|latest',
  description: 'which backup (default: latest)',
  parse: matching(/^(latest|[0-9a-f]{4,64})$/, 'latest, or at least 4 hex digits of the id of a snapshot'),
};

const asOf = {
  flag: '--as-of',
  placeholder: 'TIME',
  description: 'the newest backup that is not younger than this, e.g. 2026-01-31T12:00:00Z',
  parse: time,
};

const toImage = {
  flag: '--to-image',
  placeholder: 'POOL[/RADOSNS]/IMAGE',
  description: 'a new image',
  parse: imageName,
};

const { limitUpload, limitDownload } = volumeOptions;

export const snapshotsOptions = {
  ...commonOptions,
  limitUpload,
  limitDownload,
  cluster,
} satisfies Definitions;

export const verifyOptions = {
  ...commonOptions,
  ...metricsOptions,
  limitUpload,
  limitDownload,
  concurrency: volumeOptions.concurrency,
  cluster,
  budget: {
    flag: '--budget',
    placeholder: 'DURATION|SIZE',
    description:
      'how long, or how much, to read where no claim is named; the rest is for the next time (default: all)',
    parse: budget,
  },
  drill: {
    flag: '--drill',
    description:
      'also restore for real, images into scratch images where Ceph is configured, else into TMPDIR; compare; remove it',
    parse: boolean,
  },
  mapper: volumeOptions.mapper,
  cephConf: volumeOptions.cephConf,
  cephUser: volumeOptions.cephUser,
  cephKeyring: volumeOptions.cephKeyring,
  cephClusters: selectionOptions.cephClusters,
} satisfies Definitions;

export const manifestsOptions = {
  ...commonOptions,
  limitUpload,
  limitDownload,
  cluster,
  uid,
  snapshot,
  asOf,
  toImage: { ...toImage, description: 'the restored image, where its name is not the old one' },
  claimOnly: {
    flag: '--claim-only',
    description: 'only the PVC, unbound: its storage class provides a new volume',
    parse: boolean,
  },
} satisfies Definitions;

export const restoreOptions = {
  ...commonOptions,
  ...volumeOptions,
  cephClusters: selectionOptions.cephClusters,
  cluster,
  uid,
  snapshot,
  asOf,
  toImage: { ...toImage, description: 'restore to a new image (with --force: an existing one)' },
  toPvc: {
    flag: '--to-pvc',
    placeholder: 'NAMESPACE/NAME',
    description: 'restore into the volume of a claim that nobody uses',
    parse: claimName,
  },
  toDirectory: {
    flag: '--to-directory',
    placeholder: 'DIR',
    description:
      'restore files into an empty or new directory; with --force existing files are overwritten, none deleted',
    parse: path,
  },
  toFile: {
    flag: '--to-file',
    placeholder: 'FILE',
    description: 'restore a disk to a new file',
    parse: path,
  },
  format: {
    flag: '--format',
    placeholder: 'qcow2|raw',
    description: 'format of --to-file (default: qcow2)',
    parse: oneOf('qcow2', 'raw'),
  },
  path: {
    flag: '--path',
    placeholder: 'PATH',
    description: 'only this part of a filesystem; arrives at TARGET/PATH',
    parse: innerPath,
  },
  force: {
    flag: '--force',
    description: 'overwrite what exists; never what is in use',
    parse: boolean,
  },
} satisfies Definitions;

/** One rule of restic's, for each claim that exists. */
function keep(unit: string, what: string) {
  const description = `keep ${what}`;
  return { flag: `--keep-${unit}`, placeholder: 'N', description, parse: integer(0, 1_000_000) };
}

export const pruneOptions = {
  ...commonOptions,
  ...metricsOptions,
  limitUpload,
  limitDownload,
  keepLast: keep('last', 'the last N backups'),
  keepHourly: keep('hourly', 'the last one of each of N hours that have any'),
  keepDaily: keep('daily', 'the last one of each of N days that have any'),
  keepWeekly: keep('weekly', 'the last one of each of N weeks that have any'),
  keepMonthly: keep('monthly', 'the last one of each of N months that have any'),
  keepYearly: keep('yearly', 'the last one of each of N years that have any'),
  keepWithin: {
    flag: '--keep-within',
    placeholder: 'DURATION',
    description: "keep everything within this time before the claim's newest backup (in whole hours)",
    parse: retention,
  },
  keepDeleted: {
    flag: '--keep-deleted',
    placeholder: 'DURATION',
    description:
      'forget the backups of a claim that exists no more when its newest is older (default: keep all for ever)',
    parse: retention,
  },
  dryRun,
  retryLock: {
    flag: '--retry-lock',
    placeholder: 'DURATION',
    description: 'how long to wait while others use the repository (default: 30s)',
    parse: duration,
  },
  unlockStale: {
    flag: '--unlock-stale',
    description:
      'first remove locks without a sign of life for 30 minutes; only where nobody else has this host name',
    parse: boolean,
  },
  maxUnused: {
    flag: '--max-unused',
    placeholder: 'LIMIT',
    description: "unused data that may stay: a size, a percentage or unlimited (default: restic's 5%)",
    parse: unusedLimit,
  },
  maxRepackSize: {
    flag: '--max-repack-size',
    placeholder: 'SIZE',
    description: 'rewrite at most so much data (default: no limit)',
    parse: size,
  },
  repackSmall: {
    flag: '--repack-small',
    description: 'rewrite small pack files, too',
    parse: boolean,
  },
} satisfies Definitions;

const { output, logLevel, logFormat } = commonOptions;

export const completionOptions = { output, logLevel, logFormat } satisfies Definitions;

/** `--min-age` -> `CEPHBACKUP_MIN_AGE`. */
export function variableOf(flag: string): string {
  return `CEPHBACKUP_${flag.replace(/^--/, '').replaceAll('-', '_').toUpperCase()}`;
}

export interface Resolved<D extends Definitions> {
  values: Values<D>;
  /** Everything that is wrong, each naming the option. */
  mistakes: string[];
}

/** Raw texts of the command line, by option key; `true` for a boolean flag. */
export type RawOptions = Record<string, string | string[] | boolean | undefined>;

/** Flag beats environment; an empty variable counts as unset. All mistakes are collected. */
export function resolveOptions<D extends Definitions>(
  definitions: D,
  raw: RawOptions,
  env: NodeJS.ProcessEnv,
): Resolved<D> {
  const mistakes: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, definition] of Object.entries(definitions)) {
    const { texts, from } = textsOf(definition, raw[key], env[variableOf(definition.flag)]);
    const parsed = texts.flatMap((given) => {
      const result = definition.parse(given);
      if ('value' in result) return [result.value];
      mistakes.push(`${from} ${JSON.stringify(given)}: expected ${result.expected}`);
      return [];
    });
    values[key] = definition.repeated ? parsed : (parsed.at(-1) ?? null);
  }
  return { values: values as Values<D>, mistakes };
}

function textsOf(
  { flag, repeated }: OptionDefinition<unknown>,
  raw: RawOptions[string],
  variable: string | undefined,
): { texts: string[]; from: string } {
  if (raw !== undefined) {
    return { texts: Array.isArray(raw) ? raw : [String(raw)], from: flag };
  }
  if (variable === undefined || variable.trim() === '') return { texts: [], from: flag };
  const texts = repeated ? variable.split(',').map((part) => part.trim()) : [variable.trim()];
  return { texts: texts.filter((part) => part !== ''), from: variableOf(flag) };
}
