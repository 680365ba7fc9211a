import { cephClock, cephConnection, cephHealth } from './ceph.js';
import { cephCapabilities, cephImages } from './images.js';
import { cephfsMount, cephfsSnapshots } from './shares.js';
import type { Check } from '../check.js';
import { claims, filesystems } from './claims.js';
import { kubernetesApi, kubernetesClock, kubernetesPermissions, jobs, lease } from './kubernetes.js';
import { folders, memory } from './memory.js';
import { fuse, kernel, mountNamespace, multipath } from './node.js';
import { programs, resticVersion, versions } from './programs.js';
import { repository, repositoryConfiguration, repositoryLocks } from './repository/index.js';
import { repositoryPlace } from './repository/place.js';

/** In the order in which they are told. One more is one more line. */
export const checks: readonly Check[] = [
  kubernetesApi,
  kubernetesPermissions,
  kubernetesClock,
  lease,
  jobs,
  claims,
  filesystems,
  programs,
  resticVersion,
  versions,
  kernel,
  multipath,
  fuse,
  mountNamespace,
  folders,
  repositoryConfiguration,
  repository,
  repositoryLocks,
  repositoryPlace,
  memory,
  cephConnection,
  cephHealth,
  cephClock,
  cephImages,
  cephCapabilities,
  cephfsSnapshots,
  cephfsMount,
];
