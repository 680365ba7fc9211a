import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { CephbackupError } from '../../errors/error.js';
import { printable, type Logger } from '../../log/logger.js';
import { redactCephKeys, type Redactor } from '../../log/redactor.js';
import type { Environment } from './environment.js';
import { drain, feed, type Flow } from './flow.js';

/** A private mount namespace, kept alive by the process `pid`. */
export interface NamespaceRef {
  readonly pid: number;
}

export interface CommandOptions {
  /** Milliseconds until the command is stopped, with all processes of its group. */
  deadline: number;
  /** The complete environment; default: the clean one of every child. */
  env?: Environment;
  cwd?: string;
  /** Run inside this mount namespace; `cwd` is then a directory of that namespace. */
  namespace?: NamespaceRef;
  /** Text, or bytes that are asked for as the command reads them; where they fail, the command is stopped. */
  input?: string | AsyncIterable<Uint8Array>;
  /** Takes stdout, which then flows no faster than it is taken. Where it fails, the command is stopped. */
  output?: (chunks: AsyncIterable<Uint8Array>) => Promise<void>;
  signal?: AbortSignal;
  /** Called for each line as it comes. `stop` ends the command early (SIGINT, then KILL). */
  onStdoutLine?: (line: string, stop: () => void) => void;
  onStderrLine?: (line: string, stop: () => void) => void;
  /** Called with the output as it comes, instead of by lines. Must not throw. */
  onStdout?: (chunk: Buffer, stop: () => void) => void;
  /** Milliseconds between SIGTERM and SIGKILL. */
  killGrace?: number;
  /** Bytes of stdout that are kept at most; default: 64 MiB. */
  stdoutLimit?: number;
}

export interface CommandResult {
  exitCode: number;
  /** Whole, at most `stdoutLimit`; empty where `onStdout`, `onStdoutLine` or `output` takes it. */
  stdout: string;
  /** The last 64 KiB. */
  stderr: string;
  seconds: number;
}

/**
 * Runs one command to its end and returns its exit code, whatever it is: what a code means is the caller's business.
 *
 * @throws CephbackupError TOOL_MISSING, COMMAND_TIMEOUT, COMMAND_FAILED (died by a signal, too much output), or the
 * reason of `signal` when that was aborted. It always returns or throws, even if the process cannot be killed.
 */
export type Exec = (
  program: string,
  args: readonly string[],
  options: CommandOptions,
) => Promise<CommandResult>;

const defaultStdoutLimit = 64 * 1024 * 1024;
const stderrLimit = 64 * 1024;
const lineLimit = 1024 * 1024;
const longestShown = 1_000;
/** How long a process may take to vanish after SIGKILL before it counts as stuck in the kernel. */
const stuckAfter = 5_000;

export interface ExecDependencies {
  env: Environment;
  log: Logger;
  redactor: Redactor;
}

