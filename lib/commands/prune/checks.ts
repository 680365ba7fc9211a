import type { Values } from '../../cli/options.js';
import type { pruneOptions } from './options.js';

/** Nothing is ever forgotten by default. */
export function pruneMistakes(values: Values<typeof pruneOptions>): string[] {
  const { keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly } = values;
  const counts = [keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly];
  const given = counts.some((count) => (count ?? 0) > 0) || (values.keepWithin ?? 0) > 0;
  return given || (values.keepDeleted ?? 0) > 0
    ? []
    : ['nothing says what to keep: give --keep-last, -hourly, -daily, -weekly, -monthly, -yearly or -within'];
}
