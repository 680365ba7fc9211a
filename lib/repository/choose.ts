import { CephbackupError } from '../errors/error.js';
import { rfc3339 } from '../log/time.js';
import { groupByClaim, newest, type Backup, type StoredClaim } from './claims.js';
import { elsewhere, type ClusterScope } from './clusters.js';

export interface Wanted {
  namespace: string;
  pvc: string;
  /** --uid */
  uid: string | null;
  /** --snapshot: `latest`, or the beginning of an id. */
  snapshot: string | null;
  /** --as-of, milliseconds since the epoch. */
  asOf: number | null;
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

/** The backup that is meant. @throws CephbackupError SNAPSHOT_NOT_FOUND, CLAIM_AMBIGUOUS */
export function chooseBackup(backups: readonly Backup[], wanted: Wanted, scope: ClusterScope): Backup {
  const { snapshot, asOf } = wanted;
  if (snapshot !== null && snapshot !== 'latest') return byId(backups, snapshot, wanted, scope);
  const claim = chooseClaim(backups, wanted, scope);
  if (asOf === null) return newest(claim);
  const found = claim.backups.findLast(({ time }) => time <= asOf);
  if (found !== undefined) return found;
  throw new CephbackupError(
    'SNAPSHOT_NOT_FOUND',
    `no backup of ${wanted.namespace}/${wanted.pvc} as of ${rfc3339(asOf)}: the oldest is of ${rfc3339(claim.backups[0].time)}`,
  );
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
