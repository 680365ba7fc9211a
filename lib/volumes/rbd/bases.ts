import type { PlannedVolume, RbdSource } from '../../plan/types.js';
import type { SweepRequest } from '../driver.js';

/** Why a claim is not backed up now, and will not be in the next run, whatever options that has. */
const endedReasons: ReadonlySet<string> = new Set([
  'not-bound',
  'claim-mismatch',
  'pv-false',
  'namespace-false',
  'pvc-false',
]);

/** An image that lies where claims have theirs. */
export interface ClaimedImage {
  pool: string;
  namespace: string | null;
  image: string;
}

/**
 * Whether the base of an image is of no use: whoever is asked for it later reads everything, so that a base too few costs
 * time, and one too many the space of all that changes.
 */
export function isRetired(
  at: ClaimedImage,
  { bases, volumes, everyClaim }: Pick<SweepRequest, 'bases' | 'volumes' | 'everyClaim'>,
): boolean {
  if (bases === 'remove-all') return true;
  // By no option of this run it is known what others back up; that nobody does is known from all claims. `--opt-in` speaks
  // of those that the run looks at.
  const optedOut = new Set(
    volumes.filter(({ reason }) => reason === 'not-opted-in').map((claim) => claim.uid),
  );
  const isEnded = ({ reason, uid }: PlannedVolume) => endedReasons.has(reason) || optedOut.has(uid);
  if (everyClaim.filter((claim) => has(claim, at)).every(isEnded)) return true;
  // One member of a run sweeps for all shards.
  const selected = volumes.filter(
    (claim) => (claim.backup || claim.reason === 'other-shard') && has(claim, at),
  );
  return (
    selected.some(({ kind }) => kind !== 'rbd-block') || (bases === 'remove-selected' && selected.length > 0)
  );
}

function has({ source }: PlannedVolume, { pool, namespace, image }: ClaimedImage): boolean {
  const found = source as Partial<RbdSource> | null;
  // A claim may name its pool by number: better a base too many than one that goes at each sweep.
  const samePool = found?.pool === pool || found?.pool === null;
  return found?.image === image && samePool && found.radosNamespace === namespace;
}
