import { readFileSync } from 'node:fs';
import type { Values } from '../../cli/options.js';
import { shardMistake } from '../../cli/shard.js';
import { asCephbackupError } from '../../errors/error.js';
import { parseClusters } from '../../plan/clusters.js';
import { parseSelector } from '../../plan/selector.js';
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
  const mistake = file === null ? null : mistakeOf(() => parseClusters(readFileSync(file, 'utf8'), file));
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

/** Files that options name and that cannot be read. */
export function volumeMistakes({
  cephConf,
  cephKeyring,
}: Pick<Values<typeof volumeOptions>, 'cephConf' | 'cephKeyring'>): string[] {
  return [cephConf, cephKeyring]
    .map((file) => (file === null ? null : mistakeOf(() => readFileSync(file))))
    .filter((mistake) => mistake !== null);
}

function mistakeOf(action: () => unknown): string | null {
  try {
    action();
    return null;
  } catch (thrown) {
    return asCephbackupError(thrown).message;
  }
}
