import { CephbackupError } from '../errors/error.js';
import { rfc3339, type EpochMs } from '../log/time.js';
import type { Backup } from './claims.js';
import type { ClaimManifest, Manifests } from './manifests.js';
import { counts } from './proofs.js';
import { mostRuns, newestFirst, type SavedManifests } from './saved-manifests.js';

/** What shares one moment. */
export interface GroupName {
  namespace: string;
  name: string;
}

export interface GroupMoment {
  time: EpochMs;
  /** One of each member, by the claims' names; never empty. */
  members: Backup[];
}

export interface GroupSearch {
  /** Of one cluster. */
  backups: readonly Backup[];
  /** Of the same cluster. */
  saved: readonly SavedManifests[];
  read: (saved: SavedManifests) => Promise<Pick<Manifests, 'run' | 'narrowed' | 'claims'>>;
  /** Is told of newer moments that lack a member. */
  warn: (text: string) => void;
}

type Member = Pick<ClaimManifest, 'uid' | 'pvc'>;

/**
 * The newest moment of a group that is not later than `asOf` and of which every member has a proven backup. Who was a member
 * is what the run said that made the moment; where it left out claims, also what the last run said before it that did not.
 *
 * @throws CephbackupError GROUP_INCOMPLETE, SNAPSHOT_NOT_FOUND, MANIFESTS_INVALID, REPOSITORY_…
 */
export async function findGroupMoment(
  { backups, saved, read, warn }: GroupSearch,
  { namespace, name }: GroupName,
  asOf: EpochMs | null,
): Promise<GroupMoment> {
  const latest = asOf ?? Infinity;
  const ordered = newestFirst(saved.filter(({ time }) => time <= latest));
  const proven = backups.filter(({ time, proof }) => time <= latest && counts(proof));
  const membersIn = async (one: SavedManifests) => {
    const { run, narrowed = false, claims } = await read(one);
    const members = claims.filter((claim) => claim.namespace === namespace && claim.group === name);
    return { run, narrowed, members, told: new Set(claims.map(({ uid }) => uid)) };
  };
  const runs = new Set<string>();
  const incomplete: string[] = [];
  let end = Infinity;
  for (const [at, one] of ordered.entries()) {
    const { run, narrowed, members: own, told } = await membersIn(one);
    if (runs.add(run).size > mostRuns) break;
    const members = [...own];
    for (const older of narrowed && own.length > 0 ? ordered.slice(at + 1, at + 1 + mostRuns) : []) {
      const found = await membersIn(older);
      members.push(...found.members.filter(({ uid }) => !told.has(uid)));
      for (const uid of found.told) told.add(uid);
      if (!found.narrowed) break;
    }
    const moment = momentOf(members, proven, one.time, end);
    end = one.time;
    if (moment === null) continue;
    const shown = `${namespace}/${name} of ${rfc3339(moment.time)}`;
    if (moment.missing.length === 0) {
      for (const text of incomplete) warn(`passed over: ${text}`);
      return { time: moment.time, members: moment.members };
    }
    const missing = moment.missing.map(({ pvc }) => `${namespace}/${pvc}`).join(', ');
    incomplete.push(`the moment of ${shown} lacks a proven backup of ${missing}`);
  }
  const when = asOf === null ? '' : ` as of ${rfc3339(asOf)}`;
  if (incomplete.length > 0)
    throw new CephbackupError('GROUP_INCOMPLETE', `no moment is complete${when}: ${incomplete.join('; ')}`);
  throw new CephbackupError('SNAPSHOT_NOT_FOUND', `no backup of a group ${namespace}/${name}${when}`);
}

/** The last moment that began with a run's manifests and before the next run's; null where no member has a backup of it. */
function momentOf(
  members: readonly Member[],
  proven: readonly Backup[],
  begin: EpochMs,
  end: EpochMs,
): (GroupMoment & { missing: Member[] }) | null {
  const of = (uid: string) =>
    proven.filter((backup) => backup.uid === uid && backup.time >= begin && backup.time < end);
  const times = members.flatMap(({ uid }) => of(uid).map(({ time }) => time));
  if (times.length === 0) return null;
  const time = Math.max(...times);
  const found = members.map((member) => ({
    member,
    backup: of(member.uid).find((backup) => backup.time === time),
  }));
  return {
    time,
    members: found
      .flatMap(({ backup }) => backup ?? [])
      .toSorted((a, b) => (a.pvc < b.pvc ? -1 : a.pvc > b.pvc ? 1 : 0)),
    missing: found.filter(({ backup }) => backup === undefined).map(({ member }) => member),
  };
}
