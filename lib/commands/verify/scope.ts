import type { Values } from '../../cli/options.js';
import type { verifyOptions } from './options.js';
import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import type { KubeApi } from '../../kube/api.js';
import { persistentVolumesPath } from '../../kube/paths.js';
import type { PersistentVolume } from '../../kube/types.js';
import { verifiedOn } from '../../plan/attempt.js';
import { clockToleranceMs, parseTime } from '../../plan/last-backup.js';
import { markedSnapshotOn } from '../../plan/marks.js';
import {
  backupsOf,
  groupByClaim,
  newestProven,
  type Backup,
  type StoredClaim,
} from '../../repository/claims.js';
import { clusterScope, elsewhere, type ClusterScope } from '../../repository/clusters.js';
import type { Marks } from '../../repository/proofs.js';
import type { Restic } from '../../tools/restic/restic.js';
import type { ResticSnapshot } from '../../tools/restic/snapshot.js';
import { lostSnapshots, type LostSnapshot, type MarkedVolume } from '../../verify/damage/lost.js';
import { byAgeOfProof, candidate, type Candidate } from '../../verify/rotation.js';
import { marksOf } from '../shared/backups.js';
import { defaultPrefix } from '../shared/cluster.js';
import type { CommandContext } from '../../cli/command.js';
import { ownCluster } from '../shared/own-cluster.js';
import { requireRestic, resticOf } from '../shared/repository.js';

export type VerifyValues = Values<typeof verifyOptions>;
export type VerifyContext = CommandContext<VerifyValues>;

/** What there is to prove, and everything that is needed to tell what damage hurts. */
export interface VerifyScope {
  /** For marks; null where none can be made. */
  api: KubeApi | null;
  prefix: string;
  /** In the order in which they are to be read. */
  candidates: Candidate[];
  lost: LostSnapshot[];
  snapshots: readonly ResticSnapshot[];
  /** Where that was looked for, and where else there is something, in words. */
  where: string;
  /** Everything of the clusters that are looked at. */
  backups: readonly Backup[];
  /** Tags that all of these have. */
  tags: readonly string[];
  warnings: string[];
}

/**
 * Reads cluster and repository, the cluster first: what its volumes name as their backups is in the repository by then.
 *
 * @param fresh restic with an empty cache
 * @throws CephbackupError REPOSITORY_…, KUBE_…, CLUSTER_UNCLEAR, SNAPSHOT_NOT_FOUND
 */
export async function readScope(context: VerifyContext, fresh: Restic): Promise<VerifyScope> {
  const { options, operands, signal } = context;
  const [cluster] = await Promise.all([readVolumes(context), requireRestic(fresh, signal)]);
  const { snapshots, unreadable } = await fresh.survey({ signal });
  const warnings = [...cluster.warnings];

  const all = backupsOf(snapshots, cluster.marks);
  const scope = clusterScope(options.cluster, cluster.name, new Set(all.map((backup) => backup.cluster)));
  const backups = all.filter((backup) => scope.includes(backup.cluster));
  const volumes = (cluster.volumes ?? []).filter((volume) => scope.includes(volume.cluster));
  const listed = new Set(
    snapshots.flatMap(({ id, original }) => [id, ...(original === undefined ? [] : [original])]),
  );
  const remembered = unreadable.length === 0 ? [] : await rememberedBackups(context, unreadable);
  const lost = lostSnapshots({ listed, unreadable, remembered, volumes }).filter(
    ({ claim }) => claim === null || scope.includes(claim.cluster),
  );

  const byUid = new Map(volumes.map((volume) => [volume.uid, volume]));
  const claims = groupByClaim(backups);
  const candidates = claims.flatMap((claim) => {
    const volume = byUid.get(claim.uid);
    return candidate(claim, volume?.cluster === claim.cluster ? volume : null) ?? [];
  });
  const unproven = claims.filter((claim) => newestProven(claim) === null);
  warnings.push(...unproven.map(nothingProven));
  const own = cluster.volumes === null ? null : cluster.name;
  const chosen =
    operands.length === 0
      ? // Claims that exist no more have nothing to be marked: they would be first each time.
        byAgeOfProof(candidates.filter(({ claim, pv }) => claim.cluster !== own || pv !== null))
      : named(operands, candidates, lost, { all, unproven, scope });
  if (own === null) {
    warnings.push('the proofs are not marked: no Kubernetes API is configured, or it does not answer');
  }
  const clusters = new Set(backups.map((backup) => backup.cluster));
  return {
    api: cluster.api,
    prefix: options.annotationPrefix ?? defaultPrefix,
    candidates: chosen,
    lost,
    snapshots,
    where: `${scope.name}${backups.length === 0 ? elsewhere(all.map((backup) => backup.cluster)) : ''}`,
    backups,
    tags: clusters.size === 1 ? [...clusters].map((name) => `cluster=${name}`) : [],
    warnings,
  };
}

