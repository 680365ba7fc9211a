import { readFileSync } from 'node:fs';
import { parseClusters, type CephCluster } from '../../plan/clusters.js';

const known = new Map<string, string>();

/** A file that an option names, read once in the life of the program: what came from a pipe is not there again. */
export function readOnce(file: string): string {
  const content = known.get(file) ?? readFileSync(file, 'utf8');
  known.set(file, content);
  return content;
}

/** The clusters of `--ceph-clusters`; null where it is not given. @throws CephbackupError USAGE that names every mistake */
export function readClusters(file: string | null): CephCluster[] | null {
  return file === null ? null : parseClusters(readOnce(file), file);
}
