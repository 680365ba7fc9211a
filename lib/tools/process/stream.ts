import { spawn, spawnSync } from 'node:child_process';
import { closeSync, readSync, rmSync, writeSync } from 'node:fs';
import { CephbackupError } from '../../errors/error.js';
import { printable } from '../../log/logger.js';
import { unlimitedMs } from '../../waiting/deadline.js';
import { passing } from '../../waiting/passing.js';
import { nextPause, type Patience } from '../../waiting/persist.js';
import type { Environment } from './environment.js';
import { mkfifoArgs, openEnds, pipeBytes, pipeDeadlineMs, pipeName, type KernelPipe } from './pipe.js';
import { SilenceWatch } from './silence-watch.js';

/** Smaller writes are gathered. */
const smallWriteBytes = 16 * 1024;

/** One of both is null. */
export interface StreamEnd {
  exitCode: number | null;
  signal: string | null;
  /** Whether it was ended because it said nothing for too long. */
  silent: boolean;
}

export function describeEnd({ exitCode, signal }: StreamEnd): string {
  return signal ?? `exit code ${String(exitCode)}`;
}

export interface StreamedCommand {
  /** What the command prints, in a buffer that is used again for the next chunk. Blocks until there is something. */
  chunks(): Generator<Buffer, void>;
  /** To be asked for after the last chunk: it may then be silent for as long as before. */
  ended(): Promise<StreamEnd>;
}

/**
 * Starts a command whose output is too much to go through Node's streams: it is read with plain blocking reads from a
 * kernel pipe (Node itself connects children by sockets), which is what makes a copy in between nearly free. For a
 * program that does nothing else meanwhile; the command dies with it. Its stderr is this program's.
 *
 * @param silenceMs after so long without a byte that is waited for it is ended
 * @throws CephbackupError COMMAND_FAILED
 */
export function streamCommand(
  program: string,
  args: readonly string[],
  { env, silenceMs }: { env: Environment; silenceMs: number },
): StreamedCommand {
  const { input, output } = openPipe(env);
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...args], {
    env,
    stdio: ['ignore', input, 'inherit'],
  });
  closeSync(input);
  const watch = child.pid === undefined ? null : new SilenceWatch(child.pid, silenceMs);
  let late = false;
  const end = () => {
    late = child.kill('SIGKILL');
  };
  const ended = new Promise<StreamEnd>((resolve, reject) => {
    child.once('error', (cause) => {
      reject(new CephbackupError('COMMAND_FAILED', `${program} could not be started`, { cause }));
    });
    child.once('close', (exitCode, signal) => {
      watch?.stop();
      resolve({ exitCode, signal, silent: late || (watch?.ended ?? false) });
    });
  });
  // Whoever sees the stream end too early asks for the reason; until then it must not be an unhandled rejection.
  ended.catch(() => undefined);
  const waitedFor = async () => {
    const timer = setTimeout(end, Math.min(silenceMs, unlimitedMs));
    try {
      return await ended;
    } finally {
      clearTimeout(timer);
    }
  };
  return { ended: waitedFor, chunks: () => readChunks(output, watch) };
}

function* readChunks(fd: number, watch: SilenceWatch | null): Generator<Buffer, void> {
  const buffer = Buffer.allocUnsafeSlow(pipeBytes);
  const read = () => readSync(fd, buffer, 0, pipeBytes, null);
  for (;;) {
    const size = watch === null ? read() : watch.reads(read);
    if (size === 0) return;
    yield size === pipeBytes ? buffer : buffer.subarray(0, size);
  }
}

/** @throws CephbackupError COMMAND_FAILED, COMMAND_TIMEOUT */
function openPipe(env: Environment): KernelPipe {
  const name = pipeName(env);
  try {
    const made = runBlocking('mkfifo', mkfifoArgs(name), { env, deadlineMs: pipeDeadlineMs });
    if (made.late) throw new CephbackupError('COMMAND_TIMEOUT', 'mkfifo: not finished in its time');
    if (made.exitCode !== 0) throw new CephbackupError('COMMAND_FAILED', `mkfifo: ${made.stderr}`);
    return openEnds(name);
  } finally {
    rmSync(name, { force: true });
  }
}

