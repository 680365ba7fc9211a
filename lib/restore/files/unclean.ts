import { CephbackupError } from '../../errors/error.js';
import { lastLine, type CommandOptions, type Exec, type NamespaceRef } from '../../tools/process/exec.js';
import type { FilesystemType } from '../../volumes/rbd/filesystem.js';

type Options = Partial<CommandOptions> & { namespace: NamespaceRef };

/**
 * Whether a filesystem has changes in its journal that a look without replaying it would not show.
 * Formats: ext4 disk layout, `s_feature_incompat` (offset 1024 + 96) and its bit INCOMPAT_RECOVER; for xfs, xfs_repair
 * itself has to say.
 */
export async function isUnclean(
  exec: Exec,
  device: string,
  type: FilesystemType,
  options: Options,
): Promise<boolean> {
  if (type === 'xfs') return hasDirtyLog(exec, device, options);
  const args = ['-A', 'n', '-v', '-t', 'x1', '-j', '1120', '-N', '4', '--', device];
  const result = await exec('od', args, { deadline: 120_000, ...options });
  const bytes = Buffer.from(result.stdout.replace(/\s/g, ''), 'hex');
  if (result.exitCode !== 0 || bytes.length !== 4) {
    throw new CephbackupError('COMMAND_FAILED', `reading ${device}: ${lastLine(result.stderr)}`);
  }
  return (bytes.readUInt32LE() & 0x4) !== 0;
}

async function hasDirtyLog(exec: Exec, device: string, options: Options): Promise<boolean> {
  const file = device.startsWith('/dev/') ? [] : ['-f'];
  const args = ['-n', ...file, '--', device];
  const { stdout, stderr } = await exec('xfs_repair', args, { deadline: 6 * 3_600_000, ...options });
  return (stdout + stderr).includes('valuable metadata changes in a log');
}
