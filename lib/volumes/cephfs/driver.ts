import { CephbackupError } from '../../errors/error.js';
import { mountedAt } from '../../tools/node/mount.js';
import { volumeDirectory, type MountNamespace } from '../../tools/node/namespace.js';
import { backingSnapshot } from './backing.js';
import type { CephfsClient, CephfsMount, ClientTools } from './client.js';
import { clientDirectory, formatMount } from './client.js';
import { locateShare, type CephFsFor, type LocatedShare } from './locate.js';
import { bindReadOnly, unmountOrAbandon } from './mounts.js';
import { SharedSnapshots } from './shared-snapshots.js';
import { SnapshotDirectory } from './snapshots.js';
import { pathOf, VolumeSnapshot, type Shown } from './volume-snapshot.js';
import type { DirectorySource } from '../../repository/source.js';
import { tellRefused, type VolumeDriver, type VolumeJob } from '../driver.js';
import { rootOptions } from '../root-directory.js';
import { namespaceInScope } from '../namespace.js';

export interface CephfsTools extends ClientTools {
  client: CephfsClient;
  cephFsFor: CephFsFor;
}

/** Mounts the directory that the snapshot is taken of, and shows restic the volume's part of the snapshot. */
export class CephfsDriver implements VolumeDriver {
  readonly #shared = new SharedSnapshots();

  constructor(private readonly tools: CephfsTools) {}

  async prepare(job: VolumeJob): Promise<DirectorySource> {
    const { volume, scope, signal } = job;
    tellRefused(job);
    const share = await locateShare(this.tools.cephFsFor, volume, signal);
    const fixed = volume.details?.snapshotBacked === true;
    const snapshot = fixed ? null : new VolumeSnapshot(this.tools, this.#shared, share, job);
    let mount: CephfsMount | null = null;
    // Released last, when it has long ended: the snapshot's removal takes as long as the client's session.
    scope.add(null, async () => mount?.ended());
    scope.add(
      () => snapshot?.resource() ?? null,
      async () => snapshot?.remove(),
    );
    const namespace = await namespaceInScope(this.tools, job);

    // Mounted before the snapshot is taken: the mount shows whether the name is free, and the directory there.
    job.step('mounting filesystem');
    mount = this.#client(job, share, namespace);
    await this.#mount(job, share, mount);
    const snapshots = new SnapshotDirectory(this.tools.exec, namespace, this.tools.env);
    if (snapshot === null) {
      await job.takeSnapshot((begin) => {
        begin();
        return Promise.resolve(1);
      });
    }
    const shown =
      snapshot === null
        ? { of: '', ...(await backingSnapshot(snapshots, volume, share.place, signal)) }
        : await snapshot.take(snapshots);
    await this.#show(job, share, namespace, mount, shown);

    const confirm = () => this.#confirm(namespace, mount, snapshots, shown);
    await confirm();
    const resticOptions = await rootOptions(job, this.tools.exec, namespace);
    return { type: 'directory', namespace, path: volumeDirectory, readAll: null, resticOptions, confirm };
  }

  #client(
    job: VolumeJob,
    { cephFs, fs, place, kernelOptions }: LocatedShare,
    namespace: MountNamespace,
  ): CephfsMount {
    return this.tools.client({
      connection: cephFs.connection,
      fs,
      root: place.root,
      writable: place.by === 'mkdir' && job.volume.details?.snapshotBacked !== true,
      kernelOptions,
      namespace,
      signal: job.signal,
      warn: (text) => {
        job.warn(text);
      },
    });
  }

  async #mount(
    { scope }: VolumeJob,
    { fs, place, cluster }: LocatedShare,
    mount: CephfsMount,
  ): Promise<void> {
    const name = formatMount({ fs, root: place.root });
    scope.add({ kind: 'mount', name, cluster }, () => mount.unmount());
    await mount.mount();
  }

  async #show(
    job: VolumeJob,
    { cluster }: LocatedShare,
    namespace: MountNamespace,
    mount: CephfsMount,
    shown: Shown,
  ): Promise<void> {
    const { exec } = this.tools;
    job.scope.add({ kind: 'mount', name: `${volumeDirectory} (${job.name})`, cluster }, async () => {
      // Who waits for a client that answers no more uses the mount until the client ends.
      const problem = await unmountOrAbandon(exec, namespace, volumeDirectory, () => mount.abandon());
      if (problem !== null) job.warn(`${volumeDirectory} was unmounted by force: ${problem}`);
    });
    await bindReadOnly(exec, namespace, `${clientDirectory}${pathOf(shown)}`, volumeDirectory, job.signal);
  }

  /** Before and after: the mount is the snapshot's directory and no other, and the snapshot is still there. */
  async #confirm(
    namespace: MountNamespace,
    mount: CephfsMount,
    snapshots: SnapshotDirectory,
    what: Shown,
  ): Promise<void> {
    const [root, shown] = await Promise.all([
      mountedAt(namespace, clientDirectory),
      mountedAt(namespace, volumeDirectory),
    ]);
    const expected = pathOf(what);
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
    if (!(await snapshots.list('', {}, what.of)).includes(what.snapshot)) {
      throw new CephbackupError('SNAPSHOT_VANISHED', `the snapshot ${what.snapshot} is gone`);
    }
  }
}
