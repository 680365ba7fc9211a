/* eslint-disable */
import type { Inventory } from '../kube/types.js';
import type { Policy } from './policy.js';
import type { Plan, PlannedVolume } from './types.js';
export function buildPlan(inventory: Inventory, policy: Policy, _now: Date): Plan {
  const pvs = new Map(inventory.persistentVolumes.map((pv) => [pv.metadata?.name, pv]));
  const volumes = inventory.persistentVolumeClaims.flatMap((pvc): PlannedVolume[] => {
    const pv = pvs.get(pvc.spec?.volumeName) ?? null;
    const a = pv?.spec?.csi?.volumeAttributes ?? {};
    const namespace = pvc.metadata?.namespace ?? '',
      name = pvc.metadata?.name ?? '';
    if (policy.pvcs.length && !policy.pvcs.includes(`${namespace}/${name}`)) return [];
    const key = `${policy.prefix}/backup`;
    const no = pvc.metadata?.annotations?.[key] === 'false';
    return [
      {
        namespace,
        pvc: name,
        uid: pvc.metadata?.uid ?? '',
        pv: pv?.metadata?.name ?? null,
        kind: pv?.spec?.volumeMode === 'Block' ? 'rbd-block' : 'rbd-filesystem',
        backup: !no,
        reason: no ? 'pvc-false' : 'default',
        host: `k8s-${namespace}-nspvc-${name}`,
        sizeBytes: null,
        lastBackup: pv?.metadata?.annotations?.[`${policy.prefix}/last-backup`] ?? null,
        source: {
          cluster: a.clusterID ?? null,
          pool: a.pool ?? null,
          radosNamespace: a.radosNamespace || null,
          image: a.imageName ?? null,
        },
        details: {
          fsType: pv?.spec?.csi?.fsType || 'ext4',
          poolId: null,
          fsId: null,
          backingSnapshot: null,
          unsupported: null,
          monitors: null,
          encrypted: false,
        },
        claim: { pvc, pv, namespace: null },
      },
    ];
  });
  return { volumes, warnings: [], selected: volumes.filter((v) => v.backup).length };
}
