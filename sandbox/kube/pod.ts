import type { KubeObject } from '../../lib/kube/types.js';

/** A running pod that mounts these claims of its namespace, with one container, `main`. Its commands run on this machine. */
export function runningPod(
  { namespace, name }: { namespace: string; name: string },
  claims: readonly string[],
  annotations: Record<string, string>,
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name, annotations },
    spec: {
      containers: [{ name: 'main' }],
      volumes: claims.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } })),
    },
    status: { phase: 'Running', containerStatuses: [{ name: 'main', state: { running: {} } }] },
  } as KubeObject;
}
