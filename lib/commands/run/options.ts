import type { Definitions } from '../../cli/options.js';
import { boolean, matching } from '../../cli/values.js';
import {
  commonOptions,
  selectionOptions,
  volumeOptions,
  metricsOptions,
  dryRun,
  hooks,
} from '../shared/options.js';

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
} satisfies Definitions;
