import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { run } from '../process.js';
import { resticProgram, searchPath } from '../tools.js';
import type { Repository } from '../repository.js';

/** What a command cost, in seconds; `processor` is of it and of all that ran below it. */
export interface Cost {
  wall: number;
  processor: number;
}

/** `restic backup --stdin-from-command -- COMMAND`, with the options that the program gives. */
export async function backUpPipe(
  repository: Repository,
  command: readonly string[],
  env: Record<string, string>,
): Promise<Cost> {
  for (let left = 2; ; left -= 1) {
    try {
      return await backUpOnce(repository, command, env);
    } catch (thrown) {
      if (!(thrown instanceof StoodStill) || left === 0) throw thrown;
      console.error(`${thrown.message}: measured once more`);
      await repository.restic('unlock', '--remove-all');
    }
  }
}

function backUpOnce(
  repository: Repository,
  command: readonly string[],
  env: Record<string, string>,
): Promise<Cost> {
  const options = ['--json', '--no-scan', '--quiet', '--host=pipe', '--force'];
  const stdin = ['--stdin-filename=/disk.qcow2', '--stdin-from-command', '--', ...command];
  return timed([resticProgram, 'backup', ...options, ...stdin], { ...repository.env, ...env });
}

/** Several times as long as what takes longest here. */
const limitSeconds = 400;

/** librbd 16 was seen to stand still for good in the middle of an `rbd export-diff`, with nobody else on the image. */
class StoodStill extends Error {}

/** Runs a command whose output nobody reads. @throws Error unless it exits 0 */
export async function timed(argv: readonly string[], env: Record<string, string>): Promise<Cost> {
  return timedScript('"$@" > /dev/null', argv, env);
}

/** The same, with a reader of what it writes. */
export async function timedIntoPipe(argv: readonly string[], env: Record<string, string>): Promise<Cost> {
  return timedScript('"$@" | cat > /dev/null', argv, env);
}

async function timedScript(
  commands: string,
  argv: readonly string[],
  env: Record<string, string>,
): Promise<Cost> {
  // bash counts the processor time of all that it has waited for, and what that has waited for.
  const limited = commands.replace('"$@"', `timeout --kill-after=10 ${limitSeconds} "$@"`);
  const script = `set -o pipefail; TIMEFORMAT="cost %R %U %S"; time ${limited}`;
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'bash', '-c', script, 'bash', ...argv], {
    env: { PATH: searchPath(), HOME: process.env.HOME ?? '/root', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code === 124 || code === 137)
    throw new StoodStill(`${argv.join(' ')} was not at its end after ${limitSeconds} s`);
  const found = /^cost (\S+) (\S+) (\S+)$/m.exec(stderr);
  if (code !== 0 || found === null) throw new Error(`${argv.join(' ')}: ${String(code)}\n${stderr}`);
  const [wall = 0, user = 0, system = 0] = found.slice(1).map(Number);
  return { wall, processor: user + system };
}

/** What a repository takes on disk. */
export async function bytesIn({ env }: Repository): Promise<number> {
  return Number.parseInt(await run('du', ['--summarize', '--bytes', env.RESTIC_REPOSITORY]), 10);
}
