import type { Definitions } from '../../cli/options.js';
import { innerPath } from '../../cli/values.js';
import { openOptions } from '../open/options.js';

export const lsOptions = {
  ...openOptions,
  versions: {
    flag: '--versions',
    placeholder: 'PATH',
    description: 'when this path changed: one line for each version in the backups',
    parse: innerPath,
  },
} satisfies Definitions;