/** The one place that spawns processes: deadline, abort, environment, redaction and logging live here. */
export function createExec({ env, log, redactor }: ExecDependencies): Exec {
  return async function exec(program, args, options) {
    const file = resolveProgram(program, (options.env ?? env).PATH);
    const argv = [...wrapper(options), file, ...args];
    // A list of ids may have a megabyte; messages and the log need only tell which command it is.
    const shown = printable([program, ...args].join(' ')).slice(0, longestShown);
    // It takes 100 ms to load, and some commands run no other program.
    const { execa } = await import('execa');
    options.signal?.throwIfAborted();
    log.debug('command starts', { command: shown });
    const started = performance.now();
    const child = execa('setpriv', argv, {
      env: options.env ?? env,
      extendEnv: false,
      // A process group of its own: a signal from the terminal reaches this program alone, and the group can be killed.
      detached: true,
      cleanup: false,
      buffer: false,
      reject: false,
      stripFinalNewline: false,
      stdin: options.input === undefined ? 'ignore' : 'pipe',
      ...(typeof options.input === 'string' ? { input: options.input } : {}),
      ...(options.cwd !== undefined && options.namespace === undefined ? { cwd: options.cwd } : {}),
    });
    const stop = new Stopper(child, options.killGrace ?? 5_000);
    const flows = startFlows(child, options, stop);
    const { onStdout, onStdoutLine, onStderrLine, stdoutLimit = defaultStdoutLimit } = options;
    if (onStdout !== undefined) {
      child.stdout.on('data', (chunk: Buffer) => {
        onStdout(chunk, () => {
          stop.stop('caller', 'SIGINT');
        });
      });
    }
    const collected = onStdout === undefined && options.output === undefined ? child.stdout : null;
    const stdout = collect(collected, onStdoutLine, stop, stdoutLimit, 'head');
    const onLine =
      onStderrLine &&
      ((line: string, end: () => void) => {
        onStderrLine(redactCephKeys(line), end);
      });
    const stderr = collect(child.stderr, onLine, stop, stderrLimit, 'tail');
    const result = await stop.supervise(options.deadline, options.signal);
    const failure = (await Promise.all(flows.map(({ done }) => done))).find((end) => end !== null);
    const seconds = (performance.now() - started) / 1000;
    const output = redactor.redact(stderr());
    log.debug('command ended', {
      command: shown,
      exitCode: result.exitCode,
      seconds: Number(seconds.toFixed(3)),
    });
    if (result.stuck) {
      throw new CephbackupError('COMMAND_TIMEOUT', `${shown}: does not end, not even after SIGKILL`);
    }
    if (stop.cause === 'abort') throw abortReason(options.signal);
    if (stop.cause === 'deadline') {
      const limit = Math.round(options.deadline / 1000);
      throw new CephbackupError('COMMAND_TIMEOUT', `${shown}: not finished after ${limit} s`);
    }
    // A command that failed by itself says more than the flow that it cut short.
    const failedByItself = result.exitCode !== 0 && stop.cause !== 'caller';
    if (failure !== undefined && (failure.first || !failedByItself)) throw failure.error;
    if (stop.cause === 'overflow') {
      throw new CephbackupError('COMMAND_FAILED', `${shown}: printed more than ${stdoutLimit} bytes`);
    }
    if (result.exitCode === null) {
      if (stop.cause === 'caller') return { exitCode: 130, stdout: stdout(), stderr: output, seconds };
      const how = result.signal === null ? 'could not be started' : `was killed by ${result.signal}`;
      throw new CephbackupError('COMMAND_FAILED', `${shown}: ${how}: ${lastLine(output)}`);
    }
    return { exitCode: result.exitCode, stdout: stdout(), stderr: output, seconds };
  };
}

function startFlows(
  child: { stdin: Writable | null; stdout: Readable | null },
  { input, output }: CommandOptions,
  stop: Stopper,
): Flow[] {
  const end = () => {
    stop.stop('caller', 'SIGINT');
  };
  const flows: Flow[] = [];
  if (typeof input === 'object' && child.stdin !== null) flows.push(feed(child.stdin, input, end));
  if (output !== undefined && child.stdout !== null) flows.push(drain(child.stdout, output, end));
  return flows;
}

/** The last line that says something, for an error message. */
export function lastLine(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return printable(lines.at(-1) ?? 'no message').slice(0, 500);
}

/** argv of `setpriv` in front of a program: it dies with this one, and runs in the mount namespace given. */
export function wrapper({ namespace, cwd }: Pick<CommandOptions, 'namespace' | 'cwd'>): string[] {
  const dieWithParent = ['--pdeathsig', 'KILL', '--'];
  if (namespace === undefined) return dieWithParent;
  const enter = ['nsenter', `--mount=/proc/${namespace.pid}/ns/mnt`];
  return [...dieWithParent, ...enter, ...(cwd === undefined ? [] : [`--wdns=${cwd}`]), '--'];
}

/** @throws CephbackupError TOOL_MISSING */
export function resolveProgram(program: string, searchPath = ''): string {
  if (program.includes('/')) return program;
  for (const folder of searchPath.split(':')) {
    const file = path.join(folder === '' ? '.' : folder, program);
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return file;
    } catch {
      continue;
    }
  }
  throw new CephbackupError('TOOL_MISSING', `the program ${program} is not on PATH`);
}

