import { counts, isComplete } from '../repository/proofs.js';
import type { Backup, StoredClaim } from '../repository/claims.js';
import { hasRules, type KeepRules } from './keep.js';

/** What the rules say of one snapshot of a claim. */
export interface Verdict {
  keep: boolean;
  /** restic's words, e.g. `daily snapshot`; none where it is not kept. */
  reasons: string[];
}

const hour = 3_600_000;

/**
 * What the rules say of each claim's backups, by snapshot id; what is not proven is not among them, and takes nobody's
 * place. Of claims that have backups of before there was a record, the proven ones are judged once more by themselves,
 * so that none of them goes for the sake of one of which nothing is known. An image of a filesystem that could not be
 * mended is judged as if it were a backup of its time, and takes nobody's place either.
 *
 */
export function verdictsOf(
  claims: readonly StoredClaim[],
  rules: KeepRules,
  now: number,
): Map<string, Verdict> {
  const verdicts = new Map<string, Verdict>();
  if (!hasRules(rules)) return verdicts;
  for (const { backups } of claims) {
    const all = applyRules(
      backups.filter(({ proof }) => counts(proof)),
      rules,
      now,
    );
    const proven = applyRules(
      backups.filter(({ proof }) => proof === 'proven'),
      rules,
      now,
    );
    for (const [id, verdict] of all) {
      const alone = proven.get(id);
      verdicts.set(id, verdict.keep || alone === undefined ? verdict : alone);
    }
    for (const { id, verdict } of ofImages(backups, rules, now)) verdicts.set(id, verdict);
  }
  return verdicts;
}

function ofImages(
  backups: readonly Backup[],
  rules: KeepRules,
  now: number,
): { id: string; verdict: Verdict }[] {
  const isImage = ({ proof }: Backup) => proof === 'image';
  if (!backups.some(isImage)) return [];
  const among = applyRules(
    backups.filter(({ proof }) => isComplete(proof)),
    rules,
    now,
  );
  return backups.filter(isImage).flatMap(({ id }) => {
    const verdict = among.get(id);
    return verdict === undefined ? [] : { id, verdict };
  });
}

interface Bucket {
  left: number;
  last: string | null;
  reason: string;
  /** Backups of one key are of one hour, day and so on. */
  key: (backup: Backup) => string;
}

/**
 * The rules of `restic forget` [restic, `ApplyPolicy` in `snapshot_policy.go`], in UTC, of one claim's backups: the
 * newest of each hour, day and so on, and the very oldest as long as a rule is not used up.
 *
 * @param backups oldest first
 */
export function applyRules(backups: readonly Backup[], rules: KeepRules, now: number): Map<string, Verdict> {
  const buckets = bucketsOf(rules);
  const newest = backups.findLast(({ time }) => time < now)?.time ?? null;
  const [oldest] = backups;
  const verdicts = new Map<string, Verdict>();
  for (const backup of backups.toReversed()) {
    const reasons: string[] = [];
    const { withinMs } = rules;
    if (withinMs !== null && withinMs > 0 && newest !== null) {
      const hours = Math.ceil(withinMs / hour);
      if (backup.time > newest - hours * hour) reasons.push(`within ${hours}h`);
    }
    for (const bucket of buckets) {
      if (bucket.left === 0) continue;
      const key = bucket.key(backup);
      const again = key === bucket.last;
      if (again && backup !== oldest) continue;
      bucket.last = key;
      bucket.left -= 1;
      reasons.push(again ? `oldest ${bucket.reason}` : bucket.reason);
    }
    verdicts.set(backup.id, { keep: reasons.length > 0, reasons });
  }
  return verdicts;
}

function bucketsOf({ last, hourly, daily, weekly, monthly, yearly }: KeepRules): Bucket[] {
  const upTo = (length: number) => (backup: Backup) => new Date(backup.time).toISOString().slice(0, length);
  const rules: [number | null, string, Bucket['key']][] = [
    [last, 'last snapshot', ({ id }) => id],
    [hourly, 'hourly snapshot', upTo('2026-01-01T00'.length)],
    [daily, 'daily snapshot', upTo('2026-01-01'.length)],
    [weekly, 'weekly snapshot', ({ time }) => String(mondayOf(time))],
    [monthly, 'monthly snapshot', upTo('2026-01'.length)],
    [yearly, 'yearly snapshot', upTo('2026'.length)],
  ];
  return rules.map(([count, reason, key]) => ({ left: count ?? 0, last: null, reason, key }));
}

/** The Monday of a week, in days since the epoch, which was a Thursday. */
function mondayOf(time: number): number {
  const day = Math.floor(time / (24 * hour));
  return day - ((((day + 3) % 7) + 7) % 7);
}
