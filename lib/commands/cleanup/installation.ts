import type { Inventory } from '../../kube/types.js';
import { installationId } from '../../ownership/names.js';

/** Keys below an annotation prefix that this program writes or reads. */
const keys = ['backup', 'backupa', 'mode', 'last-backup', 'last-attempt', 'last-verified'];

/**
 * The namespace in which another installation of this cluster has its lease, or null where none fits: an installation's
 * id is a digest of the namespace and its annotation prefix, and every prefix that is in use is on some object.
 */
export function leaseNamespaceOf(
  installation: string,
  { uid, prefix, inventory }: { uid: string; prefix: string; inventory: Inventory },
): string | null {
  const prefixes = [prefix, ...prefixesInUse(inventory)];
  const namespaces = inventory.namespaces.flatMap(({ metadata }) => metadata?.name ?? []);
  return (
    namespaces.find((namespace) =>
      prefixes.some((one) => installationId(uid, namespace, one) === installation),
    ) ?? null
  );
}

function prefixesInUse({ namespaces, persistentVolumes, persistentVolumeClaims }: Inventory): Set<string> {
  const found = new Set<string>();
  for (const { metadata } of [...namespaces, ...persistentVolumes, ...persistentVolumeClaims]) {
    for (const annotation of Object.keys(metadata?.annotations ?? {})) {
      const slash = annotation.lastIndexOf('/');
      if (slash > 0 && keys.includes(annotation.slice(slash + 1))) found.add(annotation.slice(0, slash));
    }
  }
  return found;
}
