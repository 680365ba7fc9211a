import type { Definitions } from '../../cli/options.js';
import { boolean, duration, integer, size, type Parser } from '../../cli/values.js';
import { commonOptions } from '../shared/options/common.js';
import { metricsOptions } from '../shared/options/metrics.js';
import { dryRun } from '../shared/options/single.js';
import { cacheLimit, limitUpload, limitDownload, retryLock } from '../shared/options/volumes.js';

/** One rule of restic's, for each claim that exists. */
function keep(unit: string, what: string) {
  const description = `keep ${what}`;
  return { flag: `--keep-${unit}`, placeholder: 'N', description, parse: integer(0, 1_000_000) };
}

/** A duration for which something is kept. To restic `6m` are months: nobody keeps a backup for six minutes. */
export const retention: Parser<number> = (text) => {
  const parsed = duration(text);
  return 'value' in parsed && text.endsWith('m') && parsed.value !== 0 && parsed.value < 3_600_000
    ? { expected: 'at least 60m: m are minutes here, not months (180d are half a year)' }
    : parsed;
};

/** How much a repository may hold that nothing needs, as restic takes it: bytes, `5%` or `unlimited`. */
export const unusedLimit: Parser<string> = (text) => {
  if (text === 'unlimited' || /^\d{1,2}(\.\d+)?%$/.test(text)) return { value: text };
  const parsed = text === '0' ? { value: 0 } : size(text);
  return 'value' in parsed
    ? { value: String(parsed.value) }
    : { expected: 'a size such as 500MiB, a percentage such as 5%, or unlimited' };
};

/** What is kept of each claim, and of those that exist no more. */
export const keepOptions = {
  keepLast: keep('last', 'the last N backups'),
  keepHourly: keep('hourly', 'the last one of each of N hours that have any'),
  keepDaily: keep('daily', 'the last one of each of N days that have any'),
  keepWeekly: keep('weekly', 'the last one of each of N weeks that have any'),
  keepMonthly: keep('monthly', 'the last one of each of N months that have any'),
  keepYearly: keep('yearly', 'the last one of each of N years that have any'),
  keepWithin: {
    flag: '--keep-within',
    placeholder: 'DURATION',
    description: "keep everything within this time before the claim's newest backup (in whole hours)",
    parse: retention,
  },
  keepDeleted: {
    flag: '--keep-deleted',
    placeholder: 'DURATION',
    description:
      'forget the backups of a claim that exists no more when its newest is older (default: keep all for ever)',
    parse: retention,
  },
} satisfies Definitions;

export const pruneOptions = {
  ...commonOptions,
  ...metricsOptions,
  limitUpload,
  limitDownload,
  ...keepOptions,
  dryRun,
  retryLock,
  cacheLimit,
  unlockStale: {
    flag: '--unlock-stale',
    description:
      'first remove locks without a sign of life for 30 minutes; only where nobody else has this host name',
    parse: boolean,
  },
  maxUnused: {
    flag: '--max-unused',
    placeholder: 'LIMIT',
    description: "unused data that may stay: a size, a percentage or unlimited (default: restic's 5%)",
    parse: unusedLimit,
  },
  maxRepackSize: {
    flag: '--max-repack-size',
    placeholder: 'SIZE',
    description: 'rewrite at most so much data (default: no limit)',
    parse: size,
  },
  repackSmall: {
    flag: '--repack-small',
    description: 'rewrite small pack files, too',
    parse: boolean,
  },
} satisfies Definitions;
