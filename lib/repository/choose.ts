import { CephbackupError } from '../errors/error.js';
import { rfc3339, type EpochMs } from '../log/time.js';
import { groupByClaim, newestProven, passedOver, type Backup, type StoredClaim } from './claims.js';
import { elsewhere, type ClusterScope } from './clusters.js';
import { counts, type Proof } from './proofs.js';

export interface Wanted {
  namespace: string;
  pvc: string;
  /** --uid */
  uid: string | null;
  /** --snapshot: `latest`, or the beginning of an id. */
  snapshot: string | null;
  /** What --as-of says. */
  asOf: EpochMs | null;
}

/**
 * The one claim that is meant. Several claims that had the name, one after the other or in several clusters, are never
 * mixed up, and none is chosen silently.
 *
 * @throws CephbackupError SNAPSHOT_NOT_FOUND, CLAIM_AMBIGUOUS
 */
export function chooseClaim(
  backups: readonly Backup[],
  { namespace, pvc, uid }: Wanted,
  scope: ClusterScope,
): StoredClaim {
  const named = backups.filter((backup) => backup.namespace === namespace && backup.pvc === pvc);
  const fitting = named.filter((backup) => uid === null || backup.uid === uid);
  const claims = groupByClaim(fitting.filter(({ cluster }) => scope.includes(cluster)));
  const [claim, ...others] = claims;
  if (claim === undefined) {
    const who = `${namespace}/${pvc}${uid === null ? '' : ` with UID ${uid}`}`;
    const near = uid === null ? [] : groupByClaim(named.filter(({ cluster }) => scope.includes(cluster)));
    const hint = elsewhere(fitting.map(({ cluster }) => cluster));
    const list = hint === '' && near.length > 0 ? `; there is ${near.map(describe).join('; ')}` : hint;
    throw new CephbackupError('SNAPSHOT_NOT_FOUND', `no backup of ${who} in ${scope.name}${list}`);
  }
  if (others.length > 0) {
    const list = claims.map(describe).join('; ');
    throw new CephbackupError(
      'CLAIM_AMBIGUOUS',
      `${claims.length} claims had the name ${namespace}/${pvc}, choose one: ${list}`,
    );
  }
  return claim;
}

/**
 * The backup that is meant: the newest proven one, or the newest proven one as of a time; another only if it is named.
 * @param warn is told what was passed over, and that what was named is not proven
 * @throws CephbackupError SNAPSHOT_NOT_FOUND, CLAIM_AMBIGUOUS
 */
export function chooseBackup(
  backups: readonly Backup[],
  wanted: Wanted,
  scope: ClusterScope,
  warn: (text: string) => void,
): Backup {
  const { snapshot, asOf } = wanted;
  if (snapshot !== null && snapshot !== 'latest') {
    const named = byId(backups, snapshot, wanted, scope);
    if (named.proof === 'image') warn(describeUnproven(named));
    else if (!counts(named.proof)) warn(`${describeUnproven(named)}: it may be incomplete or wrong`);
    return named;
  }
  const claim = upTo(chooseClaim(backups, wanted, scope), asOf);
  const found = newestProven(claim);
  const over = passedOver(claim);
  if (found === null) throw noneProven(over, wanted);
  if (found.proof === 'untold') warn(describeUntold(found));
  for (const one of over) {
    warn(
      `${describeUnproven(one)}, and passed over; --snapshot ${one.id.slice(0, 8)} would take it all the same`,
    );
  }
  return found;
}

/** The claim as it was at this time. @throws CephbackupError SNAPSHOT_NOT_FOUND */
function upTo(claim: StoredClaim, asOf: number | null): StoredClaim {
  if (asOf === null) return claim;
  const [oldest, ...others] = claim.backups.filter(({ time }) => time <= asOf);
  if (oldest !== undefined) return { ...claim, backups: [oldest, ...others] };
  throw new CephbackupError(
    'SNAPSHOT_NOT_FOUND',
    `no backup of ${claim.namespace}/${claim.pvc} as of ${rfc3339(asOf)}: the oldest is of ${rfc3339(claim.backups[0].time)}`,
  );
}

function noneProven(snapshots: readonly Backup[], { namespace, pvc, asOf }: Wanted): CephbackupError {
  const when = asOf === null ? '' : ` as of ${rfc3339(asOf)}`;
  const list = snapshots.map(describeUnproven).join('; ');
  const message = `no proven backup of ${namespace}/${pvc}${when}, only: ${list}`;
  const guidance =
    'Back the claim up with `cephbackup run`; --snapshot ID takes one that is not proven all the same.';
  return new CephbackupError('SNAPSHOT_NOT_FOUND', message, { guidance });
}

function describeUntold({ id, time }: Backup): string {
  return `snapshot ${id.slice(0, 8)} of ${rfc3339(time)} is of a release that kept no record of what it proved, and no mark is known to name it: whether it is complete is not known`;
}

const uncounted: Partial<Record<Proof, string>> = {
  changed: 'was changed since it was proven',
  image: 'is no backup of files but the whole disk, of a filesystem that could not be mended',
};

function describeUnproven({ id, time, proof }: Backup): string {
  return `snapshot ${id.slice(0, 8)} of ${rfc3339(time)} ${uncounted[proof] ?? 'is not proven'}`;
}

/** An id says exactly which backup is meant, whatever else had the claim's name. */
function byId(backups: readonly Backup[], id: string, wanted: Wanted, scope: ClusterScope): Backup {
  const { namespace, pvc, uid } = wanted;
  const matching = backups.filter((backup) => backup.id.startsWith(id));
  const fitting = matching.filter(
    (backup) => backup.namespace === namespace && backup.pvc === pvc && (uid === null || backup.uid === uid),
  );
  const [found, ...others] = fitting.filter(({ cluster }) => scope.includes(cluster));
  if (found !== undefined && others.length === 0) return found;
  const missing = (why: string) => new CephbackupError('SNAPSHOT_NOT_FOUND', why);
  if (found !== undefined) throw missing(`several snapshots of ${namespace}/${pvc} begin with ${id}`);
  const [away] = fitting;
  if (away !== undefined) throw missing(`snapshot ${id} is not in ${scope.name}${elsewhere([away.cluster])}`);
  const [other] = matching;
  const whose =
    other === undefined ? '' : `: it is one of ${other.namespace}/${other.pvc} with UID ${other.uid}`;
  throw missing(`no snapshot ${id} of ${namespace}/${pvc} in ${scope.name}${whose}`);
}

function describe({ cluster, uid, backups }: StoredClaim): string {
  const [first] = backups;
  const last = backups.at(-1) ?? first;
  const count = backups.length === 1 ? '1 snapshot' : `${backups.length} snapshots`;
  const span = `${rfc3339(first.time)} to ${rfc3339(last.time)}`;
  return `--uid ${uid} (${count}, ${span}, cluster ${JSON.stringify(cluster)})`;
}
