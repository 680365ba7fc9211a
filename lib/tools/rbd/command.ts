import { cephError, connectionArguments, type CephConnection } from '../ceph/connection.js';
import { expectReadableKey } from '../ceph/unreadable-key.js';
import type { CommandOptions, CommandResult, Exec } from '../process/exec.js';
import { finishingMs, queryDeadlineMs } from '../../waiting/deadline.js';

/** What flows while the command runs cannot flow twice. */
function repeatable({
  onStdout,
  onStdoutLine,
  output,
  input,
}: Partial<CommandOptions>): Partial<CommandOptions> {
  const flows = [onStdout, onStdoutLine, output, input].some((flow) => flow !== undefined);
  return flows ? {} : { patience: {} };
}

/** Runs `rbd` with one connection. */
export class RbdCommand {
  constructor(
    private readonly exec: Exec,
    readonly connection: CephConnection,
  ) {}

  /** argv of `rbd` for programs that run it themselves. */
  argv(args: readonly string[]): string[] {
    return [...connectionArguments(this.connection), ...args];
  }

  /** The exit code is the caller's to read. */
  async run(args: readonly string[], options: Partial<CommandOptions> = {}): Promise<CommandResult> {
    const result = await this.exec('rbd', this.argv(args), {
      deadlineMs: queryDeadlineMs,
      ...repeatable(options),
      ...options,
    });
    return expectReadableKey(this.connection, result);
  }

  /**
   * A command that changes something, and takes a moment. One that is ended in the middle leaves a watch, which keeps the
   * image from being removed for half a minute: where the program is told to end, it is let come to its own end.
   */
  change(args: readonly string[], options: Partial<CommandOptions> = {}): Promise<CommandResult> {
    return this.run(args, { finishMs: finishingMs, ...options });
  }

  /** What it prints as JSON. @throws CephbackupError COMMAND_FAILED, IMAGE_NOT_FOUND … */
  async json(args: readonly string[], options: Partial<CommandOptions> = {}): Promise<string> {
    const result = await this.run([...args, '--format', 'json'], options);
    if (result.exitCode !== 0) throw cephError('COMMAND_FAILED', `rbd ${args.slice(0, 2).join(' ')}`, result);
    return result.stdout;
  }
}
