/** What to keep of each claim that exists, in restic's terms; null: no such rule. */
export interface KeepRules {
  last: number | null;
  hourly: number | null;
  daily: number | null;
  weekly: number | null;
  monthly: number | null;
  yearly: number | null;
  /** Milliseconds before the claim's newest snapshot. */
  within: number | null;
}

const hour = 3_600_000;

/** restic's options for these rules; none where there is no rule. */
export function keepArguments({ within, ...counts }: KeepRules): string[] {
  const rules = Object.entries(counts).flatMap(([unit, count]) =>
    count === null || count === 0 ? [] : [`--keep-${unit}=${count}`],
  );
  // restic counts in whole hours, and reads `m` as months.
  return within === null ? rules : [...rules, `--keep-within=${Math.ceil(within / hour)}h`];
}
