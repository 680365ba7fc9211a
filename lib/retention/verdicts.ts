import pLimit from 'p-limit';
import type { StoredClaim } from '../repository/claims.js';
import type { Restic, ResticSnapshot } from '../tools/restic/restic.js';
import { forgetVerdicts, type ForgetVerdict, type Options } from '../tools/restic/prune.js';
import type { Verdict } from './plan.js';

/** restic processes at a time. */
const concurrency = 4;

export interface VerdictRequest {
  cluster: string;
  /** The claims whose snapshots are to be judged. */
  claims: readonly StoredClaim[];
  /** All of the repository. */
  snapshots: readonly ResticSnapshot[];
  /** restic's `--keep-…` options, at least one. */
  rules: readonly string[];
}

/**
 * What restic's own rules say, for each claim by itself, by snapshot id. Nearly every claim's snapshots have the same
 * tags all their lives, so that one call judges all claims; a claim whose tags have changed (it is backed up as an image
 * now, say) would then be two groups, and gets a call of its own.
 *
 * @throws CephbackupError REPOSITORY_…
 */
export async function readVerdicts(
  restic: Restic,
  { cluster, claims, snapshots, rules }: VerdictRequest,
  options: Options,
): Promise<Map<string, Verdict>> {
  if (claims.length === 0) return new Map();
  const tagsOf = new Map(snapshots.map(({ id, tags }) => [id, tags.toSorted().join('\n')]));
  const changed = claims.filter(({ backups }) => new Set(backups.map(({ id }) => tagsOf.get(id))).size > 1);
  const limit = pLimit(concurrency);
  const [all, ...single] = await Promise.all([
    forgetVerdicts(restic, { rules, tags: [`cluster=${cluster}`], groupBy: 'tags' }, options),
    ...changed.map(({ uid }) =>
      limit(() =>
        forgetVerdicts(restic, { rules, tags: [`cluster=${cluster}`, `uid=${uid}`], groupBy: '' }, options),
      ),
    ),
  ]);
  return new Map([all, ...single].flatMap((verdicts: ForgetVerdict[]) => verdicts.map(byId)));
}

function byId({ id, keep, reasons }: ForgetVerdict): [string, Verdict] {
  return [id, { keep, reasons }];
}
