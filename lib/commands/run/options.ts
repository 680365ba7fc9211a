import type { Definitions } from '../../cli/options.js';
import { boolean } from '../../cli/values.js';
import { commonOptions, selectionOptions, volumeOptions, metricsOptions, dryRun } from '../shared/options.js';

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
} satisfies Definitions;
