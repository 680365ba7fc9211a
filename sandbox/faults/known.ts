import type { Command } from './subjects.js';

/**
 * Every command that the product may give in the matrix, by its first words; another one fails it. What is done only to
 * recover from a fault is among them: no recording without faults has it.
 */
const everywhere = [
  ...['cat', 'mkdir', 'rmdir', 'ls', 'stat', 'sh', 'find', 'od', 'tar', 'sync', 'mkfifo', 'unshare'],
  ...[
    'mount',
    'umount',
    'e2fsck',
    'xfs_repair',
    'xfs_logprint',
    'qemu-storage-daemon',
    'ceph-fuse',
    'losetup',
  ],
  ...['rbd ls', 'rbd trash ls', 'rbd info', 'rbd snap ls', 'rbd status', 'rbd snap rm', 'rbd rm', 'rbd diff'],
  ...[
    'rbd image-meta list',
    'rbd lock ls',
    'ceph fs dump',
    'ceph osd dump',
    'ceph osd pool ls',
    'ceph status',
  ],
  ...['ceph fs subvolume getpath', 'ceph fs subvolume ls', 'ceph fs subvolume snapshot rm', 'ceph -s'],
  ...['restic version', 'restic snapshots', 'restic cat', 'restic ls', 'restic list locks'],
];

const only: Record<Command, readonly string[]> = {
  run: [
    ...['rbd snap create', 'rbd clone', 'rbd export-diff', 'restic backup'],
    ...['ceph fs subvolume snapshot create', 'rbd snap rename'],
  ],
  restore: [
    ...['mkfs.ext4', 'mkfs.xfs', 'tune2fs', 'blkid', 'qemu-img', 'restic restore', 'restic dump'],
    ...[
      'rbd create',
      'rbd import',
      'rbd import-diff',
      'rbd export',
      'rbd image-meta',
      'rbd watch',
      'rbd resize',
      'rbd export-diff',
    ],
    ...['rbd du', 'rbd device', 'ceph df', 'ceph osd pool get-quota'],
  ],
  verify: [
    ...['mkfs.ext4', 'tune2fs', 'blkid', 'qemu-img', 'restic restore', 'restic dump', 'restic check'],
    ...['rbd create', 'rbd import', 'rbd export', 'rbd image-meta', 'rbd watch', 'ceph df'],
    ...['ceph osd pool get-quota', 'restic backup', 'restic list', 'rbd export-diff', 'rbd import-diff'],
  ],
  prune: ['restic forget', 'restic prune', 'restic stats', 'restic backup', 'restic dump'],
  cleanup: [],
};

/** Whether a command is one that the matrix was made for: a backup, for example, never unlocks and never prunes. */
export function isKnown(verb: string, command: Command): boolean {
  // `rbd --version`.
  if (verb === 'rbd') return true;
  return [...everywhere, ...only[command]].some((known) => verb === known || verb.startsWith(`${known} `));
}
