import { dump } from 'js-yaml';
import type { manifestsOptions } from './options.js';
import type { Values } from '../../cli/options.js';
import { CephbackupError } from '../../errors/error.js';
import type { ClaimManifest } from '../../repository/manifests.js';
import { printable } from '../../log/logger.js';
import { backupsOf } from '../../repository/claims.js';
import { chooseBackup, chooseClaim, type Wanted } from '../../repository/choose.js';
import { clusterScope, elsewhere, type ClusterScope } from '../../repository/clusters.js';
import {
  findManifest,
  nearestFirst,
  newestFirst,
  savedManifests,
  type SavedManifests,
} from '../../repository/saved-manifests.js';
import { staticManifests } from '../../restore/static-manifests.js';
import type { ResticSnapshot } from '../../tools/restic/restic.js';
import { defaultPrefix } from '../shared/cluster.js';
import type { Command, CommandContext } from '../../cli/command.js';
import { ownCluster } from '../shared/own-cluster.js';
import { requireRestic, resticOf } from '../shared/repository.js';
import { wantedOf } from '../shared/wanted.js';

type ManifestsValues = Values<typeof manifestsOptions>;

/** Prints what recreates a claim and its volume, as it was when the backup was made. */
export const manifests: Command<ManifestsValues> = async (context) => {
  const { options, signal, log } = context;
  const restic = resticOf(context);
  const [{ snapshots }, own] = await Promise.all([
    restic.survey({ signal }),
    ownCluster(context),
    requireRestic(restic, signal),
  ]);
  for (const warning of own.warnings) log.warn(warning);
  const { ordered, isMeant, hint } = search(context, snapshots, own.name);
  const found = await findManifest(restic, ordered, isMeant, signal);
  if (found === null) {
    throw new CephbackupError('MANIFESTS_NOT_FOUND', `no manifests of ${context.operands[0] ?? ''}${hint}`);
  }

  const { items, notes } = staticManifests({
    claim: found.claim,
    prefix: options.annotationPrefix ?? defaultPrefix,
    image: options.toImage,
    claimOnly: options.claimOnly === true,
  });
  for (const note of notes) log.warn(note);
  const list = { apiVersion: 'v1', kind: 'List', items };
  const comments = notes.map((note) => `# ${printable(note)}\n`).join('');
  return { document: list, table: comments + dump(list, { noRefs: true, lineWidth: -1 }), exitCode: 0 };
};

interface Search {
  ordered: SavedManifests[];
  isMeant: (claim: ClaimManifest) => boolean;
  /** Where else there are some. */
  hint: string;
}

/** Where to look, and for which claim. @throws CephbackupError SNAPSHOT_NOT_FOUND, CLAIM_AMBIGUOUS, CLUSTER_UNCLEAR */
function search(
  { options, operands }: CommandContext<ManifestsValues>,
  snapshots: readonly ResticSnapshot[],
  own: string | null,
): Search {
  const wanted = wantedOf(operands[0] ?? '', options);
  const saved = savedManifests(snapshots);
  const scope = clusterScope(options.cluster, own, new Set(saved.map(({ cluster }) => cluster)));
  const inScope = saved.filter(({ cluster }) => scope.includes(cluster));
  const named = (claim: ClaimManifest) =>
    claim.namespace === wanted.namespace &&
    claim.pvc === wanted.pvc &&
    (wanted.uid === null || claim.uid === wanted.uid);

  const others = saved.filter(({ cluster }) => !scope.includes(cluster));
  const hint = ` in ${scope.name}${elsewhere(others.map(({ cluster }) => cluster))}`;
  const chosen = inScope.filter(({ id }) => wanted.snapshot !== null && id.startsWith(wanted.snapshot));
  if (chosen.length === 1) return { ordered: chosen, isMeant: named, hint };

  const backups = backupsOf(snapshots);
  const hasBackups = backups.some(
    (backup) =>
      backup.namespace === wanted.namespace && backup.pvc === wanted.pvc && scope.includes(backup.cluster),
  );
  // A claim that was never backed up is in the manifests all the same.
  if (!hasBackups && (wanted.snapshot ?? 'latest') === 'latest') {
    return { ordered: newestFirst(inScope.filter(notAfter(wanted.asOf))), isMeant: named, hint };
  }
  return { ...ofBackup(backups, wanted, scope, inScope), hint };
}

function ofBackup(
  backups: ReturnType<typeof backupsOf>,
  wanted: Wanted,
  scope: ClusterScope,
  saved: SavedManifests[],
): Omit<Search, 'hint'> {
  if (wanted.asOf !== null) {
    const { uid } = chooseClaim(backups, wanted, scope);
    return {
      ordered: newestFirst(saved.filter(notAfter(wanted.asOf))),
      isMeant: (claim) => claim.uid === uid,
    };
  }
  const { uid, time, cluster } = chooseBackup(backups, wanted, scope);
  const sameCluster = saved.filter((one) => one.cluster === cluster);
  return { ordered: nearestFirst(sameCluster, time), isMeant: (claim) => claim.uid === uid };
}

function notAfter(time: number | null): (saved: SavedManifests) => boolean {
  return (saved) => time === null || saved.time <= time;
}
