import { readFileSync } from 'node:fs';
import type { Values } from '../../cli/options.js';
import { shardMistake } from '../../cli/shard.js';
import { asCephbackupError } from '../../errors/error.js';
import type { CephCluster } from '../../plan/clusters.js';
import { parseSelector } from '../../plan/selector.js';
import { readClusters } from './files-of-options.js';
import { readCephUsers } from './users-by-cluster.js';
import type { selectionOptions } from './options/selection.js';
import type { volumeOptions } from './options/volumes.js';

/** What is wrong with the selection beyond each option by itself. */
export function selectionMistakes(
  { shard, selector, cephClusters }: Values<typeof selectionOptions>,
  env: NodeJS.ProcessEnv,
): string[] {
  return [
    shardMistake(shard, env),
    selector === null ? null : mistakeOf(() => parseSelector(selector)),
    ...clusterMistakes({ cephClusters }),
  ].filter((mistake) => mistake !== null);
}

/** What is wrong with the file of --ceph-clusters. */
export function clusterMistakes({
  cephClusters: file,
}: Pick<Values<typeof selectionOptions>, 'cephClusters'>): string[] {
  const mistake = mistakeOf(() => readClusters(file));
  return mistake === null ? [] : [mistake];
}

/** Two ways to say which backup is meant. */
export function choiceMistakes({
  snapshot,
  asOf,
}: {
  snapshot: string | null;
  asOf: number | null;
}): string[] {
  return snapshot !== null && asOf !== null ? ['--snapshot and --as-of are both given: keep one'] : [];
}

/** Files that options name and that cannot be read, or not be understood. */
export function volumeMistakes({
  cephConf,
  cephKeyring,
  cephUsers,
  cephClusters,
}: Pick<Values<typeof volumeOptions>, 'cephConf' | 'cephKeyring' | 'cephUsers'> &
  Pick<Values<typeof selectionOptions>, 'cephClusters'>): string[] {
  const files = [cephConf, cephKeyring].map((file) =>
    file === null ? null : mistakeOf(() => readFileSync(file)),
  );
  return [...files, usersMistake(cephUsers, cephClusters)].filter((mistake) => mistake !== null);
}

/** Each cluster's keyring is read, too. */
function usersMistake(file: string | null, clusters: string | null): string | null {
  if (file === null) return null;
  let known: CephCluster[] | null = null;
  try {
    known = readClusters(clusters);
  } catch {
    // That file's mistake is told by itself.
    return null;
  }
  return mistakeOf(() => {
    for (const { keyring } of readCephUsers(file, known).values()) readFileSync(keyring ?? '');
  });
}

function mistakeOf(action: () => unknown): string | null {
  try {
    action();
    return null;
  } catch (thrown) {
    return asCephbackupError(thrown).message;
  }
}
