import type { Definitions } from '../../cli/options.js';
import { pruneOptions } from '../prune/options.js';
import { statusOptions } from '../status/options.js';

const { keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly, keepWithin, keepDeleted } =
  pruneOptions;

/** The rules of `prune`, to show what it would do. */
export const keepOptions = {
  keepLast,
  keepHourly,
  keepDaily,
  keepWeekly,
  keepMonthly,
  keepYearly,
  keepWithin,
  keepDeleted,
} satisfies Definitions;

export const reportOptions = {
  ...statusOptions,
  maxAge: { ...statusOptions.maxAge, description: 'what is older counts as stale (default: 26h)' },
  repository: {
    ...statusOptions.repository,
    description: 'look into the repository, too: all backups, their sizes and growth',
  },
  ...keepOptions,
} satisfies Definitions;
