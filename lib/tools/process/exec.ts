import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { CephbackupError } from '../../errors/error.js';
import { printable, type Logger } from '../../log/logger.js';
import { redactCephKeys, type Redactor } from '../../log/redactor.js';
import type { Patience } from '../../waiting/persist.js';
import { CommandFailure, Stopper, type Ending } from './ending.js';
import type { Environment } from './environment.js';
import { drain, feed, type Flow, type FlowFailure } from './flow.js';

/** A private mount namespace, kept alive by the process `pid`. */
export interface NamespaceRef {
  readonly pid: number;
}

export interface CommandOptions {
  /** The command is stopped after so long, with all processes of its group. */
  deadlineMs: number;
  /** After so long without a byte of output it is stopped, too. */
  silenceMs?: number;
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
  /** What is told to end by SIGTERM has so long before SIGKILL. */
  killGraceMs?: number;
  /** How much of stdout is kept at most; default: 64 MiB. */
  stdoutLimitBytes?: number;
  /**
   * Only for what may be done twice: an answer that passes by itself (`lib/waiting/passing.ts`) is waited for.
   * Default: this is the only attempt.
   */
  patience?: CommandPatience;
  /** Called before each attempt. */
  beforeAttempt?: () => unknown;
}

/** What is left out is as the program was started to have it. */
export interface CommandPatience extends Partial<Patience> {
  /** Says what is waited for where the answer to this one command passes by itself, although it is none of the table's. */
  passes?: (result: CommandResult) => string | null;
  /** Whether the program, where it tries again by itself, is let do so for as long as it likes. */
  ownRetries?: true;
}

export interface CommandResult {
  exitCode: number;
  /** Whole, at most `stdoutLimit`; empty where `onStdout`, `onStdoutLine` or `output` takes it. */
  stdout: string;
  /** The last 64 KiB. */
  stderr: string;
  seconds: number;
  /** More than one where it was tried again; default: 1. */
  attempts?: number;
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

const defaultStdoutLimitBytes = 64 * 1024 * 1024;
const stderrLimitBytes = 64 * 1024;
const longestLineBytes = 1024 * 1024;
const longestShown = 1_000;

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
    const shown = shownCommand(program, args);
    // It takes 100 ms to load, and some commands run no other program.
    const { execa } = await import('execa');
    await options.beforeAttempt?.();
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
    const stop = new Stopper(child, options.killGraceMs ?? 5_000);
    if (options.silenceMs !== undefined) stop.watchSilence([child.stdout, child.stderr], options.silenceMs);
    const flows = startFlows(child, options, stop);
    const {
      onStdout,
      onStdoutLine,
      onStderrLine,
      stdoutLimitBytes: stdoutLimitBytes = defaultStdoutLimitBytes,
    } = options;
    if (onStdout !== undefined) {
      child.stdout.on('data', (chunk: Buffer) => {
        onStdout(chunk, () => {
          stop.stop('enough', 'SIGINT');
        });
      });
    }
    const collected = onStdout === undefined && options.output === undefined ? child.stdout : null;
    const stdout = collect(collected, onStdoutLine, stop, stdoutLimitBytes, 'head');
    const onLine =
      onStderrLine &&
      ((line: string, end: () => void) => {
        onStderrLine(redactCephKeys(line), end);
      });
    const stderr = collect(child.stderr, onLine, stop, stderrLimitBytes, 'tail');
    const ending = await stop.supervise(options.deadlineMs, options.signal);
    const failure = (await Promise.all(flows.map(({ done }) => done))).find((end) => end !== null);
    const seconds = (performance.now() - started) / 1000;
    const output = redactor.redact(stderr());
    const exitCode = 'exitCode' in ending ? ending.exitCode : null;
    log.debug('command ended', { command: shown, exitCode, seconds: Number(seconds.toFixed(3)) });
    const code = exitCodeOf(ending, failure, { shown, output, options, stdoutLimitBytes });
    return { exitCode: code, stdout: stdout(), stderr: output, seconds };
  };
}

interface Told {
  shown: string;
  /** What it wrote to stderr. */
  output: string;
  options: CommandOptions;
  stdoutLimitBytes: number;
}

/**
 * The exit code of a command that ended by itself, or because the caller had seen enough. A command that failed by itself
 * says more than the flow that it cut short, unless the flow failed first.
 * @throws what else its end means
 */
function exitCodeOf(ending: Ending, failure: FlowFailure | undefined, told: Told): number {
  const { shown, output, options, stdoutLimitBytes } = told;
  const said = output.trim() === '' ? '' : `: ${lastLine(output)}`;
  const failed = (code: 'COMMAND_FAILED' | 'COMMAND_TIMEOUT', what: string) =>
    new CommandFailure(code, `${shown}: ${what}`, ending, output);
  switch (ending.how) {
    case 'stuck':
      throw failed('COMMAND_TIMEOUT', 'does not end, not even after SIGKILL');
    case 'exited':
      if (failure !== undefined && (failure.first || ending.exitCode === 0)) throw failure.error;
      return ending.exitCode;
    case 'unstartable':
      if (failure?.first === true) throw failure.error;
      throw failed('COMMAND_FAILED', `could not be started: ${lastLine(output)}`);
    case 'killed':
      if (failure?.first === true) throw failure.error;
      throw failed('COMMAND_FAILED', `was killed by ${ending.signal}: ${lastLine(output)}`);
    case 'aborted':
      throw abortReason(options.signal);
    case 'silent':
      throw failed(
        'COMMAND_TIMEOUT',
        `made no progress for ${Math.round((options.silenceMs ?? 0) / 1000)} s`,
      );
    case 'late':
      throw failed('COMMAND_TIMEOUT', `not finished after ${Math.round(options.deadlineMs / 1000)} s${said}`);
    case 'overflowed':
      if (failure?.first === true) throw failure.error;
      throw failed('COMMAND_FAILED', `printed more than ${stdoutLimitBytes} bytes`);
    case 'enough':
      if (failure !== undefined) throw failure.error;
      return ending.exitCode ?? 130;
  }
}

/** A command as messages and the log show it. */
export function shownCommand(program: string, args: readonly string[]): string {
  return printable([program, ...args].join(' ')).slice(0, longestShown);
}

function startFlows(
  child: { stdin: Writable | null; stdout: Readable | null },
  { input, output }: CommandOptions,
  stop: Stopper,
): Flow[] {
  const end = () => {
    stop.stop('enough', 'SIGINT');
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

/** Reads a stream to its end, by lines where somebody listens; returns what was kept. */
function collect(
  stream: NodeJS.ReadableStream | null,
  onLine: ((line: string, stop: () => void) => void) | undefined,
  stopper: Stopper,
  limitBytes: number,
  keep: 'head' | 'tail',
): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  let pending = '';
  let cut = false;
  const stop = () => {
    stopper.stop('enough', 'SIGINT');
  };
  const decoder = new TextDecoder();
  stream?.on('data', (chunk: Buffer) => {
    if (onLine !== undefined) {
      const lines = (pending + decoder.decode(chunk, { stream: true })).split('\n');
      pending = (lines.pop() ?? '').slice(0, longestLineBytes);
      for (const line of lines) onLine(line, stop);
      if (keep === 'head') return;
    }
    chunks.push(chunk);
    size += chunk.length;
    if (size <= limitBytes) return;
    if (keep === 'head') stopper.stop('overflowed', 'SIGTERM');
    else
      while (chunks.length > 1 && size - (chunks[0]?.length ?? 0) > limitBytes) {
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
