import type { ClaimProof, VerifyReport } from '../verify/report.js';
import { claimLabels, gauge, mostClaims, seconds, single, type Family } from './family.js';

/** What `verify` says of claims that exist; those that exist no more have nothing to be looked after. */
export function verifyMetrics({ claims, damage }: VerifyReport): Family[] {
  const living = claims.filter(({ pv }) => pv !== null);
  const shown = living.slice(0, mostClaims);
  const hurt = new Set(damage.flatMap((one) => one.claims.map(({ cluster, uid }) => `${cluster}\n${uid}`)));
  const each = (value: (claim: ClaimProof) => number) =>
    shown.map((claim) => ({ labels: claimLabels(claim), value: value(claim) }));
  const count = (wanted: ClaimProof['outcome']) => claims.filter(({ outcome }) => outcome === wanted).length;
  return [
    gauge(
      'cephbackup_verify_claims',
      'Claims by what the last verify found.',
      (['verified', 'damaged', 'failed', 'not-attempted'] as const).map((outcome) => ({
        labels: { outcome },
        value: count(outcome),
      })),
    ),
    single(
      'cephbackup_verify_claims_hidden',
      'Claims without metrics of their own.',
      living.length - shown.length,
    ),
    single('cephbackup_verify_damaged_volumes', 'Claims with damaged backups.', hurt.size),
    single('cephbackup_verify_damaged_objects', 'Packs, indexes and snapshots found damaged.', damage.length),
    gauge(
      'cephbackup_last_verified_timestamp_seconds',
      'When the backup of a volume was last proven to restore; 0: never.',
      each(({ lastVerified }) => seconds(lastVerified)),
    ),
    gauge(
      'cephbackup_verify_volume_damaged',
      'Whether some backup of a volume is damaged (1) or none is known to be (0).',
      each(({ cluster, uid, outcome }) => (outcome === 'damaged' || hurt.has(`${cluster}\n${uid}`) ? 1 : 0)),
    ),
  ];
}
