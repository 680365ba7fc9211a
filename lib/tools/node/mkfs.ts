import { CephbackupError } from '../../errors/error.js';
import type { CommandOptions, Exec, NamespaceRef } from '../process/exec.js';
import { lastLine } from '../process/outcome.js';
import { mkfsArguments, type FormattableType, type Making } from './new-filesystem.js';

/** Makes a filesystem on a device that holds nothing. @throws CephbackupError RESTORE_FAILED, TOOL_MISSING */
export async function makeFilesystem(
  exec: Exec,
  device: string,
  type: FormattableType,
  making: Making,
  options: Partial<CommandOptions> & { namespace: NamespaceRef },
): Promise<void> {
  const program = `mkfs.${type}`;
  const usage = type === 'xfs' ? await usageOf(exec, program, options) : '';
  const args = [...mkfsArguments(type, making, usage), '--', device];
  const result = await exec(program, args, { deadlineMs: 3_600_000, ...options });
  if (result.exitCode === 0) return;
  const said = lastLine(result.stderr + result.stdout);
  throw new CephbackupError('RESTORE_FAILED', `${program}: exit code ${result.exitCode}: ${said}`);
}

/** Without a device it writes nothing, and says what it knows. */
async function usageOf(exec: Exec, program: string, options: Partial<CommandOptions>): Promise<string> {
  const { stdout, stderr } = await exec(program, [], { deadlineMs: 60_000, ...options });
  return stdout + stderr;
}