/** What a command that has run to its end came to. */
export interface BlockingResult {
  exitCode: number | null;
  signal: string | null;
  /** Whether it was stopped at its deadline. */
  late: boolean;
  stdout: string;
  stderr: string;
}

/** Runs a short command to its end while everything else waits. */
export function runBlocking(
  program: string,
  args: readonly string[],
  { env, deadlineMs }: { env: Environment; deadlineMs: number },
): BlockingResult {
  const { status, signal, stdout, stderr, error } = spawnSync(
    'setpriv',
    ['--pdeathsig', 'KILL', '--', program, ...args],
    {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      encoding: 'utf8',
      timeout: deadlineMs,
      killSignal: 'SIGKILL',
      maxBuffer: 16 * 1024 * 1024,
    },
  );
  const late = (error as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT';
  return { exitCode: status, signal, late, stdout, stderr };
}

/**
 * `runBlocking`, and again where the answer passes by itself (`lib/waiting/passing.ts`).
 * @returns what it prints
 * @throws CephbackupError COMMAND_FAILED, COMMAND_TIMEOUT
 */
export function runBlockingPatiently(
  program: string,
  args: readonly string[],
  options: { env: Environment; deadlineMs: number; patience: Patience },
): string {
  const began = performance.now();
  for (let count = 1; ; count += 1) {
    const result = runBlocking(program, args, options);
    const { exitCode, signal, late, stdout, stderr } = result;
    if (exitCode === 0) return stdout;
    const row = passing({ program, exitCode, signal: late ? null : signal, late, stderr });
    const elapsedMs = performance.now() - began;
    if (row !== null && count < (row.most ?? Infinity) && elapsedMs < options.patience.patienceMs) {
      Atomics.wait(pause, 0, 0, nextPause(options.patience, count));
      continue;
    }
    const shown = printable([program, ...args].join(' '));
    if (late) {
      const message = `${shown}: not finished after ${options.deadlineMs / 1000} s`;
      throw new CephbackupError('COMMAND_TIMEOUT', message);
    }
    const said = printable(stderr.trim().split('\n').at(-1) ?? '');
    const message = `${shown}: ${said === '' ? '' : `${said} `}(${signal ?? `exit code ${String(exitCode)}`})`;
    throw new CephbackupError('COMMAND_FAILED', message);
  }
}

/** Writes to a descriptor with plain blocking writes, many small pieces at once. */
export class BlockingWriter {
  readonly #gathered = Buffer.allocUnsafeSlow(pipeBytes);
  #size = 0;
  /** Bytes that were given to `write`. */
  total = 0;

  constructor(private readonly fd: number) {}

  /** The bytes can be used again when it returns. @throws the error of write(2), e.g. EPIPE */
  write(bytes: Uint8Array): void {
    this.total += bytes.length;
    if (bytes.length < smallWriteBytes) {
      if (this.#size + bytes.length > this.#gathered.length) this.flush();
      this.#gathered.set(bytes, this.#size);
      this.#size += bytes.length;
      return;
    }
    this.flush();
    this.#writeAll(bytes);
  }

  flush(): void {
    this.#writeAll(this.#gathered.subarray(0, this.#size));
    this.#size = 0;
  }

  #writeAll(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) at += writeWaiting(this.fd, bytes, at);
  }
}

/**
 * Whoever imports `node:process`, or shares the pipe, may have made the descriptor one that does not block; a full pipe
 * then is an error, and nothing but waiting helps.
 */
function writeWaiting(fd: number, bytes: Uint8Array, at: number): number {
  for (;;) {
    try {
      return writeSync(fd, bytes, at);
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'EAGAIN') throw thrown;
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}

const pause = new Int32Array(new SharedArrayBuffer(4));
