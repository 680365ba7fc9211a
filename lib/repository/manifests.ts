import type { EpochMs } from '../log/time.js';
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '../kube/types.js';
import type { PlannedVolume } from '../plan/types.js';
import type { Restic } from '../tools/restic/restic.js';
import { saveText } from './save-text.js';

export const manifestsHost = 'k8s-manifests';
export const manifestsFile = '/manifests.json';
/** Of a run that keeps a record of what it proves (`proofs.ts`). */
export const recordNote = 'cephbackup records its proofs';

/** What Ceph knows of an image and no PersistentVolume says. */
export interface ImageFacts {
  /** Exact, also where it is no multiple of 512. */
  sizeBytes: number;
  /** `rbd image-meta`: for encrypted volumes their wrapped key may live only here. */
  metadata: Record<string, string>;
}

export interface ClaimManifest {
  uid: string;
  namespace: string;
  pvc: string;
  kind: PlannedVolume['kind'];
  source: PlannedVolume['source'];
  namespaceAnnotations: Record<string, string>;
  persistentVolumeClaim: PersistentVolumeClaim;
  persistentVolume: PersistentVolume | null;
  image: ImageFacts | null;
  /** Of which group it shares the moment, in this run or in another one; null: of none. Manifests of older versions do not tell. */
  group?: string | null;
}

/** What is needed to recreate the claims of a cluster that is lost; one a run, and one more for each image resized meanwhile. It never contains a Secret. */
export interface Manifests {
  version: 1;
  cluster: string;
  run: string;
  /** RFC 3339, UTC. */
  time: string;
  /** Whether the run left out claims by `--pvc` and the like, so that its groups may have had more members. */
  narrowed?: boolean;
  claims: ClaimManifest[];
  storageClasses: StorageClass[];
}

export function manifestTags(cluster: string): string[] {
  return [`cluster=${cluster}`, 'kind=manifests'];
}

export function claimManifest(volume: PlannedVolume, image: ImageFacts | null): ClaimManifest {
  const { uid, namespace, pvc, kind, source, claim, backup, reason } = volume;
  const mayBackUp = backup || reason === 'recent' || reason === 'other-shard';
  return {
    uid,
    namespace,
    pvc,
    kind,
    source,
    namespaceAnnotations: claim.namespace?.metadata?.annotations ?? {},
    persistentVolumeClaim: claim.pvc,
    persistentVolume: claim.pv,
    image,
    group: mayBackUp ? volume.group : null,
  };
}

/**
 * Saves the manifests as one snapshot and returns its id. Its note says that the run keeps a record of its proofs.
 * @param time of the snapshot, cut to seconds
 * @throws BackupError
 */
export function saveManifests(
  restic: Restic,
  manifests: Manifests,
  time: EpochMs,
  signal: AbortSignal,
): Promise<string> {
  const text = `${JSON.stringify(manifests, null, 1)}\n`;
  const about = { host: manifestsHost, tags: manifestTags(manifests.cluster), filename: manifestsFile };
  return saveText(restic, { ...about, text, notes: [recordNote], time }, signal);
}
