import type { Values } from '../../cli/options.js';
import type { restoreOptions } from './options.js';

/** A restore has exactly one target. */
export function targetMistakes(
  values: Pick<
    Values<typeof restoreOptions>,
    'toImage' | 'toPvc' | 'toDirectory' | 'toFile' | 'format' | 'partition'
  >,
): string[] {
  const { toImage, toPvc, toDirectory, toFile, format, partition } = values;
  const given = [toImage, toPvc, toDirectory, toFile].filter((target) => target !== null).length;
  return [
    ...(given === 1
      ? []
      : ['exactly one of --to-image, --to-pvc, --to-directory and --to-file says where to restore to']),
    ...(format !== null && toFile === null ? ['--format is for --to-file'] : []),
    ...(partition !== null && toDirectory === null ? ['--partition is for --to-directory'] : []),
  ];
}
