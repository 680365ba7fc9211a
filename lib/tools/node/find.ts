import { CephbackupError } from '../../errors/error.js';
import type { CommandOptions, CommandResult, Exec } from '../process/exec.js';
import { lastLine } from '../process/outcome.js';

/** Of `find`: prints a byte where it has come to its starting point. Its result is then never empty. */
const arrived = '.';

/**
 * Runs `find` on one directory, and believes it only where it says that it was there: nothing found is an answer, and
 * nothing said is none.
 *
 * @param depth how deep at most; default: everything @param expression prints what it finds, and no `-quit` before it has
 * @returns its result, without what it said of the directory itself; where lines are taken as they come, those are without it, too
 * @throws CephbackupError COMMAND_OUTPUT_INVALID where it exits 0 without having looked
 */
export async function findBelow(
  exec: Exec,
  { directory, depth = null }: { directory: string; depth?: number | null },
  expression: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const itself = ['-path', escapeGlob(directory), '-printf', arrived];
  const within = depth === null ? [] : ['-maxdepth', String(depth)];
  const args = [directory, ...within, '-xdev', '(', ...itself, ')', '-o', '(', ...expression, ')'];
  let there = false as boolean;
  const { onStdoutLine } = options;
  const byLine: typeof onStdoutLine = (line, stop) => {
    const first = !there && line.startsWith(arrived);
    there ||= first;
    const rest = first ? line.slice(arrived.length) : line;
    if (!first || rest !== '') onStdoutLine?.(rest, stop);
  };
  const result = await exec('find', args, { ...options, ...(onStdoutLine && { onStdoutLine: byLine }) });
  if (result.exitCode !== 0) return result;
  if (!there && !result.stdout.startsWith(arrived))
    throw new CephbackupError(
      'COMMAND_OUTPUT_INVALID',
      `find: exit code 0, but it did not look into ${directory}: ${lastLine(result.stderr)}`,
    );
  return onStdoutLine === undefined ? { ...result, stdout: result.stdout.slice(arrived.length) } : result;
}

/** What stands for itself alone in a pattern of `find`. */
export function escapeGlob(name: string): string {
  return name.replace(/[\\*?[]/g, '\\$&');
}
