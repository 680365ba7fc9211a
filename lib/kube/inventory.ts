import { CephbackupError } from '../errors/error.js';
import type { KubeApi, RequestOptions } from './api.js';
import {
  namespacesPath,
  persistentVolumeClaimsPath,
  persistentVolumesPath,
  storageClassesPath,
} from './paths.js';
import type { Inventory, Namespace, PersistentVolume, PersistentVolumeClaim, StorageClass } from './types.js';

/** Everything the planner looks at. @throws as KubeApi */
export async function readInventory(api: KubeApi, options: RequestOptions = {}): Promise<Inventory> {
  const [namespaces, persistentVolumes, persistentVolumeClaims] = await Promise.all([
    api.list<Namespace>(namespacesPath, options),
    api.list<PersistentVolume>(persistentVolumesPath, options),
    api.list<PersistentVolumeClaim>(persistentVolumeClaimsPath, options),
  ]);
  return { namespaces, persistentVolumes, persistentVolumeClaims };
}

/**
 * The UID of the namespace kube-system, which stands for the cluster. Namespaces may be listed, but not read by name.
 *
 * @throws as KubeApi, and KUBE_FAILED where there is no such namespace
 */
export async function readClusterId(api: KubeApi, options: RequestOptions = {}): Promise<string> {
  const query = { fieldSelector: 'metadata.name=kube-system' };
  return clusterIdOf(await api.list<Namespace>(namespacesPath, { ...options, query }));
}

/** The same, out of namespaces that were read already. @throws CephbackupError KUBE_FAILED */
export function clusterIdOf(namespaces: readonly Namespace[]): string {
  const system = namespaces.find(({ metadata }) => metadata?.name === 'kube-system');
  const uid = system?.metadata?.uid;
  if (uid === undefined || uid === '') {
    throw new CephbackupError('KUBE_FAILED', 'the cluster has no namespace kube-system to tell it by');
  }
  return uid;
}

/** @throws as KubeApi */
export function readClaims(api: KubeApi, options: RequestOptions = {}): Promise<PersistentVolumeClaim[]> {
  return api.list<PersistentVolumeClaim>(persistentVolumeClaimsPath, options);
}

/** @throws as KubeApi */
export function readStorageClasses(api: KubeApi, options: RequestOptions = {}): Promise<StorageClass[]> {
  return api.list<StorageClass>(storageClassesPath, options);
}
