import { CephbackupError } from '../errors/error.js';
import { rfc3339 } from '../log/time.js';
import { snapshotGuidance } from './guidance.js';
import { describeLost, type LostSnapshot } from './damage/lost.js';
import type { ProofEnd } from './prove-claims.js';
import type { ClaimProof } from './report.js';

/**
 * What is printed of each claim. A claim whose newest snapshot is lost is damaged, whatever was read of an older one.
 *
 * @param wanted names of claims; null: all
 */
export function claimProofs(
  ends: readonly ProofEnd[],
  lost: readonly LostSnapshot[],
  wanted: ReadonlySet<string> | null,
): { proofs: ClaimProof[]; errors: CephbackupError[] } {
  const errors: CephbackupError[] = [];
  const seen = new Set<LostSnapshot>();
  const proofs = ends.map((end) => {
    const newest = lost.find((snapshot) => hidesNewest(snapshot, end));
    if (newest !== undefined) seen.add(newest);
    const error = newest === undefined ? end.error : lostError(newest, end);
    if (error !== null) errors.push(error);
    return toProof(end, newest, error);
  });
  for (const snapshot of lost) {
    const { claim } = snapshot;
    const known = claim !== null && ends.some(({ candidate }) => candidate.claim.uid === claim.uid);
    if (claim === null || known || !(wanted?.has(`${claim.namespace}/${claim.pvc}`) ?? true)) continue;
    const error = lostError(snapshot, null);
    errors.push(error);
    proofs.push(ofLost({ ...snapshot, claim }, error));
  }
  return { proofs, errors };
}

/** Whether a lost snapshot was the newest of a claim. */
function hidesNewest({ id, claim, time }: LostSnapshot, { candidate }: ProofEnd): boolean {
  if (claim?.uid !== candidate.claim.uid || claim.cluster !== candidate.claim.cluster) return false;
  return id === candidate.markedSnapshot || (time ?? 0) > candidate.backup.time;
}

function lostError(lost: LostSnapshot, end: ProofEnd | null): CephbackupError {
  const others =
    end === null
      ? 'no other snapshot of the claim can be read'
      : `the newest that can be read is ${described(end)}`;
  const message = `${describeLost(lost)}; ${others}`;
  return new CephbackupError('SNAPSHOT_DAMAGED', message, { guidance: snapshotGuidance });
}

function described({ candidate: { backup }, outcome, error }: ProofEnd): string {
  const which = `${backup.id.slice(0, 8)} of ${rfc3339(backup.time)}`;
  if (outcome === 'verified') return `${which}, which is sound`;
  return outcome === 'damaged' ? `${which}, which is damaged, too: ${error?.message ?? ''}` : which;
}

function toProof(end: ProofEnd, newest: LostSnapshot | undefined, error: CephbackupError | null): ClaimProof {
  const { candidate, proven } = end;
  const { cluster, namespace, pvc, uid } = candidate.claim;
  const { backup, lastVerified } = candidate;
  const time = newest === undefined ? backup.time : newest.time;
  return {
    cluster,
    namespace,
    pvc,
    uid,
    pv: candidate.pv,
    kind: backup.kind,
    outcome: newest === undefined ? end.outcome : 'damaged',
    snapshot: newest?.id ?? backup.id,
    time: time === null ? null : rfc3339(time),
    bytes: proven?.bytes ?? 0,
    files: proven?.files ?? null,
    drill: proven?.drill ?? null,
    seconds: end.seconds,
    lastVerified: lastVerified === null ? null : rfc3339(lastVerified),
    warnings: end.warnings,
    error: error?.report() ?? null,
  };
}

/** A claim of which nothing can be read at all. */
function ofLost(
  { id, time, claim }: LostSnapshot & { claim: NonNullable<LostSnapshot['claim']> },
  error: CephbackupError,
): ClaimProof {
  const { cluster, namespace, pvc, uid } = claim;
  return {
    cluster,
    namespace,
    pvc,
    uid,
    pv: null,
    kind: claim.kind ?? '',
    outcome: 'damaged',
    snapshot: id,
    time: time === null ? null : rfc3339(time),
    bytes: 0,
    files: null,
    drill: null,
    seconds: 0,
    lastVerified: null,
    warnings: [],
    error: error.report(),
  };
}
