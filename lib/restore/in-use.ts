import { CephbackupError } from '../errors/error.js';
import type { KubeApi, RequestOptions } from '../kube/api.js';
import { podsInPath, volumeAttachmentsPath } from '../kube/paths.js';
import type { KubeObject } from '../kube/types.js';
import { printable } from '../log/logger.js';

interface Pod extends KubeObject {
  spec?: {
    volumes?: { name?: string; persistentVolumeClaim?: { claimName?: string }; ephemeral?: object }[];
  };
  status?: { phase?: string };
}

interface VolumeAttachment extends KubeObject {
  spec?: { nodeName?: string; source?: { persistentVolumeName?: string } };
}

export interface ClaimRef {
  namespace: string;
  pvc: string;
  /** Name of the PersistentVolume. */
  pv: string;
}

/**
 * Refuses a claim that a pod uses, or is about to use, and a volume that is attached to a node.
 * @throws CephbackupError TARGET_IN_USE; as KubeApi
 */
export async function refuseUsedClaim(
  api: KubeApi,
  { namespace, pvc, pv }: ClaimRef,
  options: RequestOptions = {},
): Promise<void> {
  const [pods, attachments] = await Promise.all([
    api.list<Pod>(podsInPath(namespace), options),
    api.list<VolumeAttachment>(volumeAttachmentsPath, options),
  ]);
  const users = [
    ...pods.filter((pod) => uses(pod, pvc)).map(({ metadata }) => `pod ${metadata?.name ?? ''}`),
    ...attachments
      .filter(({ spec }) => spec?.source?.persistentVolumeName === pv)
      .map(({ spec }) => `attached to node ${spec?.nodeName ?? ''}`),
  ];
  if (users.length === 0) return;
  const list = users.map(printable).join(', ');
  throw new CephbackupError('TARGET_IN_USE', `the claim ${namespace}/${pvc} is in use: ${list}`);
}

/** Whether a pod has the claim among its volumes. One that has ended does not count, one that waits does. */
function uses({ metadata, spec, status }: Pod, pvc: string): boolean {
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return false;
  return (spec?.volumes ?? []).some(
    (volume) =>
      volume.persistentVolumeClaim?.claimName === pvc ||
      (volume.ephemeral !== undefined && `${metadata?.name ?? ''}-${volume.name ?? ''}` === pvc),
  );
}
