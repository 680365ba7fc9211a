import { readFileSync } from 'node:fs';
import { asCephbackupError } from '../errors/error.js';
import { parseClusters } from '../plan/clusters.js';
import { parseSelector } from '../plan/selector.js';
import { shardMistake } from '../commands/shard.js';
import type { Values } from './options.js';
import type { selectionOptions, volumeOptions } from './options.js';

/** What is wrong with the selection beyond each option by itself. */
export function selectionMistakes(
  { shard, selector, cephClusters }: Values<typeof selectionOptions>,
  env: NodeJS.ProcessEnv,
): string[] {
  return [
    shardMistake(shard, env),
    selector === null ? null : mistakeOf(() => parseSelector(selector)),
    cephClusters === null
      ? null
      : mistakeOf(() => parseClusters(readFileSync(cephClusters, 'utf8'), cephClusters)),
  ].filter((mistake) => mistake !== null);
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
export function volumeMistakes({ cephConf, cephKeyring }: Values<typeof volumeOptions>): string[] {
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
