/** The API paths that this program uses. Names come from the API or from the command line: they are always encoded. */

const core = '/api/v1';
const within = (namespace: string) => `namespaces/${encodeURIComponent(namespace)}`;

export const namespacesPath = `${core}/namespaces`;
export const persistentVolumesPath = `${core}/persistentvolumes`;
export const persistentVolumeClaimsPath = `${core}/persistentvolumeclaims`;
export const storageClassesPath = '/apis/storage.k8s.io/v1/storageclasses';
export const volumeAttachmentsPath = '/apis/storage.k8s.io/v1/volumeattachments';
export const accessReviewsPath = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';

export function persistentVolumePath(name: string): string {
  return `${persistentVolumesPath}/${encodeURIComponent(name)}`;
}

export function persistentVolumeClaimPath(namespace: string, name: string): string {
  return `${core}/${within(namespace)}/persistentvolumeclaims/${encodeURIComponent(name)}`;
}

export function podsInPath(namespace: string): string {
  return `${core}/${within(namespace)}/pods`;
}

export function eventsPath(namespace: string): string {
  return `${core}/${within(namespace)}/events`;
}

export const allLeasesPath = '/apis/coordination.k8s.io/v1/leases';
export const allJobsPath = '/apis/batch/v1/jobs';
export const allCronJobsPath = '/apis/batch/v1/cronjobs';

export function leasesPath(namespace: string): string {
  return `/apis/coordination.k8s.io/v1/${within(namespace)}/leases`;
}

export function leasePath(namespace: string, name: string): string {
  return `${leasesPath(namespace)}/${encodeURIComponent(name)}`;
}
