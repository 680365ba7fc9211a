import type { CommandOptions, Exec, NamespaceRef } from '../../tools/process/exec.js';

/** Whether an xfs has changes in its log that a look without replaying it would not show: xfs_repair has to say. */
export async function hasDirtyLog(
  exec: Exec,
  device: string,
  options: Partial<CommandOptions> & { namespace: NamespaceRef },
): Promise<boolean> {
  const file = device.startsWith('/dev/') ? [] : ['-f'];
  const args = ['-n', ...file, '--', device];
  const { stdout, stderr } = await exec('xfs_repair', args, { deadlineMs: 6 * 3_600_000, ...options });
  return (stdout + stderr).includes('valuable metadata changes in a log');
}
