import type { Definitions, Values } from '../../cli/options.js';
import { boolean, duration, matching, oneOf } from '../../cli/values.js';
import { commonOptions } from '../shared/options/common.js';
import { metricsOptions } from '../shared/options/metrics.js';
import { selectionOptions } from '../shared/options/selection.js';
import { dryRun, hooks } from '../shared/options/single.js';
import { volumeOptions } from '../shared/options/volumes.js';

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
  hooks,
  excludeCaches: {
    flag: '--exclude-caches',
    description: 'leave out the contents of directories that a CACHEDIR.TAG marks as a cache',
    parse: boolean,
  },
  excludeIfPresent: {
    flag: '--exclude-if-present',
    placeholder: 'NAME',
    description:
      'leave out the contents of directories that have a file of this name (NAME:HEADER: that begins so)',
    parse: matching(/^[^/\0:]+(:[^\0]*)?$/, 'the name of a file, without a slash'),
    repeated: true,
  },
  keepBase: {
    flag: '--keep-base',
    description:
      'keep one snapshot of each disk in Ceph, so that the next backup reads only what changed since',
    parse: boolean,
  },
  onCorrupt: {
    flag: '--on-corrupt',
    placeholder: 'fail|image',
    description:
      'what to do where a filesystem cannot be mended: fail, or fail and save its image beside that (default: fail)',
    parse: oneOf('fail', 'image'),
  },
  fullEvery: {
    flag: '--full-every',
    placeholder: 'DURATION',
    description:
      'read RBD volumes completely this often, whatever tells what is unchanged (default: 28d, 0s: never)',
    parse: duration,
  },
  snapshotInterval: {
    flag: '--snapshot-interval',
    placeholder: 'DURATION',
    description:
      'begin the snapshots of volumes so far apart at least; claims of a group have one turn (default: 0s)',
    parse: duration,
  },
} satisfies Definitions;

export type RunValues = Values<typeof runOptions>;
