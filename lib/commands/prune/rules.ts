import type { Values } from '../../cli/options.js';
import { unlessNone } from '../../cli/values.js';
import type { EpochMs } from '../../log/time.js';
import type { KeepRules } from '../../retention/keep.js';
import {
  planRetention,
  storedClaims,
  type RetentionInput,
  type RetentionPlan,
} from '../../retention/plan.js';
import { verdictsOf } from '../../retention/rules.js';
import type { keepOptions } from './options.js';

/** What the options keep of each claim that exists. */
export function keepRules(options: Values<typeof keepOptions>): KeepRules {
  return {
    last: options.keepLast,
    hourly: options.keepHourly,
    daily: options.keepDaily,
    weekly: options.keepWeekly,
    monthly: options.keepMonthly,
    yearly: options.keepYearly,
    withinMs: unlessNone(options.keepWithin),
  };
}

/** How long the backups of a claim that exists no more are kept; null: for ever. */
export function keepDeletedMs({
  keepDeleted,
}: Pick<Values<typeof keepOptions>, 'keepDeleted'>): number | null {
  return unlessNone(keepDeleted);
}

type Found = Pick<RetentionInput, 'snapshots' | 'cluster' | 'marked' | 'living'>;

/** What a prune with these options forgets, and what it keeps. */
export function planPrune(options: Values<typeof keepOptions>, found: Found, now: EpochMs): RetentionPlan {
  const verdicts = verdictsOf(storedClaims(found), keepRules(options), now);
  return planRetention({ ...found, verdicts, keepDeletedMs: keepDeletedMs(options), now });
}
