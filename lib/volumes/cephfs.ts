import { CephbackupError } from '../errors/error.js';
import type { PlannedVolume } from '../plan/types.js';
import { formatSubvolume } from '../tools/ceph-fs.js';
import { mountedAt } from '../tools/mount.js';
import { openNamespace, volumeDirectory, type MountNamespace } from '../tools/namespace.js';
import { backingSnapshot } from './cephfs/backing.js';
import type { CephfsClient, CephfsMount, ClientTools } from './cephfs/client.js';
import { clientDirectory } from './cephfs/client.js';
import { locateShare, type CephFsFor, type LocatedShare } from './cephfs/locate.js';
import { bindReadOnly, tryUnmount } from './cephfs/mounts.js';
import { isUuid } from './cephfs/place.js';
import { SnapshotDirectory } from './cephfs/snapshots.js';
import type { DirectorySource, VolumeDriver, VolumeJob } from './driver.js';

export interface CephfsTools extends ClientTools {
  client: CephfsClient;
  cephFsFor: CephFsFor;
}

/** What is shown to restic: a directory within `.snap`. */
interface Shown {
  snapshot: string;
  /** Relative to `.snap`. */
  directory: string;
}

/** Mounts the directory that the snapshot is taken of, and shows restic the volume's part of the snapshot. */
export class CephfsDriver implements VolumeDriver {
  constructor(private readonly tools: CephfsTools) {}

  async prepare(job: VolumeJob): Promise<DirectorySource> {
    const { volume, signal } = job;
    // Costs a few milliseconds that overlap with Ceph's.
    const opening = this.#openNamespace(job);
    opening.catch(() => undefined);
    const share = await locateShare(this.tools.cephFsFor, volume, signal);
    const namespace = await opening;
    const fixed = volume.details?.snapshotBacked === true;

    // Mounted before the snapshot is taken: the mount shows whether the name is free, and the directory there.
    job.step('mounting filesystem');
    const mount = await this.#mount(job, share, namespace, !fixed && share.place.by === 'mkdir');
    const snapshots = new SnapshotDirectory(this.tools.exec, namespace, this.tools.env);
    if (fixed) job.pointInTime();
    const shown = fixed
      ? await backingSnapshot(snapshots, volume, share.place, signal)
      : await this.#takeSnapshot(job, share, snapshots);
    await this.#show(job, share, namespace, mount, snapshots, shown);

    const confirm = () => this.#confirm(namespace, mount, snapshots, shown);
    await confirm();
    return { type: 'directory', namespace, path: volumeDirectory, resticOptions: [], confirm };
  }

