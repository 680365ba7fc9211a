import type { Definitions } from '../../cli/options.js';
import { keepOptions } from '../prune/options.js';
import { statusOptions } from '../status/options.js';

export const reportOptions = {
  ...statusOptions,
  maxAge: { ...statusOptions.maxAge, description: 'what is older counts as stale (default: 26h)' },
  repository: {
    ...statusOptions.repository,
    description: 'look into the repository, too: all backups, their sizes and growth',
  },
  ...keepOptions,
} satisfies Definitions;
