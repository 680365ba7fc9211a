import { asCephbackupError, CephbackupError } from '../errors/error.js';
import { readStorageClasses } from '../kube/inventory.js';
import type { StorageClass } from '../kube/types.js';
import type { Plan, Reason } from '../plan/types.js';
import { claimManifest, saveManifests } from '../repository/manifests.js';
import type { Restic } from '../tools/restic.js';
import { readImageFacts } from '../volumes/image-facts.js';
import { locateImage, type ClientsFor } from '../volumes/rbd-image.js';
import type { Cluster } from './cluster.js';
import type { CommandContext } from './context.js';

export interface ManifestsEnd {
  warnings: string[];
  error: CephbackupError | null;
}

/** Claims that are no claims of Ceph volumes. */
const notConsidered: ReadonlySet<Reason> = new Set(['not-bound', 'claim-mismatch', 'not-ceph']);

/** Saves what is needed to recreate the claims, before any volume is marked. Never throws. */
export async function saveRunManifests(
  context: CommandContext<{ concurrency: number | null }>,
  {
    cluster,
    plan,
    restic,
    lease,
  }: { cluster: Cluster; plan: Plan; restic: Restic; lease: { runId: string } },
  clientsFor: ClientsFor,
  signal: AbortSignal,
): Promise<ManifestsEnd> {
  const warnings: string[] = [];
  const considered = plan.volumes.filter(({ reason }) => !notConsidered.has(reason));
  if (considered.length === 0) return { warnings, error: null };
  try {
    const [storageClasses, images] = await Promise.all([
      readStorageClasses(cluster.api, { signal }).catch((thrown: unknown): StorageClass[] => {
        warnings.push(`storage classes are not saved: ${asCephbackupError(thrown).message}`);
        return [];
      }),
      readImageFacts(considered, locateImage(clientsFor), context.options.concurrency ?? 4, signal),
    ]);
    for (const problem of images.problems) context.log.debug(problem);
    const manifests = {
      version: 1 as const,
      cluster: cluster.name,
      run: lease.runId,
      time: new Date(context.clock()).toISOString(),
      claims: considered.map((volume) => claimManifest(volume, images.facts.get(volume.uid) ?? null)),
      storageClasses,
    };
    const id = await saveManifests(restic, manifests, signal);
    context.log.info('saved manifests', { snapshot: id.slice(0, 8), claims: considered.length });
    return { warnings, error: null };
  } catch (thrown) {
    const cause = asCephbackupError(thrown);
    if (signal.aborted) return { warnings, error: null };
    const message = `the manifests of this run could not be saved: ${cause.message}`;
    return { warnings, error: new CephbackupError('MANIFESTS_NOT_SAVED', message, { cause }) };
  }
}
