import type { KubeObject, PersistentVolume, PersistentVolumeClaim } from '../../../lib/kube/types.js';
import type { SandboxKube } from '../../../sandbox/kube/index.js';

export interface BoundClaim {
  pvc: PersistentVolumeClaim;
  pv: PersistentVolume;
  /** The claim's UID. */
  uid: string;
}

/** Creates a bound claim `name` in `namespace` with the volume `pv-<name>`. */
export async function seedClaim(
  kube: SandboxKube,
  namespace: string,
  name: string,
  annotations?: Record<string, string>,
): Promise<BoundClaim> {
  const [pvc, pv] = await kube.seed(claimObjects(namespace, name, annotations));
  return { pvc: pvc as PersistentVolumeClaim, pv: pv as PersistentVolume, uid: pvc?.metadata?.uid ?? '' };
}

export function claimObjects(
  namespace: string,
  name: string,
  annotations?: Record<string, string>,
): KubeObject[] {
  const storage = { storage: '1Gi' };
  const claim = {
    kind: 'PersistentVolumeClaim',
    metadata: { namespace, name },
    spec: { volumeName: `pv-${name}`, accessModes: ['ReadWriteOnce'], resources: { requests: storage } },
    status: { phase: 'Bound', capacity: storage },
  };
  const volume = {
    kind: 'PersistentVolume',
    metadata: { name: `pv-${name}`, ...(annotations === undefined ? {} : { annotations }) },
    spec: {
      capacity: storage,
      accessModes: ['ReadWriteOnce'],
      claimRef: { namespace, name },
      csi: { driver: 'rbd.csi.ceph.com', volumeHandle: name },
    },
    status: { phase: 'Bound' },
  };
  return [claim, volume];
}
