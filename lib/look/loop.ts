import { stat } from 'node:fs/promises';
import { CephbackupError } from '../errors/error.js';
import { lastLine } from '../tools/process/outcome.js';
import { mountReason } from '../tools/node/mount.js';
import type { NamespaceRef } from '../tools/process/exec.js';
import type { OpenDisk } from './disk.js';
import { mountOptions, type Content } from './filesystem.js';
import type { DiskRange } from './partitions.js';
import type { LookTools } from './tools.js';

/**
 * Mounts a part of a disk read-only at a directory, here or in a namespace. The kernel lets go of the loop device with the
 * mount, however that ends.
 *
 * @throws CephbackupError MOUNT_FAILED
 */
export async function mountPart(
  { exec, signal }: LookTools,
  disk: OpenDisk,
  { offset, sizeBytes }: DiskRange,
  content: Content & { type: string },
  directory: string,
  namespace?: NamespaceRef,
): Promise<void> {
  await refuseTwins(content);
  const place = ['--offset', String(offset), '--sizelimit', String(sizeBytes)];
  const attached = await exec('losetup', ['--find', '--show', ...place, '--', disk.path], {
    signal,
    deadlineMs: 60_000,
  });
  const device = attached.stdout.trim();
  if (attached.exitCode !== 0 || !/^\/dev\/loop\d+$/.test(device))
    throw new CephbackupError('MOUNT_FAILED', `losetup: ${lastLine(attached.stderr)}`);
  try {
    const args = ['-t', content.type, '-o', mountOptions(content.type).join(','), '--', device, directory];
    const where = namespace === undefined ? {} : { namespace };
    const mounted = await exec('mount', args, { signal, deadlineMs: 300_000, ...where });
    if (mounted.exitCode !== 0) throw new CephbackupError('MOUNT_FAILED', mountReason(mounted.stderr));
  } finally {
    // While it is mounted this only means: when nobody uses it any more. Also where this program is being ended.
    await exec('losetup', ['--detach', device], { deadlineMs: 60_000 });
  }
}

/** btrfs knows filesystems by their UUID alone, and would take one of this node's for this one. */
async function refuseTwins({ type, uuid }: Content): Promise<void> {
  if (type !== 'btrfs') return;
  const known = uuid !== null && /^[0-9a-f-]{36}$/.test(uuid);
  const twin = known && (await stat(`/sys/fs/btrfs/${uuid}`).catch(() => null)) !== null;
  if (known && !twin) return;
  throw new CephbackupError('MOUNT_FAILED', 'a btrfs with the same UUID is mounted on this node');
}
