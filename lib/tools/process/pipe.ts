import { randomUUID } from 'node:crypto';
import { closeSync, openSync, rmSync, unlinkSync } from 'node:fs';
import { Socket, type SocketConstructorOpts, type TcpSocketConnectOpts } from 'node:net';
import path from 'node:path';
import { CephbackupError } from '../../errors/error.js';
import { abandoned, ownName } from './abandoned.js';
import type { Environment } from './environment.js';
import type { CommandResult } from './exec.js';
import { lastLine } from './outcome.js';

/** Descriptors of both ends of a kernel pipe: what is written to `input` is read from `output`. */
export interface KernelPipe {
  input: number;
  output: number;
}

/** What a kernel pipe holds: one read never gives more, and this much stays in the processor's cache. */
export const pipeBytes = 64 * 1024;

/** To make a pipe, on a machine that has hardly any time for it. */
export const pipeDeadlineMs = 60_000;

const prefix = 'cephbackup-pipe-';

/**
 * Where a pipe gets the name that it loses at once: Node cannot make one without. Who is killed between the two leaves
 * it to `removeAbandonedPipes`, which each program calls at its end.
 */
export function pipeName({ TMPDIR = '/tmp' }: Environment): string {
  return path.join(TMPDIR, `${prefix}${ownName()}-${randomUUID()}`);
}

/** Of processes that were killed while they made them. */
export function removeAbandonedPipes(folder = '/tmp'): void {
  for (const pipe of abandoned(folder, prefix)) {
    try {
      unlinkSync(pipe);
    } catch {
      // Another program was quicker, or it is no pipe.
    }
  }
}

export function mkfifoArgs(name: string): string[] {
  return ['-m', '600', '--', name];
}

/** Both ends of a pipe that has a name. */
export function openEnds(name: string): KernelPipe {
  // Opening one end waits for the other, unless both are opened together.
  const both = openSync(name, 'r+');
  let output: number | null = null;
  try {
    output = openSync(name, 'r');
    return { output, input: openSync(name, 'w') };
  } catch (thrown) {
    if (output !== null) closeSync(output);
    throw thrown;
  } finally {
    closeSync(both);
  }
}

/**
 * A pipe to or from a child. Node itself connects children by sockets, which no program can open by a path (`/dev/stdin`), and
 * gives each piece that it reads from them memory of its own.
 *
 * @param mkfifo runs that program
 * @throws CephbackupError COMMAND_FAILED, or what `mkfifo` throws
 */
export async function openPipe(
  env: Environment,
  mkfifo: (args: string[]) => Promise<CommandResult>,
): Promise<KernelPipe> {
  const name = pipeName(env);
  try {
    const { exitCode, stderr } = await mkfifo(mkfifoArgs(name));
    if (exitCode !== 0) throw new CephbackupError('COMMAND_FAILED', `mkfifo: ${lastLine(stderr)}`);
    return openEnds(name);
  } finally {
    rmSync(name, { force: true });
  }
}

/** The end of a pipe that is written to; closes it when it is destroyed. */
export function pipeWriter(fd: number): Socket {
  return new Socket({ fd, readable: false, writable: true });
}

/** So many pieces may have come before they are asked for. */
const slots = 8;

/**
 * What comes out of a pipe, in pieces that are valid until the next one is asked for: their memory is used again. It is
 * read from the start, as far as there is room.
 */
export class PipeReader implements AsyncIterableIterator<Uint8Array> {
  readonly #socket: Socket;
  readonly #memory = Buffer.allocUnsafeSlow(slots * pipeBytes);
  /** Pieces that nobody has asked for yet, the oldest first; the slots are used one after the other. */
  readonly #pieces: Uint8Array[] = [];
  #slot = 0;
  /** Whether a piece is in use that was asked for. */
  #taken = false;
  #discards = false;
  #failure: Error | null = null;
  #wake: () => void = () => undefined;
  /** Whether everything has come, to its end. */
  ended = false;
  /** Settles when nothing comes any more. */
  readonly over: Promise<void>;

  constructor(fd: number) {
    const buffer = () => this.#memory.subarray(this.#slot * pipeBytes, (this.#slot + 1) * pipeBytes);
    const callback = (size: number, piece: Uint8Array) => this.#take(piece.subarray(0, size));
    // @types/node knows `onread` for connections alone.
    const options: SocketConstructorOpts & Pick<TcpSocketConnectOpts, 'onread'> = {
      fd,
      readable: true,
      writable: false,
      onread: { buffer, callback },
    };
    this.#socket = new Socket(options);
    this.over = new Promise((resolve) => {
      this.#socket.on('end', () => {
        this.ended = true;
        this.#wake();
      });
      this.#socket.on('error', (error) => (this.#failure = error));
      this.#socket.on('close', () => {
        this.#failure ??= closed();
        this.#wake();
        resolve();
      });
    });
    this.#socket.resume();
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#taken) {
      this.#taken = false;
      this.#socket.resume();
    }
    while (this.#pieces.length === 0) {
      if (this.ended) return { done: true, value: undefined };
      if (this.#failure !== null) throw this.#failure;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    this.#taken = true;
    return { done: false, value: this.#pieces.shift() ?? new Uint8Array(0) };
  }

  /** What is still to come is read, and thrown away: a closed pipe would kill a command before it has cleaned up. */
  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.discard();
    return Promise.resolve({ done: true, value: undefined });
  }

  discard(): void {
    this.#discards = true;
    this.#socket.resume();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Nobody is given anything more, also of what has come; that is no end. */
  destroy(): void {
    this.#pieces.length = 0;
    this.ended = false;
    this.#failure ??= closed();
    this.#socket.destroy();
    this.#wake();
  }

  /** Returns whether there is room for another piece. */
  #take(piece: Uint8Array): boolean {
    if (this.#discards) return true;
    this.#pieces.push(piece);
    this.#slot = (this.#slot + 1) % slots;
    this.#wake();
    return this.#pieces.length + 1 < slots;
  }
}

function closed(): Error {
  return new Error('the pipe was closed');
}
