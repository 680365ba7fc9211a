/** What to keep of each claim that exists, as restic's options of these names; null: no such rule. */
export interface KeepRules {
  last: number | null;
  hourly: number | null;
  daily: number | null;
  weekly: number | null;
  monthly: number | null;
  yearly: number | null;
  /** Before the claim's newest backup, rounded up to whole hours. */
  withinMs: number | null;
}

/** Whether anything is to be judged at all. */
export function hasRules({ withinMs, ...counts }: KeepRules): boolean {
  return (withinMs ?? 0) > 0 || Object.values(counts).some((count) => (count ?? 0) > 0);
}

/** The rules as options of `prune`. */
export function describeRules({ withinMs, ...counts }: KeepRules): string[] {
  const rules = Object.entries(counts).flatMap(([unit, count]) =>
    (count ?? 0) > 0 ? [`--keep-${unit}=${count ?? 0}`] : [],
  );
  return withinMs === null || withinMs === 0
    ? rules
    : [...rules, `--keep-within=${Math.ceil(withinMs / 3_600_000)}h`];
}
