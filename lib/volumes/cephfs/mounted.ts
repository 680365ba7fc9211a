import { asCephbackupError } from '../../errors/error.js';
import type { CephFs } from '../../tools/ceph/fs.js';
import { openNamespace } from '../../tools/node/namespace.js';
import { persist, steady, whilePassing } from '../../waiting/persist.js';
import type { CephfsTools } from './driver.js';
import { SnapshotDirectory } from './snapshots.js';
import type { NamespaceRef } from '../../tools/process/exec.js';

export interface MountedDirectory {
  cephFs: CephFs;
  fs: string;
  root: string;
  writable: boolean;
  kernelOptions: readonly string[];
}

/**
 * Does something with a directory of a filesystem while it is mounted in a namespace of its own.
 * @throws CephbackupError of the mount, of `work`, or of the unmounting
 */
export async function withMounted<T>(
  { client, startDaemon, env, exec }: CephfsTools,
  { cephFs, fs, root, writable, kernelOptions }: MountedDirectory,
  signal: AbortSignal,
  work: (snapshots: SnapshotDirectory, namespace: NamespaceRef) => Promise<T>,
): Promise<T> {
  const namespace = await openNamespace(startDaemon, env);
  try {
    const mount = client({
      connection: cephFs.connection,
      fs,
      root,
      writable,
      kernelOptions,
      namespace,
      signal,
      warn: () => undefined,
    });
    try {
      await mount.mount();
      return await work(new SnapshotDirectory(exec, namespace, env), namespace);
    } finally {
      await mount.unmount();
      await mount.ended();
    }
  } finally {
    await namespace.close();
  }
}

/** For the removal of a snapshot, from the mount to its end. */
const removalDeadlineMs = 180_000;

/** The server remembers a client that was killed for a minute (`session_timeout`), and lets others wait for it. */
const deadSessionPatienceMs = 60_000;
const betweenAttemptsMs = 2_000;

/** Removes a snapshot that was made by mkdir; succeeds where it does not exist. */
export async function removeSnapshotDirectory(
  tools: CephfsTools,
  directory: Omit<MountedDirectory, 'writable'>,
  name: string,
): Promise<void> {
  const signal = AbortSignal.timeout(removalDeadlineMs);
  const remove = () =>
    withMounted(tools, { ...directory, writable: true }, signal, (snapshots) =>
      snapshots.remove(name, { signal }),
    );
  const unavailable = (thrown: unknown) => asCephbackupError(thrown).code === 'CEPHFS_UNAVAILABLE';
  await persist(remove, whilePassing(unavailable, steady(deadSessionPatienceMs, betweenAttemptsMs)));
}
