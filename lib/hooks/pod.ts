import type { KubeObject } from '../kube/types.js';

interface ContainerStatus {
  name?: string;
  containerID?: string;
  state?: { running?: object };
}

/** What hooks look at of a pod. Everything may be missing: objects of a real cluster are odd in every way. */
export interface Pod extends KubeObject {
  spec?: {
    containers?: { name?: string }[];
    /** One with `restartPolicy: Always` runs beside the others as long as the pod does. */
    initContainers?: { name?: string; restartPolicy?: string }[];
    volumes?: { name?: string; persistentVolumeClaim?: { claimName?: string }; ephemeral?: object }[];
  };
  status?: {
    phase?: string;
    containerStatuses?: ContainerStatus[];
    initContainerStatuses?: ContainerStatus[];
  };
}

/** The names of the claims that a pod mounts, those that Kubernetes made for the pod itself included. */
export function mountedClaims({ metadata, spec }: Pod): string[] {
  return (spec?.volumes ?? []).flatMap((volume) => {
    const claim = volume.persistentVolumeClaim?.claimName;
    if (claim !== undefined) return [claim];
    return volume.ephemeral === undefined ? [] : [`${metadata?.name ?? ''}-${volume.name ?? ''}`];
  });
}

export function isRunning({ status }: Pod, container: string): boolean {
  const all = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])];
  return all.find(({ name }) => name === container)?.state?.running !== undefined;
}

/** The containers that commands can be run in, in the order of the pod's manifest. */
export function lastingContainers({ spec }: Pod): string[] {
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  return [...(spec?.containers ?? []), ...sidecars].map(({ name }) => name ?? '');
}
