/**
 * The parts of Kubernetes objects that this program reads, as the API and `kubectl get -o json` print them.
 * Everything is optional: objects of a real cluster are odd in every way, and one odd object must not cost the rest.
 */
export interface ObjectMeta {
  name?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  creationTimestamp?: string;
  deletionTimestamp?: string;
}

export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata?: ObjectMeta;
}

export interface PersistentVolumeClaim extends KubeObject {
  spec?: { volumeName?: string; storageClassName?: string; volumeMode?: string; accessModes?: string[] };
  status?: { phase?: string; capacity?: Record<string, string> };
}

export interface PersistentVolume extends KubeObject {
  spec?: {
    capacity?: Record<string, string>;
    volumeMode?: string;
    accessModes?: string[];
    storageClassName?: string;
    persistentVolumeReclaimPolicy?: string;
    claimRef?: { namespace?: string; name?: string; uid?: string };
    csi?: {
      driver?: string;
      volumeHandle?: string;
      fsType?: string;
      readOnly?: boolean;
      volumeAttributes?: Record<string, string>;
    };
    rbd?: { monitors?: string[]; pool?: string; image?: string; user?: string; fsType?: string };
    cephfs?: { monitors?: string[]; path?: string; user?: string };
  };
  status?: { phase?: string };
}

export type Namespace = KubeObject;
export type StorageClass = KubeObject & { provisioner?: string; parameters?: Record<string, string> };

/** Everything the planner looks at, from the API or from a dump. */
export interface Inventory {
  namespaces: Namespace[];
  persistentVolumes: PersistentVolume[];
  persistentVolumeClaims: PersistentVolumeClaim[];
}

/** A claim with the objects it belongs to; null where they do not exist (or, in a dump, are missing). */
export interface Claim {
  pvc: PersistentVolumeClaim;
  pv: PersistentVolume | null;
  namespace: Namespace | null;
}
