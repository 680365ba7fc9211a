/** One kind of object that the sandbox knows. */
export interface ResourceType {
  group: string;
  version: string;
  plural: string;
  kind: string;
  namespaced: boolean;
}

const core = { group: '', version: 'v1' };
const storage = { group: 'storage.k8s.io', version: 'v1' };

/** Everything that cephbackup reads or writes, and what tests need besides. */
export const resourceTypes: readonly ResourceType[] = [
  { ...core, plural: 'namespaces', kind: 'Namespace', namespaced: false },
  { ...core, plural: 'persistentvolumes', kind: 'PersistentVolume', namespaced: false },
  { ...core, plural: 'persistentvolumeclaims', kind: 'PersistentVolumeClaim', namespaced: true },
  { ...core, plural: 'pods', kind: 'Pod', namespaced: true },
  { ...core, plural: 'events', kind: 'Event', namespaced: true },
  { ...storage, plural: 'storageclasses', kind: 'StorageClass', namespaced: false },
  { ...storage, plural: 'volumeattachments', kind: 'VolumeAttachment', namespaced: false },
  { group: 'batch', version: 'v1', plural: 'cronjobs', kind: 'CronJob', namespaced: true },
  { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', kind: 'Lease', namespaced: true },
];

export function apiVersion({ group, version }: ResourceType): string {
  return group === '' ? version : `${group}/${version}`;
}

/** The path of a collection, or of one object where `name` is given. */
export function resourcePath(type: ResourceType, namespace?: string, name?: string): string {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  const within = type.namespaced && namespace !== undefined ? `/namespaces/${namespace}` : '';
  return `${root}${within}/${type.plural}${name === undefined ? '' : `/${name}`}`;
}

/** @throws Error where the sandbox does not know the kind. */
export function typeOfKind(kind: string | undefined): ResourceType {
  const type = resourceTypes.find((candidate) => candidate.kind === kind);
  if (type === undefined) throw new Error(`the sandbox knows no objects of kind ${kind ?? '(none)'}`);
  return type;
}