  async #openNamespace({ scope }: VolumeJob): Promise<MountNamespace> {
    const opening = openNamespace(this.tools.startDaemon, this.tools.env);
    // It fails by itself where it fails, and `prepare` then says so.
    scope.add(null, async () => (await opening.catch(() => null))?.close());
    return opening;
  }

  #mount(
    job: VolumeJob,
    { cephFs, fs, place, cluster }: LocatedShare,
    namespace: MountNamespace,
    writable: boolean,
  ): Promise<CephfsMount> {
    const { scope, signal, log } = job;
    return this.tools.client.mount({
      connection: cephFs.connection,
      fs,
      root: place.root,
      writable,
      msMode: msModeOf(job.volume),
      namespace,
      scope,
      cluster,
      signal,
      log,
      warn: (text) => {
        job.warn(text);
      },
    });
  }

  /** @throws CephbackupError SNAPSHOT_FAILED, SNAPSHOT_IMPOSSIBLE, SNAPSHOT_LIMIT, SUBVOLUME_NOT_FOUND … */
  async #takeSnapshot(job: VolumeJob, share: LocatedShare, snapshots: SnapshotDirectory): Promise<Shown> {
    const { name, scope, signal } = job;
    const { cephFs, subvolume, place, cluster } = share;
    // Creating one that exists would succeed, and give the old one.
    if ((await snapshots.list('', { signal })).includes(name)) {
      throw new CephbackupError('SNAPSHOT_FAILED', `a snapshot ${name} of ${place.root} exists already`);
    }
    if (place.by === 'manager' && subvolume !== null) {
      const resource = { kind: 'snapshot', name: `${formatSubvolume(subvolume)}@${name}`, cluster } as const;
      scope.add(resource, () => cephFs.removeSnapshot(subvolume, name));
      job.pointInTime();
      job.step('taking snapshot');
      await cephFs.createSnapshot(subvolume, name, { signal });
    } else {
      const resource = {
        kind: 'snapshot',
        name: `${share.fs}:${place.root}/.snap/${name}`,
        cluster,
      } as const;
      scope.add(resource, () => snapshots.remove(name));
      job.pointInTime();
      job.step('taking snapshot');
      await snapshots.make(name, { signal });
    }
    return { snapshot: name, directory: await directoryOf(share, snapshots, name, signal) };
  }

  async #show(
    job: VolumeJob,
    { place, cluster }: LocatedShare,
    namespace: MountNamespace,
    mount: CephfsMount,
    snapshots: SnapshotDirectory,
    { directory }: Shown,
  ): Promise<void> {
    const { exec } = this.tools;
    job.scope.add({ kind: 'mount', name: `${volumeDirectory} (${job.name})`, cluster }, async () => {
      const problem = await tryUnmount(exec, namespace, volumeDirectory);
      if (problem !== null) {
        // Who waits for a client that answers no more uses the mount until the client ends.
        await mount.abandon();
        const left = await tryUnmount(exec, namespace, volumeDirectory, ['--lazy']);
        if (left !== null)
          throw new CephbackupError('COMMAND_FAILED', `umount of ${volumeDirectory}: ${left}`);
        job.warn(`${volumeDirectory} was unmounted by force: ${problem}`);
      }
      // The manager removes a snapshot fastest when this client is gone; rmdir needs it.
      if (place.by === 'manager') await mount.unmount();
    });
    await bindReadOnly(exec, namespace, `${snapshots.path}/${directory}`, volumeDirectory, job.signal);
  }

  /** Before and after: the mount is the snapshot's directory and no other, and the snapshot is still there. */
  async #confirm(
    namespace: MountNamespace,
    mount: CephfsMount,
    snapshots: SnapshotDirectory,
    { snapshot, directory }: Shown,
  ): Promise<void> {
    const [root, shown] = await Promise.all([
      mountedAt(namespace, clientDirectory),
      mountedAt(namespace, volumeDirectory),
    ]);
    const expected = `/.snap/${directory}`;
    const right =
      shown !== null &&
      shown.fsType === mount.fsType &&
      shown.device === root?.device &&
      // The kernel's client mounts `root` itself or, by another way to write it, the same directory.
      shown.root === expected;
    if (!right) {
      const found = shown === null ? 'nothing' : `${shown.root} of ${shown.fsType} (${shown.device})`;
      throw new CephbackupError('MOUNT_WRONG', `${found} is mounted where ${expected} should be`);
    }
    if (!mount.alive()) {
      throw new CephbackupError('MOUNT_WRONG', 'the client of CephFS ended while the volume was read');
    }
    if (!(await snapshots.list()).includes(snapshot)) {
      throw new CephbackupError('SNAPSHOT_VANISHED', `the snapshot ${snapshot} is gone`);
    }
  }
}

/** The claim's directory in a new snapshot, relative to `.snap`. */
async function directoryOf(
  { place, subvolume }: LocatedShare,
  snapshots: SnapshotDirectory,
  name: string,
  signal: AbortSignal,
): Promise<string> {
  if (!(await snapshots.list('', { signal })).includes(name)) {
    throw new CephbackupError(
      'SNAPSHOT_FAILED',
      `the snapshot ${name} was said to be taken, but is not there`,
    );
  }
  const directory = [name, place.below].filter((part) => part !== '').join('/');
  if (await snapshots.isDirectory(directory, { signal })) return directory;
  const code =
    subvolume !== null && place.below.split('/').every(isUuid)
      ? 'SUBVOLUME_NOT_FOUND'
      : 'DIRECTORY_NOT_FOUND';
  throw new CephbackupError(code, `${place.root} has no directory ${place.below}`);
}

/** What the pods' own mounts need to reach the monitors and servers. */
export function msModeOf({ claim }: PlannedVolume): string | null {
  const options = claim.pv?.spec?.csi?.volumeAttributes?.kernelMountOptions ?? '';
  return /(?:^|,)ms_mode=(legacy|crc|secure|prefer-crc|prefer-secure)(?:,|$)/.exec(options)?.[1] ?? null;
}
