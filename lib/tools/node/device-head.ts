import { CephbackupError } from '../../errors/error.js';
import { queryDeadlineMs } from '../../waiting/deadline.js';
import type { CommandOptions, Exec, NamespaceRef } from '../process/exec.js';
import { lastLine } from '../process/outcome.js';

/**
 * The first bytes of a device, at least `leastBytes` of them. Read by a child, because a read from a dead Ceph does not end.
 * @throws CephbackupError COMMAND_FAILED
 */
export async function readHead(
  exec: Exec,
  device: string,
  { mostBytes, leastBytes }: { mostBytes: number; leastBytes: number },
  options: Partial<CommandOptions> & { namespace: NamespaceRef },
): Promise<Buffer> {
  const args = ['-A', 'n', '-v', '-t', 'x1', '-N', String(mostBytes), '--', device];
  const result = await exec('od', args, { deadlineMs: queryDeadlineMs, ...options });
  const bytes = Buffer.from(result.stdout.replace(/\s/g, ''), 'hex');
  if (result.exitCode === 0 && bytes.length >= leastBytes) return bytes;
  throw new CephbackupError('COMMAND_FAILED', `reading ${device}: ${lastLine(result.stderr)}`);
}
