import { CephbackupError } from '../errors/error.js';
import { printable } from '../log/logger.js';
import { fields, text } from './objects.js';
import { quote } from './warnings.js';

/** One entry of ceph-csi's `config.json` [ceph-csi api/deploy/kubernetes/csi-config-map.go], as far as it matters. */
export interface CephCluster {
  clusterID: string;
  monitors: string[];
  /** In which RBD images are; null: in none. */
  radosNamespace: string | null;
  /** In which CephFS subvolumes are; null: the default. */
  subvolumeGroup: string | null;
  /** How its CephFS is mounted, beside what a PersistentVolume says; null: nothing. */
  kernelMountOptions: string | null;
}

/**
 * Reads ceph-csi's `config.json`. `file` is for messages only.
 *
 * @throws CephbackupError USAGE that names every mistake
 */
export function parseClusters(content: string, file: string): CephCluster[] {
  const config = parseJson(content.replace(/^\uFEFF/, ''), file);
  if (!Array.isArray(config)) throw mistake(file, ['it is not a JSON array']);
  const mistakes: string[] = [];
  const clusters = config.map((entry: unknown, index) => {
    const problem = (what: string) => mistakes.push(`entry ${index + 1} ${what}`);
    return parseEntry(entry, problem);
  });
  if (mistakes.length > 0) throw mistake(file, mistakes);
  return clusters;
}

/** The entry of a cluster; the first one where there are several, as ceph-csi does it. */
export function clusterOf(
  clusters: readonly CephCluster[] | null,
  clusterID: string | null,
): CephCluster | null {
  return clusters?.find((cluster) => cluster.clusterID === clusterID) ?? null;
}

function parseEntry(entry: unknown, problem: (what: string) => void): CephCluster {
  const { clusterID, monitors, rbd, cephFS, ...top } = fields(entry);
  const id = text(clusterID);
  if (id === null) problem('has no clusterID');
  const list = Array.isArray(monitors) ? monitors.filter((item): item is string => text(item) !== null) : [];
  // Without monitors one would look for its volumes in the cluster of ceph.conf, which is another.
  if (list.length === 0 || list.length !== (monitors as unknown[]).length) {
    problem(`${id === null ? '' : `(${quote(id)}) `}has no list of monitors`);
  }
  // Older releases had both names at the top of the entry.
  const name = (inner: unknown, key: string) => {
    const found = fields(inner)[key] ?? top[key] ?? null;
    if (found !== null && typeof found !== 'string') problem(`has a ${key} that is no text`);
    return text(found);
  };
  return {
    clusterID: id ?? '',
    monitors: list,
    radosNamespace: name(rbd, 'radosNamespace'),
    subvolumeGroup: name(cephFS, 'subvolumeGroup'),
    kernelMountOptions: name(cephFS, 'kernelMountOptions'),
  };
}

function parseJson(content: string, file: string): unknown {
  try {
    return JSON.parse(content);
  } catch (cause) {
    throw mistake(file, [`it is not JSON: ${cause instanceof Error ? printable(cause.message) : ''}`]);
  }
}

function mistake(file: string, mistakes: readonly string[]): CephbackupError {
  return new CephbackupError('USAGE', `${printable(file)}: ${mistakes.join('; ')}`, {
    guidance:
      'Pass the `config.json` of ceph-csi\'s ConfigMap: `[{"clusterID": "…", "monitors": ["host:port"]}]`.',
  });
}
