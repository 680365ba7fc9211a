import { setTimeout as sleep } from 'node:timers/promises';
import { CephbackupError } from '../errors/error.js';
import { startAnnouncing, type StartDaemon } from '../tools/process/daemon.js';
import { unlessAborted } from '../waiting/within.js';
import type { Environment } from '../tools/process/environment.js';
import type { RbdWriter } from '../tools/rbd/write.js';
import { formatImage, type ImageSpec } from '../tools/rbd/image-spec.js';
import type { Rbd } from '../tools/rbd/images.js';
import type { RestoreJob } from './job.js';

export interface HoldTools {
  rbd: Rbd;
  writer: RbdWriter;
  startDaemon: StartDaemon;
  env: Environment;
}

/** An image that nobody else uses, from the first check to the last. */
export interface ImageHold {
  /**
   * @param opened by how many programs that belong to this restore, the watch itself left out
   * @throws CephbackupError TARGET_IN_USE where somebody else has opened the image
   */
  check(opened?: number): Promise<void>;
}

const readyWithinMs = 60_000;
/** A client that died is forgotten after 30 s; a rerun after a crash waits for that. */
export const deadClientPatienceMs = 45_000;
export const pollIntervalMs = 2_000;

/**
 * Holds an image with a watch of our own, and sees to it that it is the only one. While it lasts, ceph-csi neither maps
 * the image for a pod (of a volume that one node may write) nor deletes it, and `rbd rm` refuses. RBD has no lock that
 * keeps out a program that ignores watchers, so the check is made again after the last byte.
 *
 * @throws CephbackupError TARGET_IN_USE
 */
export async function holdImage(
  job: Pick<RestoreJob, 'scope' | 'signal' | 'force' | 'log'>,
  image: ImageSpec,
  { rbd, writer, startDaemon, env }: HoldTools,
): Promise<ImageHold> {
  const { scope, signal, log } = job;
  const shown = formatImage(image);
  const [lock] = await writer.locks(image, { signal });
  if (lock !== undefined) throw inUse(shown, `it is locked with the id ${JSON.stringify(lock)}`);

  const { daemon, announced } = startAnnouncing(startDaemon, 'rbd', writer.watchArgv(image), { env });
  // What is killed is remembered as a watcher for 30 s; at the end of its input it says goodbye.
  scope.add({ kind: 'mapping', name: `watch of ${shown}`, cluster: null }, () => daemon.finish());
  const failed = (why: string) => new CephbackupError('RESTORE_FAILED', `cannot watch ${shown}: ${why}`);
  await unlessAborted(announced(readyWithinMs, failed), signal);

  const others = async (opened: number) => {
    const watchers = await rbd.watchers(image, { signal });
    if (!daemon.alive() || watchers.length === 0) {
      throw new CephbackupError('RESTORE_FAILED', `the watch that holds ${shown} was lost`);
    }
    // Nobody can tell which are ours.
    return watchers.length <= 1 + opened ? [] : watchers.map(({ address }) => address);
  };
  const check = async (opened = 0) => {
    const found = await others(opened);
    if (found.length > 0)
      throw inUse(shown, `its watchers are ${found.join(', ')}, ${1 + opened} of them ours`);
  };
  const deadline = performance.now() + (job.force ? deadClientPatienceMs : 0);
  for (;;) {
    const found = await others(0);
    if (found.length === 0) return { check };
    if (performance.now() > deadline) await check();
    log.info(`waiting: ${shown} is watched; a client that died is forgotten after 30 s`);
    await sleep(pollIntervalMs, undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
  }
}

function inUse(image: string, why: string): CephbackupError {
  return new CephbackupError('TARGET_IN_USE', `the image ${image} is in use: ${why}`);
}