function nothingProven({ namespace, pvc, backups }: StoredClaim): string {
  return `${namespace}/${pvc}: none of its ${backups.length} snapshots is known to be proven: there is no backup to read`;
}

/** @throws CephbackupError SNAPSHOT_NOT_FOUND where one of them has no backup; all of these are named */
function named(
  names: readonly string[],
  candidates: readonly Candidate[],
  lost: readonly LostSnapshot[],
  { all, unproven, scope }: { all: readonly Backup[]; unproven: readonly StoredClaim[]; scope: ClusterScope },
): Candidate[] {
  const is = (name: string) => (claim: { namespace: string; pvc: string }) =>
    `${claim.namespace}/${claim.pvc}` === name;
  const missing = names.filter(
    (name) =>
      !candidates.some(({ claim }) => is(name)(claim)) &&
      !lost.some(({ claim }) => claim !== null && is(name)(claim)),
  );
  if (missing.length > 0) {
    const hints = missing.map((name) => {
      const count = unproven.find(is(name))?.backups.length;
      return count === undefined
        ? `${name}${elsewhere(all.filter(is(name)).map(({ cluster }) => cluster))}`
        : `${name} (${count} snapshots, none of which is known to be proven)`;
    });
    throw new CephbackupError('SNAPSHOT_NOT_FOUND', `no backup in ${scope.name} of ${hints.join('; ')}`);
  }
  return candidates.filter(({ claim }) => names.some((name) => is(name)(claim)));
}

interface ReadVolumes {
  api: KubeApi | null;
  name: string | null;
  volumes: MarkedVolume[] | null;
  marks: Marks | null;
  warnings: string[];
}

/** A rotation without marks would read the same claims each time, so an API that is configured has to answer then. */
async function readVolumes(context: VerifyContext): Promise<ReadVolumes> {
  const { options, operands, signal, clock } = context;
  const required = operands.length === 0;
  const { api, name, warnings } = await ownCluster(context, required);
  if (api === null || name === null) return { api, name, volumes: null, marks: null, warnings };
  try {
    const prefix = options.annotationPrefix ?? defaultPrefix;
    const found = await api.list<PersistentVolume>(persistentVolumesPath, { signal });
    const volumes = found.flatMap((pv) => markedVolume(pv, name, prefix, clock()));
    return { api, name, volumes, marks: marksOf(found, name, prefix), warnings };
  } catch (thrown) {
    if (required || signal.aborted) throw thrown;
    const { message } = asCephbackupError(thrown);
    const without = [...warnings, `going on without marks: ${message}`];
    return { api: null, name, volumes: null, marks: null, warnings: without };
  }
}

/** A volume that belongs to a claim; marks that were made for another claim do not count. */
function markedVolume(pv: PersistentVolume, cluster: string, prefix: string, now: number): MarkedVolume[] {
  const { uid, namespace, name } = pv.spec?.claimRef ?? {};
  const annotations = pv.metadata?.annotations ?? {};
  if (pv.metadata?.name === undefined || !uid || !namespace || !name) return [];
  const value = (key: string): string | null => annotations[`${prefix}/${key}`] ?? null;
  const past = (time: number | null) => (time !== null && time <= now + clockToleranceMs ? time : null);
  const owns = value('last-backup-claim') === uid;
  return [
    {
      cluster,
      namespace,
      pvc: name,
      uid,
      pv: pv.metadata.name,
      markedSnapshot: markedSnapshotOn(pv, uid, prefix),
      markedTime: owns ? past(parseTime(value('last-backup')?.trim() ?? '')) : null,
      lastVerified: past(verifiedOn(annotations, prefix, uid)),
    },
  ];
}

/** What restic's usual cache still knows of snapshots whose files are damaged. */
async function rememberedBackups(context: VerifyContext, ids: readonly string[]): Promise<Backup[]> {
  try {
    const { snapshots } = await resticOf(context).survey({ signal: context.signal });
    return backupsOf(snapshots, null).filter(({ id }) => ids.includes(id));
  } catch {
    context.signal.throwIfAborted();
    return [];
  }
}
