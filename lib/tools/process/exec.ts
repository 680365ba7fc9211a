import { closeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { CephbackupError } from '../../errors/error.js';
import type { Logger } from '../../log/logger.js';
import { redactCephKeys, type Redactor } from '../../log/redactor.js';
import { deadline } from '../../waiting/deadline.js';
import type { Patience } from '../../waiting/persist.js';
import { unlessAborted, within } from '../../waiting/within.js';
import { collect } from './collect.js';
import { Stopper, type Ending } from './ending.js';
import type { Environment } from './environment.js';
import { drain, feed, type Flow, type FlowFailure } from './flow.js';
import { resolveProgram, wrapper } from './launch.js';
import { exitCodeOf, shownCommand } from './outcome.js';
import { openPipe, pipeDeadlineMs, PipeReader, pipeWriter, type KernelPipe } from './pipe.js';

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
  /**
   * Text, or bytes that are asked for as the command reads them, each chunk once the one before was written; where they
   * fail, the command is stopped.
   */
  input?: string | AsyncIterable<Uint8Array>;
  /**
   * The command knows by what it reads where its input ends, which stays open as long as it runs. For those that open
   * `/dev/stdin`: if nobody can write to a pipe any more, that waits for somebody who can, for ever.
   */
  inputStaysOpen?: boolean;
  /**
   * Takes stdout, which then flows no faster than it is taken; each chunk is valid until the next is asked for. Where it
   * fails, the command is stopped.
   */
  output?: (chunks: AsyncIterable<Uint8Array>) => Promise<void>;
  signal?: AbortSignal;
  /** When `signal` is aborted, the command is let go on for so long before it is told to end; default: not at all. */
  finishMs?: number;
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
  /** What an answer of the table must say, too, to be waited for; default: nothing more. */
  ifSaid?: RegExp;
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
const defaultKillGraceMs = 5_000;

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
    const aborted = options.signal === undefined ? {} : { signal: options.signal };
    const mkfifo = (names: string[]) => exec('mkfifo', names, { deadlineMs: pipeDeadlineMs, ...aborted });
    const pipes = await openPipes(options, () => openPipe(env, mkfifo));
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
      // Execa's types know no descriptors beyond 9.
      stdin: (pipes.stdin as 9 | null) ?? (options.input === undefined ? 'ignore' : 'pipe'),
      stdout: (pipes.stdout as 9 | null) ?? 'pipe',
      ...(typeof options.input === 'string' ? { input: options.input } : {}),
      ...(options.cwd !== undefined && options.namespace === undefined ? { cwd: options.cwd } : {}),
    });
    for (const fd of [pipes.stdin, pipes.stdout]) if (fd !== null) closeSync(fd);
    const stop = new Stopper(child, endOf(child, pipes), options.killGraceMs ?? defaultKillGraceMs);
    const said = [child.stdout, child.stderr].filter((stream) => stream !== null);
    if (options.silenceMs !== undefined) stop.watchSilence(said, options.silenceMs);
    const flows = startFlows(pipes, options, stop);
    const {
      onStdout,
      onStdoutLine,
      onStderrLine,
      stdoutLimitBytes: stdoutLimitBytes = defaultStdoutLimitBytes,
    } = options;
    if (onStdout !== undefined) {
      child.stdout?.on('data', (chunk: Buffer) => {
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
    const ending = await stop.supervise(options.deadlineMs, options.signal, options.finishMs);
    const ends = [pipes.writer, pipes.reader, child.stdout, child.stderr];
    const leftMs = options.deadlineMs - (performance.now() - started);
    const flowed = await endOfFlows(ends, flows, ending, leftMs, options);
    const seconds = (performance.now() - started) / 1000;
    const output = redactor.redact(stderr());
    const exitCode = 'exitCode' in ending ? ending.exitCode : null;
    log.debug('command ended', { command: shown, exitCode, seconds: Number(seconds.toFixed(3)) });
    const code = exitCodeOf(flowed.ending, flowed.failure, { shown, output, options, stdoutLimitBytes });
    return { exitCode: code, stdout: stdout(), stderr: output, seconds };
  };
}

/** What a command is connected by where bytes flow: this program's ends, and its own until it has them. */
interface Pipes {
  writer: Socket | null;
  reader: PipeReader | null;
  stdin: number | null;
  stdout: number | null;
}

async function openPipes({ input, output }: CommandOptions, open: () => Promise<KernelPipe>): Promise<Pipes> {
  const into = typeof input === 'object' ? await open() : null;
  const out = output === undefined ? null : await open();
  return {
    writer: into === null ? null : pipeWriter(into.input),
    reader: out === null ? null : new PipeReader(out.output),
    stdin: into?.output ?? null,
    stdout: out?.input ?? null,
  };
}

/** How a command ended, once nobody can say more in its name. */
async function endOf<End>(child: PromiseLike<End>, { writer, reader }: Pipes): Promise<End> {
  const end = await child;
  writer?.destroy();
  await reader?.over;
  return end;
}

function startFlows(
  { writer, reader }: Pipes,
  { input, inputStaysOpen = false, output }: CommandOptions,
  stop: Stopper,
): Flow[] {
  const end = () => {
    stop.stop('enough', 'SIGINT');
  };
  const flows: Flow[] = [];
  if (typeof input === 'object' && writer !== null) flows.push(feed(writer, input, inputStaysOpen, end));
  if (output !== undefined && reader !== null) flows.push(drain(reader, output, end));
  return flows;
}

/**
 * What went wrong first in what flowed. Nothing ends the flows of a command that is stuck: they are cut off. A reader here
 * that hangs on a command's last words, when that has ended, is waited for as long as the command would have been.
 */
async function endOfFlows(
  pipes: readonly ({ destroy(): unknown } | null)[],
  flows: readonly Flow[],
  ending: Ending,
  leftMs: number,
  { signal, finishMs = 0, killGraceMs = defaultKillGraceMs }: CommandOptions,
): Promise<{ ending: Ending; failure?: FlowFailure | undefined }> {
  const cutOff = (why: Ending) => {
    for (const pipe of pipes) pipe?.destroy();
    return { ending: why };
  };
  if (ending.how === 'stuck') return cutOff(ending);
  if (flows.length === 0) return { ending };
  const all = Promise.all(flows.map(({ done }) => done)).then((ends) => ({
    ending,
    failure: ends.find((end) => end !== null) ?? undefined,
  }));
  const exitCode = 'exitCode' in ending ? ending.exitCode : null;
  const late = new CephbackupError('COMMAND_TIMEOUT', 'what it said was not read in time');
  const limit = deadline(leftMs, () => late, signal ?? new AbortController().signal);
  try {
    return await unlessAborted(all, limit.signal);
  } catch (thrown) {
    const how = thrown === late ? 'late' : 'aborted';
    const graceMs = how === 'late' ? killGraceMs : finishMs + killGraceMs;
    return await within(all, graceMs, () => cutOff({ how, exitCode }));
  } finally {
    limit.clear();
  }
}
