import { dump } from 'js-yaml';
import type { manifestsOptions } from './options.js';
import type { Values } from '../../cli/options.js';
import { CephbackupError } from '../../errors/error.js';
import type { ClaimManifest } from '../../repository/manifests.js';
import { printable } from '../../log/logger.js';
import { chooseBackup, chooseClaim } from '../../repository/choose.js';
import { clusterScope, elsewhere } from '../../repository/clusters.js';
import {
  findManifest,
  nearestFirst,
  newestFirst,
  savedManifests,
  type SavedManifests,
} from '../../repository/saved-manifests.js';
import { staticManifests } from '../../restore/static-manifests.js';
import { defaultPrefix } from '../shared/cluster.js';
import type { Command, CommandContext } from '../../cli/command.js';
import { readBackups, type KnownBackups } from '../shared/backups.js';
import { resticOf } from '../shared/repository.js';
import { wantedOf } from '../shared/wanted.js';

type ManifestsValues = Values<typeof manifestsOptions>;

/** Prints what recreates a claim and its volume, as it was when the backup was made. */
export const manifests: Command<ManifestsValues> = async (context) => {
  const { options, signal, log } = context;
  const restic = resticOf(context);
  const known = await readBackups(context);
  for (const warning of known.warnings) log.warn(warning);
  const { ordered, isMeant, hint } = search(context, known);
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
  { options, operands, log }: CommandContext<ManifestsValues>,
  { snapshots, backups, own }: KnownBackups,
): Search {
  const wanted = wantedOf(operands[0] ?? '', options);
  const saved = savedManifests(snapshots);
  const scope = clusterScope(options.cluster, own.name, new Set(saved.map(({ cluster }) => cluster)));
  const inScope = saved.filter(({ cluster }) => scope.includes(cluster));
  const named = (claim: ClaimManifest) =>
    claim.namespace === wanted.namespace &&
    claim.pvc === wanted.pvc &&
    (wanted.uid === null || claim.uid === wanted.uid);

  const others = saved.filter(({ cluster }) => !scope.includes(cluster));
  const hint = ` in ${scope.name}${elsewhere(others.map(({ cluster }) => cluster))}`;
  const chosen = inScope.filter(({ id }) => wanted.snapshot !== null && id.startsWith(wanted.snapshot));
  if (chosen.length === 1) return { ordered: chosen, isMeant: named, hint };

  const hasBackups = backups.some(
    (backup) =>
      backup.namespace === wanted.namespace && backup.pvc === wanted.pvc && scope.includes(backup.cluster),
  );
  // A claim that was never backed up is in the manifests all the same.
  if (!hasBackups && (wanted.snapshot ?? 'latest') === 'latest') {
    return { ordered: newestFirst(inScope.filter(notAfter(wanted.asOf))), isMeant: named, hint };
  }
  const warn = (text: string) => {
    log.warn(text);
  };
  const meant =
    wanted.asOf === null ? chooseBackup(backups, wanted, scope, warn) : chooseClaim(backups, wanted, scope);
  const sameCluster = inScope.filter(({ cluster }) => cluster === meant.cluster);
  const ordered =
    'time' in meant
      ? nearestFirst(sameCluster, meant.time)
      : newestFirst(sameCluster.filter(notAfter(wanted.asOf)));
  return { ordered, isMeant: (claim) => claim.uid === meant.uid, hint };
}

function notAfter(time: number | null): (saved: SavedManifests) => boolean {
  return (saved) => time === null || saved.time <= time;
}