function abortReason(signal: AbortSignal | undefined): unknown {
  return signal?.reason ?? new CephbackupError('CANCELLED', 'stopped');
}

/** What this module uses of execa's subprocess. */
interface Child extends PromiseLike<{ exitCode?: number; signal?: string }> {
  readonly pid?: number;
}

interface Ending {
  exitCode: number | null;
  signal: string | null;
  stuck: boolean;
}

/** Ends a process group: at the deadline, on abort, or because the caller has seen enough. */
class Stopper {
  cause: 'none' | 'deadline' | 'abort' | 'caller' | 'overflow' = 'none';
  readonly #timers: NodeJS.Timeout[] = [];
  #over = false;
  #declareStuck: () => void = () => undefined;

  constructor(
    private readonly child: Child,
    private readonly killGrace: number,
  ) {}

  async supervise(deadline: number, signal: AbortSignal | undefined): Promise<Ending> {
    const stuck = new Promise<Ending>((resolve) => {
      this.#declareStuck = () => {
        resolve({ exitCode: null, signal: null, stuck: true });
      };
    });
    const ended = (async (): Promise<Ending> => {
      const { exitCode, signal: by } = await this.child;
      return { exitCode: exitCode ?? null, signal: by ?? null, stuck: false };
    })();
    const onAbort = () => {
      this.stop('abort', 'SIGTERM');
    };
    this.#after(deadline, () => {
      this.stop('deadline', 'SIGTERM');
    });
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([ended, stuck]);
    } finally {
      // From here on the process group's number may be somebody else's.
      this.#over = true;
      signal?.removeEventListener('abort', onAbort);
      for (const timer of this.#timers) clearTimeout(timer);
      // What the command itself started and left behind in its group has no owner any more.
      if (this.cause !== 'none') this.#kill('SIGKILL');
    }
  }

  stop(cause: Exclude<Stopper['cause'], 'none'>, first: 'SIGTERM' | 'SIGINT'): void {
    if (this.cause !== 'none' || this.#over) return;
    this.cause = cause;
    this.#kill(first);
    this.#after(this.killGrace, () => {
      this.#kill('SIGKILL');
      this.#after(stuckAfter, this.#declareStuck);
    });
  }

  #after(milliseconds: number, action: () => void): void {
    this.#timers.push(setTimeout(action, Math.min(milliseconds, 2 ** 31 - 1)));
  }

  #kill(signal: NodeJS.Signals): void {
    const { pid } = this.child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // The group has ended already.
    }
  }
}

/** Reads a stream to its end, by lines where somebody listens; returns what was kept. */
function collect(
  stream: NodeJS.ReadableStream | null,
  onLine: ((line: string, stop: () => void) => void) | undefined,
  stopper: Stopper,
  limit: number,
  keep: 'head' | 'tail',
): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  let pending = '';
  let cut = false;
  const stop = () => {
    stopper.stop('caller', 'SIGINT');
  };
  const decoder = new TextDecoder();
  stream?.on('data', (chunk: Buffer) => {
    if (onLine !== undefined) {
      const lines = (pending + decoder.decode(chunk, { stream: true })).split('\n');
      pending = (lines.pop() ?? '').slice(0, lineLimit);
      for (const line of lines) onLine(line, stop);
      if (keep === 'head') return;
    }
    chunks.push(chunk);
    size += chunk.length;
    if (size <= limit) return;
    if (keep === 'head') stopper.stop('overflow', 'SIGTERM');
    else
      while (chunks.length > 1 && size - (chunks[0]?.length ?? 0) > limit) {
        size -= chunks.shift()?.length ?? 0;
        cut = true;
      }
  });
  stream?.on('end', () => {
    if (onLine !== undefined && pending !== '') onLine(pending, stop);
  });
  // A broken pipe ends the command by itself.
  stream?.on('error', () => undefined);
  return () => {
    const text = Buffer.concat(chunks).toString();
    // Half a line may be half a secret, which nobody would know for one.
    return cut ? text.slice(text.indexOf('\n') + 1) : text;
  };
}
