import type { Values } from '../../cli/options.js';
import type { restoreOptions } from './options.js';

type TargetValues = Pick<
  Values<typeof restoreOptions>,
  | 'toImage'
  | 'toPvc'
  | 'toDirectory'
  | 'toFile'
  | 'toNamespace'
  | 'format'
  | 'partition'
  | 'path'
  | 'group'
  | 'snapshot'
  | 'uid'
>;

/** A restore has exactly one target. */
export function targetMistakes(values: TargetValues, wrong: ReadonlySet<string> = new Set()): string[] {
  if (values.group !== null) return groupMistakes(values);
  const { toImage, toPvc, toDirectory, toFile, toNamespace, format, partition } = values;
  const targets = { toImage, toPvc, toDirectory, toFile };
  const given = Object.entries(targets).filter(([key, value]) => value !== null || wrong.has(key)).length;
  return [
    ...(given === 1
      ? []
      : ['exactly one of --to-image, --to-pvc, --to-directory and --to-file says where to restore to']),
    ...(format !== null && toFile === null ? ['--format is for --to-file'] : []),
    ...(partition !== null && toDirectory === null ? ['--partition is for --to-directory'] : []),
    ...(toNamespace !== null ? ['--to-namespace is for --group'] : []),
  ];
}

/** What is of one claim says nothing of a group. */
function groupMistakes(values: TargetValues): string[] {
  const { toDirectory, toNamespace } = values;
  const ofOneClaim = {
    '--to-image': values.toImage,
    '--to-pvc': values.toPvc,
    '--to-file': values.toFile,
    '--format': values.format,
    '--partition': values.partition,
    '--path': values.path,
    '--snapshot': values.snapshot,
    '--uid': values.uid,
  };
  return [
    ...((toDirectory === null) === (toNamespace === null)
      ? ['exactly one of --to-directory and --to-namespace says where to restore a group to']
      : []),
    ...Object.entries(ofOneClaim).flatMap(([flag, value]) =>
      value === null ? [] : [`${flag} is for one claim, not for --group`],
    ),
  ];
}
