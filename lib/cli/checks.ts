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
    ...(shardMistake(shard, env) ?? []),
    ...attempt(() => {
      if (selector !== null) parseSelector(selector);
    }),
    ...attempt(() => {
      if (cephClusters !== null) parseClusters(readFileSync(cephClusters, 'utf8'), cephClusters);
    }),
  ].flat();
}

/** Files that options name and that cannot be read. */
export function volumeMistakes({ cephConf, cephKeyring }: Values<typeof volumeOptions>): string[] {
  return [cephConf, cephKeyring].flatMap((file) => (file === null ? [] : attempt(() => readFileSync(file))));
}

function attempt(action: () => unknown): string[] {
  try {
    action();
    return [];
  } catch (thrown) {
    return [asCephbackupError(thrown).message];
  }
}
