import type { Definitions } from '../../cli/options.js';
import { innerPath } from '../../cli/values.js';
import { commonOptions } from '../shared/options/common.js';
import { readingOptions } from '../shared/options/choice.js';

export const lsOptions = {
  ...commonOptions,
  ...readingOptions,
  versions: {
    flag: '--versions',
    placeholder: 'PATH',
    description: 'when this path changed: one line for each version in the backups',
    parse: innerPath,
  },
} satisfies Definitions;
