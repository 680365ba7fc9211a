import type { restoreOptions } from './options.js';
import type { Values } from '../../cli/options.js';
import { isConfigured } from '../../kube/connection.js';
import type { Lease } from '../../kube/lease/acquire.js';
import { buildPlan } from '../../plan/plan.js';
import type { PlannedVolume } from '../../plan/types.js';
import { refuseUsedClaim } from '../../restore/in-use.js';
import type { RestoreJob } from '../../restore/job.js';
import type { ResticSnapshot } from '../../tools/restic/snapshot.js';
import type { ImageTools } from '../../restore/block/to-image.js';
import { startDaemon } from '../../tools/process/daemon.js';
import { childEnvironment } from '../../tools/process/environment.js';
import { RbdWriter } from '../../tools/rbd/write.js';
import type { ImageSpec } from '../../tools/rbd/image-spec.js';
import type { CephClients, ClientsFor } from '../../volumes/rbd/image.js';
import { notNarrowed, policyOf, readCluster, type Cluster } from '../shared/cluster.js';
import { cephClients } from '../shared/ceph.js';
import type { CommandContext } from '../../cli/command.js';
import { refuseAnotherLease } from '../shared/lease-namespace.js';
import { ownLease } from '../shared/own-lease.js';

export type RestoreValues = Values<typeof restoreOptions>;
export type RestoreContext = CommandContext<RestoreValues>;

/** What says where a cluster is, and how images are mapped. */
export type PlaceContext = CommandContext<
  Pick<
    RestoreValues,
    | 'kubeconfig'
    | 'clusterName'
    | 'leaseNamespace'
    | 'annotationPrefix'
    | 'mapper'
    | 'cephConf'
    | 'cephUser'
    | 'cephKeyring'
    | 'cephUsers'
    | 'cephClusters'
    | 'drivers'
  >
>;

/** The cluster that is restored into. */
export interface Place {
  /** Null where no Kubernetes API is configured: an image can be restored all the same. */
  cluster: Cluster | null;
  lease: Lease | null;
  /** All claims of the cluster, with their sources. */
  volumes: readonly PlannedVolume[];
  clientsFor: ClientsFor;
}

/** Everything that a way to restore is given. */
export interface Assignment<Context = RestoreContext> {
  context: Context;
  job: RestoreJob;
  snapshots: readonly ResticSnapshot[];
  place: Place;
}

/** A place with the Kubernetes cluster whose it is. */
export type OwnPlace = Place & { cluster: Cluster; lease: Lease };

/** @throws CephbackupError RUN_IN_PROGRESS, KUBE_… */
export async function openPlace(context: RestoreContext): Promise<Place> {
  const { options, env } = context;
  if (options.toPvc === null && options.kubeconfig === null && !(await isConfigured(env))) {
    return { cluster: null, lease: null, volumes: [], clientsFor: cephClients(context) };
  }
  return openOwnPlace(context);
}

/** Reads the cluster, and takes the lease: no backup may run while volumes are written. @throws CephbackupError RUN_IN_PROGRESS, KUBE_… */
export async function openOwnPlace(context: PlaceContext): Promise<OwnPlace> {
  const { options, env } = context;
  const cluster = await readCluster(context);
  await refuseAnotherLease(context, cluster);
  const policy = policyOf({ ...options, ...notNarrowed }, env);
  const { volumes } = buildPlan(cluster.inventory, policy, new Date(context.clock()));
  return { cluster, lease: await ownLease(context, cluster), volumes, clientsFor: cephClients(context) };
}

export function imageTools({ exec, env }: PlaceContext, { rbd, ceph }: CephClients): ImageTools {
  return { rbd, ceph, writer: new RbdWriter(exec, rbd), startDaemon, env: childEnvironment(env) };
}

/** The claims whose volume is this image. */
export function claimsOfImage(volumes: readonly PlannedVolume[], image: ImageSpec): PlannedVolume[] {
  return volumes.filter(
    ({ source }) =>
      source !== null &&
      'image' in source &&
      source.pool === image.pool &&
      source.radosNamespace === image.namespace &&
      source.image === image.image,
  );
}

/** The claims that see files of this one: several volumes may show one subvolume, or a folder in it. */
export function claimsOfShare(volumes: readonly PlannedVolume[], volume: PlannedVolume): PlannedVolume[] {
  return [
    volume,
    ...volumes.filter((other) => other.uid !== volume.uid && overlap(volume.source, other.source)),
  ];
}

function overlap(one: PlannedVolume['source'], other: PlannedVolume['source']): boolean {
  if (one === null || other === null || 'image' in one || 'image' in other) return false;
  // What is not named may be the same.
  const differ = (a: string | null, b: string | null) => a !== null && b !== null && a !== b;
  if (differ(one.cluster, other.cluster) || differ(one.fs, other.fs)) return false;
  if (one.path === null || other.path === null) {
    return one.subvolume !== null && one.subvolume === other.subvolume && one.group === other.group;
  }
  const [a, b] = [`${one.path}/`, `${other.path}/`].map((path) => path.replace(/\/+/g, '/')) as [
    string,
    string,
  ];
  return a.startsWith(b) || b.startsWith(a);
}

/** Refuses what a pod or a node uses. @throws CephbackupError TARGET_IN_USE, KUBE_… */
export async function refuseUsed(
  { cluster }: Place,
  claims: readonly PlannedVolume[],
  signal: AbortSignal,
): Promise<void> {
  if (cluster === null) return;
  for (const { namespace, pvc, pv } of claims) {
    await refuseUsedClaim(cluster.api, { namespace, pvc, pv: pv ?? '' }, { signal });
  }
}
