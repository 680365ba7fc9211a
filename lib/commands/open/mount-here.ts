import { CephbackupError } from '../../errors/error.js';
import type { LookTools } from '../../look/tools.js';
import { mountReason } from '../../tools/node/mount.js';

/** Where the node sees it. @throws CephbackupError MOUNT_FAILED */
export async function mountHere({ exec, signal }: LookTools, args: string[]): Promise<void> {
  const { exitCode, stderr } = await exec('mount', args, { signal, deadlineMs: 60_000 });
  if (exitCode !== 0)
    throw new CephbackupError('MOUNT_FAILED', `mount ${args.join(' ')}: ${mountReason(stderr)}`);
}
