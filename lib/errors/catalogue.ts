import { nodeGuidance } from './node-version.js';

/**
 * What an error means for the whole program; `exit-code.ts` maps it to an exit code.
 *
 * - `usage`: the command line or the configuration is wrong; nothing was touched.
 * - `busy`: another run is in progress.
 * - `unusable`: Kubernetes, Ceph or the repository cannot be used as a whole.
 * - `failed`: one volume, or the one thing asked for, failed.
 */
export type ErrorKind = 'usage' | 'busy' | 'unusable' | 'failed';

interface Entry {
  kind: ErrorKind;
  /** What to do, in one or two sentences that a tired person can follow. */
  guidance: string;
}

function entry(kind: ErrorKind, guidance: string): Entry {
  return { kind, guidance };
}

/** Every error code. Codes are stable: scripts rely on them. `docs/errors.md` lists them all. */
export const catalogue = {
  // The command line and the configuration
  USAGE: entry('usage', 'See `cephbackup help COMMAND` for the options of a command.'),
  NOTHING_SELECTED: entry(
    'usage',
    'Run `cephbackup list` to see the reason for each claim; check annotations and the narrowing options, or pass --allow-empty if an empty cluster is expected.',
  ),
  INPUT_UNREADABLE: entry('usage', 'Pass the output of `kubectl get ns,pv,pvc -A -o json` (or yaml).'),
  REPOSITORY_URL_INVALID: entry(
    'usage',
    'Set RESTIC_REPOSITORY (or RESTIC_REPOSITORY_FILE) to a path or a URL as restic documents them, e.g. `s3:https://host/bucket`.',
  ),
  TOOL_MISSING: entry('usage', 'Install the program named, or put it on PATH.'),
  NODE_TOO_OLD: entry('usage', nodeGuidance),
  RESTIC_TOO_OLD: entry(
    'usage',
    'Install restic 0.17 or newer (0.19 is recommended) and put it first on PATH.',
  ),

  // One run at a time
  RUN_IN_PROGRESS: entry(
    'busy',
    'Wait until the other run ends; a run that was killed frees its lease after 60 seconds.',
  ),

  LEASE_ELSEWHERE: entry(
    'usage',
    'Pass --lease-namespace with the namespace of the CronJob (or of whatever else backs this cluster up).',
  ),

  // Kubernetes
  KUBECONFIG_INVALID: entry(
    'usage',
    'Pass --kubeconfig (or set KUBECONFIG) with a file that `kubectl --kubeconfig FILE get namespaces` accepts, or run in a pod with a service account.',
  ),
  KUBE_UNREACHABLE: entry(
    'unusable',
    'Check that the Kubernetes API is up and that --kubeconfig (or the service account) is right.',
  ),
  KUBE_FORBIDDEN: entry(
    'unusable',
    'Grant the service account the ClusterRole of the chart; `cephbackup doctor` lists what is missing.',
  ),
  KUBE_FAILED: entry(
    'unusable',
    'See the message of the API server; `kubectl` with the same kubeconfig should show the same.',
  ),
  LEASE_LOST: entry('unusable', 'The lease could not be renewed; check the Kubernetes API, then run again.'),
  PV_NOT_MARKED: entry(
    'unusable',
    'The backup is in the repository, but its PersistentVolume could not be annotated; the next run makes a new one.',
  ),

  // The repository
  RESTIC_UNUSABLE: entry(
    'unusable',
    'The program `restic` that comes first on PATH does not say which version it is. Run `restic version`; install restic 0.17 or newer (0.19 is recommended) if that says nothing either.',
  ),
  REPOSITORY_MISSING: entry(
    'unusable',
    'Check RESTIC_REPOSITORY; create a new repository with `restic init`.',
  ),
  REPOSITORY_LOCKED: entry(
    'unusable',
    'Another process uses the repository. Wait; if it was killed, wait until 30 minutes after its last sign of life, and then, not before, run `restic unlock` on a machine that has not the host name of the lock (docs/retention.md).',
  ),
  REPOSITORY_PASSWORD_WRONG: entry(
    'unusable',
    'Check RESTIC_PASSWORD_FILE, RESTIC_PASSWORD or RESTIC_PASSWORD_COMMAND. A newline at the end counts in RESTIC_PASSWORD, and in a file it does not: where a Secret was made from a file, the password may be the one with the newline.',
  ),
  REPOSITORY_DAMAGED: entry(
    'unusable',
    'An index of the repository cannot be read. Copy the repository if you can, then rebuild its index from the packs: `restic repair index`.',
  ),
  REPOSITORY_FULL: entry('unusable', 'Make room where the repository lives, then run again.'),
  CACHE_UNUSABLE: entry(
    'unusable',
    "restic cannot write its cache. Give it a folder of its own with room for the repository's metadata: RESTIC_CACHE_DIR, or a HOME that can be written.",
  ),
  REPOSITORY_UNREACHABLE: entry(
    'unusable',
    'Check that the repository can be reached with `restic cat config`.',
  ),
  SNAPSHOT_UNREADABLE: entry(
    'unusable',
    'Nothing was forgotten. `restic check` tells what is damaged; a snapshot file that is beyond repair has to be removed by hand first.',
  ),
  CLOCK_WRONG: entry(
    'unusable',
    'Nothing was touched: backups are dated, and kept, by the clock. Set both clocks by NTP, here and on the control plane; `cephbackup doctor` compares them.',
  ),

  MANIFESTS_NOT_SAVED: entry(
    'unusable',
    'The volumes are backed up, but what is needed to recreate their claims is not; see the message, then run again.',
  ),

  SNAPSHOT_IN_FUTURE: entry(
    'failed',
    'A run with a wrong clock dated it so: every later backup would be dated behind it, and retention would take them for backups of one day. Give it a true time (`restic rewrite --forget --new-time "YYYY-MM-DD hh:mm:ss" ID`) or forget it (`restic forget ID`), then run again.',
  ),
  PROOFS_NOT_SAVED: entry(
    'unusable',
    'The volumes are backed up and marked, but the repository does not say so: without the Kubernetes API these backups do not count. See the message, then run again: it records what is marked.',
  ),

  // Restoring and proving
  CLUSTER_UNCLEAR: entry(
    'usage',
    'Pass --cluster NAME (or `all`), or configure the Kubernetes API of the cluster that is meant.',
  ),
  SNAPSHOT_NOT_FOUND: entry(
    'failed',
    'See `cephbackup snapshots` (with `--cluster all` for every cluster of the repository).',
  ),
  CLAIM_AMBIGUOUS: entry('failed', 'Choose one of the claims listed with --uid.'),
  PATH_NOT_FOUND: entry('failed', '`cephbackup ls NAMESPACE/PVC [PATH]` lists what the backup contains.'),
  REPORT_UNWRITABLE: entry('failed', 'Check that the folder exists, has room and can be written.'),
  TARGET_UNSUITABLE: entry('failed', 'docs/restore.md has a table of what can be restored to where.'),
  TARGET_NOT_FOUND: entry('failed', 'Create the target first, or name another one.'),
  TARGET_EXISTS: entry('failed', 'Name another target, or pass --force to overwrite this one.'),
  TARGET_IN_USE: entry(
    'failed',
    'Stop whatever uses the target (scale its pods to 0, unmap the image). A client that died counts for another 30 seconds. Nothing overrides this.',
  ),
  TARGET_TOO_SMALL: entry('failed', 'Restore to a target that is at least as large as the backup.'),
  TARGET_FULL: entry('failed', 'Make room (or raise the quota), or restore somewhere else.'),
  RESTORE_FAILED: entry('failed', 'See the message; what state the target is in is said there.'),
  RESTORE_UNVERIFIED: entry(
    'failed',
    'What was read back from the target is not what the backup holds: do not use the target. Look for failing disks, then restore again.',
  ),
  BACKUP_DAMAGED: entry(
    'failed',
    'Restore an older backup (--snapshot, --as-of); `cephbackup verify` tells what else is damaged.',
  ),
  INDEX_DAMAGED: entry(
    'failed',
    'Nothing can be restored until `restic repair index` has made the index anew; no data is lost by this. First find out why the storage lost or changed it.',
  ),
  SNAPSHOT_DAMAGED: entry(
    'failed',
    'The newest backup cannot be read, older ones can: `cephbackup run` makes a new one. Find out why the storage lost or changed it.',
  ),
  MANIFESTS_NOT_FOUND: entry(
    'failed',
    'Each `cephbackup run` saves the manifests of its claims; `restic snapshots --host k8s-manifests` lists them.',
  ),
  MANIFESTS_INVALID: entry(
    'failed',
    'Choose others with --snapshot or --as-of; `restic check` tells whether the repository is sound.',
  ),

  // Ceph
  CEPH_UNREACHABLE: entry(
    'unusable',
    'Check the monitors in ceph.conf (or --ceph-clusters), the user and its keyring with `ceph -s`.',
  ),
  CEPH_KEY_UNREADABLE: entry(
    'unusable',
    'Use the programs of Ceph 19.2.6, 20.2.4 or newer, as the image has them; or give the user a key of type aes, where the cluster still takes one: `ceph auth rotate client.USER --key_type aes` (Rook: `keyType: aes` below `spec.security.cephx` of the CephClient).',
  ),
  CEPH_FORBIDDEN: entry(
    'failed',
    'Give the Ceph user the capabilities listed in the documentation, e.g. `ceph auth caps client.USER mon "profile rbd" osd "profile rbd pool=POOL"`.',
  ),

  // One volume
  VOLUME_UNSUPPORTED: entry(
    'failed',
    'This volume cannot be backed up; set the annotation `backup: "false"` on its claim to accept that.',
  ),
  HOST_COLLISION: entry(
    'failed',
    'Two claims have the same restic host; opt one of them out, or rename its namespace or claim.',
  ),
  IMAGE_NOT_FOUND: entry(
    'failed',
    'The image that the PersistentVolume names does not exist; check pool and image name.',
  ),
  CLUSTER_MISMATCH: entry(
    'failed',
    'Pass --ceph-clusters with the `config.json` of ceph-csi, which says the monitors of each cluster (the chart: ceph.clustersConfigMap), or a ceph.conf of the cluster that is named; nothing was read.',
  ),
  SOURCE_NAME_INVALID: entry(
    'failed',
    'The PersistentVolume names a pool, namespace, image or subvolume with characters that no Ceph tool accepts.',
  ),
  SNAPSHOT_FAILED: entry('failed', 'See the message of the Ceph command; the volume was not changed.'),
  SNAPSHOT_VANISHED: entry(
    'failed',
    'Somebody removed the snapshot while it was read, so the data read cannot be trusted; nothing was saved. Run again.',
  ),
  SNAPSHOT_LIMIT: entry(
    'failed',
    'The directory has as many snapshots as Ceph allows (`mds_max_snaps_per_dir`, 100 by default); remove old ones.',
  ),
  SNAPSHOT_IMPOSSIBLE: entry(
    'failed',
    'CephFS takes no snapshot of this directory: allow them with `ceph fs set FS allow_new_snaps true`; within a subvolume, the PersistentVolume must name a path below /volumes/GROUP/SUBVOLUME.',
  ),
  BACKING_SNAPSHOT_NOT_FOUND: entry(
    'failed',
    'The volume shows a snapshot of a subvolume that cannot be told or found; back up the claim that the snapshot was taken of, and set the annotation `backup: "false"` on this one.',
  ),
  CEPHFS_NOT_FOUND: entry(
    'failed',
    'The filesystem that the PersistentVolume names does not exist; compare with `ceph fs ls` (of the right cluster: --ceph-clusters).',
  ),
  CEPHFS_UNAVAILABLE: entry(
    'failed',
    'The filesystem has no metadata server that answers: see `ceph fs status`, then run again.',
  ),
  SUBVOLUME_NOT_FOUND: entry(
    'failed',
    'The subvolume that the PersistentVolume names does not exist; compare with `ceph fs subvolume ls FS --group_name GROUP`.',
  ),
  DIRECTORY_NOT_FOUND: entry(
    'failed',
    'The directory that the PersistentVolume names does not exist in the filesystem; compare with what its pods see.',
  ),
  IMAGE_NOT_PRIMARY: entry(
    'failed',
    'The image is the copy of a mirrored image, which cannot be snapshotted; back up the primary in its own cluster, or promote this one.',
  ),
  IMAGE_MIGRATING: entry(
    'failed',
    'The image is being migrated; finish with `rbd migration execute` and `commit` (or `abort`), then run again.',
  ),
  OBJECT_MAP_WRONG: entry(
    'failed',
    'The image cannot be read completely until its object map is repaired: `rbd object-map rebuild POOL/IMAGE`, then run again.',
  ),
  EXPORT_INVALID: entry(
    'failed',
    'What `rbd export-diff` gave is not what `rbd diff` had announced for the same snapshot; nothing was saved. Run again; if it happens again, report it with the versions of Ceph.',
  ),
  EXPORT_STALLED: entry(
    'failed',
    'rbd gave no more data: see whether Ceph answers (`ceph -s`: inactive placement groups, slow requests, a full OSD). Where Ceph is healthy, its client library stood still, which the next run need not meet; newer clients have fewer such faults.',
  ),
  CLONE_FAILED: entry('failed', 'See the message of the Ceph command; the volume was not changed.'),
  POOL_FULL: entry('failed', 'The pool or its quota is full: `ceph df`, `ceph osd pool get-quota POOL`.'),
  MAP_FAILED: entry(
    'failed',
    'See the message; `cephbackup doctor` checks what the mapper needs on this node.',
  ),
  HOOK_FAILED: entry(
    'failed',
    'See the message and, in the log, what the hook printed; the hooks are annotations of the pod that it names (docs/consistency.md).',
  ),
  GROUP_INCOMPLETE: entry(
    'failed',
    'Restore what there is claim by claim (`cephbackup snapshots` lists it), or choose another moment with --as-of.',
  ),
  GROUP_FAILED: entry(
    'failed',
    'Claims of one group are backed up together or not at all: see the error of the claim that is named.',
  ),
  EXCLUDES_ALL: entry(
    'failed',
    'What is excluded leaves no file of the volume: correct the annotation `exclude` of the claim, or opt the claim out of backups.',
  ),
  FILESYSTEM_UNSUPPORTED: entry(
    'failed',
    'Only ext2, ext3, ext4 and xfs are mounted; annotate the PersistentVolume with `mode: image` to back it up as a block image.',
  ),
  FILESYSTEM_MISMATCH: entry(
    'failed',
    'The volume does not contain the filesystem that its PersistentVolume names; correct fsType or use `mode: image`.',
  ),
  FILESYSTEM_MISSING: entry(
    'failed',
    'The volume was never formatted: no pod has used it yet. Use it once, or set the annotation `backup: "false"` on its claim.',
  ),
  FILESYSTEM_CORRUPT: entry(
    'failed',
    'The filesystem has errors that cannot be repaired automatically. Save its bytes at once: annotate its PersistentVolume `<prefix>/mode: image`, which backs it up as a disk (`run --on-corrupt image` does so beside the failure, for every volume). Then stop its pods and run a full fsck on the volume.',
  ),
  NAMESPACE_FAILED: entry(
    'failed',
    'Mounting needs root and CAP_SYS_ADMIN (in a pod: `privileged: true`), and a directory /run/cephbackup that can be created.',
  ),
  MOUNT_FAILED: entry('failed', 'See the message of mount; the volume was not changed.'),
  MOUNT_WRONG: entry(
    'failed',
    'What is mounted is not the clone of this volume, so the data read cannot be trusted; look for other tools that mount on this node.',
  ),
  VIEW_FAILED: entry(
    'failed',
    'The folder that shows the disk to restic could not be served; see the message. It needs /dev/fuse and the right to mount. Without --keep-base the disk is streamed, which needs neither.',
  ),
  READ_INCOMPLETE: entry(
    'failed',
    'restic could not read everything and was stopped; no partial backup was kept. The message names what could not be read. On CephFS, "operation not permitted" means that the Ceph user has no right to read from the OSDs: docs/cephfs.md.',
  ),
  TEMPORARY_FULL: entry(
    'failed',
    'The folder for temporary files, which the message names, is full; the repository is not. Make room there, or set TMPDIR to a folder with more: restic gathers packs of 16 MiB in it, several for each volume at a time, and a fragmented disk needs up to 16 bytes for each extent.',
  ),
  VOLUME_EMPTY: entry(
    'failed',
    'There was a backup before, and now there is nothing: restic saves no snapshot of nothing. If the volume should have content, look at it now; if it is not used yet, set the annotation `backup: "false"` on its claim until it is.',
  ),
  RESTIC_FAILED: entry(
    'failed',
    'See the message of restic; `restic check` tells whether the repository is sound.',
  ),
  BACKUP_UNPROVEN: entry(
    'failed',
    'The snapshot read back from the repository is not what was written; it is not used. Run `restic check`.',
  ),
  COMMAND_FAILED: entry('failed', 'See the message of the command.'),
  COMMAND_TIMEOUT: entry(
    'failed',
    'The command was stopped at its deadline; check Ceph and the repository, or raise --volume-timeout.',
  ),
  COMMAND_OUTPUT_INVALID: entry(
    'failed',
    'The command printed something this program does not understand; check its version with `cephbackup doctor`.',
  ),
  VOLUME_TIMEOUT: entry(
    'failed',
    'The volume was not finished within --volume-timeout; raise it, or look for what is slow.',
  ),
  RUN_TIMEOUT: entry(
    'failed',
    'The run was not finished within --run-timeout; raise it, or back up less in one run.',
  ),
  CANCELLED: entry('failed', 'The program was asked to stop; what was in progress was undone.'),
  NOT_ATTEMPTED: entry('failed', 'The run ended before this volume was begun; see the error of the run.'),

  INTERNAL: entry('failed', 'This is a defect of cephbackup: please report it with the log.'),
} as const satisfies Record<string, Entry>;

export type ErrorCode = keyof typeof catalogue;
