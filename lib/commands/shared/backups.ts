import type { Values } from '../../cli/options.js';
import type { CommandContext } from '../../cli/command.js';
import { asCephbackupError } from '../../errors/error.js';
import type { KubeApi } from '../../kube/api.js';
import { persistentVolumesPath } from '../../kube/paths.js';
import type { PersistentVolume } from '../../kube/types.js';
import { markedIds } from '../../plan/marks.js';
import { backupsOf, type Backup } from '../../repository/claims.js';
import type { Marks } from '../../repository/proofs.js';
import type { ResticSnapshot } from '../../tools/restic/snapshot.js';
import { defaultPrefix } from './cluster.js';
import type { commonOptions } from './options/common.js';
import { ownCluster, type OwnCluster } from './own-cluster.js';
import { surveyRepository, type LimitValues } from './repository.js';

export type KnownValues = LimitValues &
  Pick<Values<typeof commonOptions>, 'kubeconfig' | 'clusterName' | 'annotationPrefix'>;

/** What the repository holds, and what is known of its proofs. */
export interface KnownBackups {
  snapshots: ResticSnapshot[];
  /** Of all clusters. */
  backups: Backup[];
  /** Ids of snapshots whose files cannot be read. */
  unreadable: string[];
  own: OwnCluster;
  warnings: string[];
}

/**
 * For commands that need no Kubernetes: the marks are asked for where there is an API, after the repository was
 * read: a backup that was made meanwhile is passed over by both.
 * @throws CephbackupError RESTIC_TOO_OLD, REPOSITORY_…, KUBECONFIG_INVALID
 */
export async function readBackups(context: CommandContext<KnownValues>): Promise<KnownBackups> {
  const [{ snapshots, unreadable }, own] = await Promise.all([
    surveyRepository(context),
    ownCluster(context),
  ]);
  const warnings = [...own.warnings];
  const marks = await readMarks(context, own).catch((thrown: unknown) => {
    context.signal.throwIfAborted();
    warnings.push(`going on without the marks of PersistentVolumes: ${asCephbackupError(thrown).message}`);
    return null;
  });
  return { snapshots, backups: backupsOf(snapshots, marks), unreadable, own, warnings };
}

/** Who needs no marks must not wait long for them. */
const patienceMs = 5_000;

async function readMarks(
  { options, signal }: CommandContext<KnownValues>,
  { api, name }: { api: KubeApi | null; name: string | null },
): Promise<Marks | null> {
  if (api === null || name === null) return null;
  const volumes = await api.list<PersistentVolume>(persistentVolumesPath, { signal, patienceMs });
  return marksOf(volumes, name, options.annotationPrefix ?? defaultPrefix);
}

/** What a cluster's PersistentVolumes say of its backups. */
export function marksOf(volumes: readonly PersistentVolume[], cluster: string, prefix: string): Marks {
  return { cluster, ids: markedIds(volumes, prefix) };
}
