import type { Definitions } from '../../../cli/options.js';
import { duration, integer, matching, oneOf, size, text } from '../../../cli/values.js';
import { defaultVolumeTimeoutHours } from './volume-timeout.js';

export const cephUserName = /^(?!client\.)[A-Za-z0-9_.-]+$/;

/** How volumes are reached and read. */
export const volumeOptions = {
  concurrency: {
    flag: '--concurrency',
    placeholder: 'N',
    description: 'volumes at a time (default: 4)',
    parse: integer(1, 256),
  },
  volumeTimeout: {
    flag: '--volume-timeout',
    placeholder: 'DURATION',
    description: `limit for each volume (default: ${defaultVolumeTimeoutHours}h; 0s: none)`,
    parse: duration,
  },
  mapper: {
    flag: '--mapper',
    placeholder: 'krbd|nbd|fuse',
    description: 'how RBD images are mapped (default: krbd)',
    parse: oneOf('krbd', 'nbd', 'fuse'),
  },
  cephfsClient: {
    flag: '--cephfs-client',
    placeholder: 'kernel|fuse',
    description: 'how CephFS is mounted (default: kernel)',
    parse: oneOf('kernel', 'fuse'),
  },
  fsck: {
    flag: '--fsck',
    placeholder: 'preen|full',
    description: 'how thoroughly clones are checked (default: preen)',
    parse: oneOf('preen', 'full'),
  },
  cephConf: {
    flag: '--ceph-conf',
    placeholder: 'FILE',
    description: 'ceph.conf (default: CEPH_CONF, else /etc/ceph/ceph.conf)',
    parse: text,
  },
  cephUser: {
    flag: '--ceph-user',
    placeholder: 'NAME',
    description: 'Ceph user without "client." (default: admin)',
    parse: matching(cephUserName, 'a user name without "client."'),
  },
  cephKeyring: {
    flag: '--ceph-keyring',
    placeholder: 'FILE',
    description: "keyring of the Ceph user (default: ceph.conf's)",
    parse: text,
  },
  cephUsers: {
    flag: '--ceph-users',
    placeholder: 'FILE',
    description: 'user and keyring by clusterID, where the clusters of --ceph-clusters have others',
    parse: text,
  },
  patience: {
    flag: '--patience',
    placeholder: 'DURATION',
    description: 'how long a step that fails by what passes by itself is tried again (default: 2m)',
    parse: duration,
  },
  retryLock: {
    flag: '--retry-lock',
    placeholder: 'DURATION',
    description: 'how long to wait while others lock the repository (default: 2m)',
    parse: duration,
  },
  cacheLimit: {
    flag: '--cache-limit',
    placeholder: 'SIZE',
    description:
      "keep restic's cache well below this, the size of its volume, e.g. 10GiB (default: restic bounds it by age alone)",
    parse: size,
  },
  limitUpload: {
    flag: '--limit-upload',
    placeholder: 'KIB',
    description: 'limit for restic uploads in KiB/s',
    parse: integer(1, 2 ** 31),
  },
  limitDownload: {
    flag: '--limit-download',
    placeholder: 'KIB',
    description: 'limit for restic downloads in KiB/s',
    parse: integer(1, 2 ** 31),
  },
} satisfies Definitions;

export const { cacheLimit, limitUpload, limitDownload, patience, retryLock } = volumeOptions;
