import type { EpochMs } from '../log/time.js';
import type { Claim } from '../kube/types.js';
import { parseTime } from './last-backup.js';
import { markedSnapshot } from './marks.js';

/** What the last runs wrote on a claim's PersistentVolume, beside the time of the last backup. */
export interface Attempt {
  /** Full id of the proven snapshot. */
  lastSnapshot: string | null;
  /** Of a success or a failure. */
  lastAttempt: EpochMs | null;
  /** The code of the error that the last attempt ended with; null where it succeeded, or there was none. */
  lastError: string | null;
  lastVerified: EpochMs | null;
}

/**
 * Read as leniently as the time of the last backup: what is no time counts as not set. Attempts carry no UID, so those
 * on a volume whose last backup was another claim's count only if they are younger than this claim.
 */
export function attemptOf(claim: Claim, prefix: string): Attempt {
  const annotations = claim.pv?.metadata?.annotations ?? {};
  const text = (key: string): string | null => {
    const value: unknown = annotations[`${prefix}/${key}`];
    return typeof value === 'string' && value.trim() !== '' ? value.trim() : null;
  };
  const { uid, creationTimestamp } = claim.pvc.metadata ?? {};
  const owner = text('last-backup-claim');
  const inherited = owner !== null && owner !== uid;
  const created = Date.parse(creationTimestamp ?? '');
  const lastAttempt = parseTime(text('last-attempt') ?? '');
  const own = !inherited || (lastAttempt !== null && lastAttempt >= created);
  return {
    lastSnapshot: markedSnapshot(claim, prefix),
    lastAttempt: own ? lastAttempt : null,
    lastError: own ? text('last-error') : null,
    lastVerified: verifiedOn(annotations, prefix, uid, created),
  };
}

/**
 * When a backup of this very claim was last read and found sound; null: never. Older releases
 * wrote no claim beside the time: theirs counts where the last backup is this claim's, and not from before the claim.
 *
 * @param created when the claim was made, where that is known
 */
export function verifiedOn(
  annotations: Record<string, unknown>,
  prefix: string,
  uid: string | undefined,
  created = -Infinity,
): number | null {
  const text = (key: string) => {
    const value = annotations[`${prefix}/${key}`];
    return typeof value === 'string' ? value.trim() : '';
  };
  const time = parseTime(text('last-verified'));
  const owner = text('last-verified-claim') || text('last-backup-claim');
  if (time === null || (owner !== '' && owner !== uid)) return null;
  return text('last-verified-claim') === '' && time < created ? null : time;
}
