import { readFileSync } from 'node:fs';
import { asCephbackupError } from '../errors/error.js';
import { parseClusters } from '../plan/clusters.js';
import { parseSelector } from '../plan/selector.js';
import { shardMistake } from '../commands/shard.js';
import type { Values } from './options.js';
import type { pruneOptions, restoreOptions, selectionOptions, volumeOptions } from './options.js';

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

/** A restore has exactly one target. */
export function targetMistakes(
  values: Pick<
    Values<typeof restoreOptions>,
    'toImage' | 'toPvc' | 'toDirectory' | 'toFile' | 'format' | 'path'
  >,
): string[] {
  const { toImage, toPvc, toDirectory, toFile, format } = values;
  const given = [toImage, toPvc, toDirectory, toFile].filter((target) => target !== null).length;
  return [
    ...(given === 1
      ? []
      : ['exactly one of --to-image, --to-pvc, --to-directory and --to-file says where to restore to']),
    ...(format !== null && toFile === null ? ['--format is for --to-file'] : []),
  ];
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

/** Nothing is ever forgotten by default. */
export function pruneMistakes(values: Values<typeof pruneOptions>): string[] {
  const { keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly } = values;
  const counts = [keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly];
  const given = counts.some((count) => (count ?? 0) > 0) || values.keepWithin !== null;
  return given || values.keepDeleted !== null
    ? []
    : ['nothing says what to keep: give --keep-last, -hourly, -daily, -weekly, -monthly, -yearly or -within'];
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
