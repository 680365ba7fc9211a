import { read as readFile, writevSync } from 'node:fs';
import { promisify } from 'node:util';
import {
  errno,
  initReply,
  opcode,
  parseHeader,
  parseInterrupted,
  replyHeader,
  requestBytes,
} from './protocol.js';
import { answer, type Answer } from './requests.js';
import type { Tree } from './tree.js';

const readOnce = promisify(readFile);

/** Of a request: the kernel has given it up, or takes it back to ask again. */
const passing = new Set(['ENOENT', 'EINTR', 'EAGAIN']);

/**
 * Serves a tree, read-only, to the kernel. Requests are answered as their answers come, in any order. While it waits for
 * the next one, it holds a thread of Node's pool (`UV_THREADPOOL_SIZE`).
 *
 * @param device descriptor of `/dev/fuse` that was mounted (`mountCommand`): before that, nothing can be read from it
 * @returns when the tree was unmounted, or the connection aborted
 * @throws Error where the kernel speaks another protocol, or its device fails
 */
export async function serve(device: number, tree: Tree): Promise<void> {
  const connection = new Connection(device, tree);
  const message = Buffer.alloc(requestBytes);
  for (;;) {
    try {
      const { bytesRead } = await readOnce(device, message, 0, message.length, null);
      connection.handle(message.subarray(0, bytesRead));
    } catch (thrown) {
      const { code = '' } = thrown as NodeJS.ErrnoException;
      if (code === 'ENODEV') return;
      if (!passing.has(code)) throw thrown;
    }
  }
}

class Connection {
  /** Requests whose answers are still to come. */
  readonly #pending = new Set<bigint>();

  constructor(
    private readonly device: number,
    private readonly tree: Tree,
  ) {}

  /** @param message is only valid during the call */
  handle(message: Buffer): void {
    const header = parseHeader(message);
    if (header === null) throw new Error('FUSE: a message that is no request');
    const { unique } = header;
    switch (header.opcode) {
      case opcode.init:
        this.#init(unique, message);
        return;
      case opcode.forget:
      case opcode.batchForget:
        // Nothing is counted, and no reply is expected.
        return;
      case opcode.interrupt:
        this.#interrupt(parseInterrupted(message));
        return;
      case opcode.destroy:
        this.#reply(unique, { body: [] });
        return;
    }
    const answered = answer(this.tree, header, message);
    if (!(answered instanceof Promise)) {
      this.#reply(unique, answered);
      return;
    }
    this.#pending.add(unique);
    void answered.then((late) => {
      if (this.#pending.delete(unique)) this.#reply(unique, late);
    });
  }

  #init(unique: bigint, message: Buffer): void {
    const reply = initReply(message);
    this.#reply(unique, reply === null ? { failure: errno.EPROTO } : { body: [reply] });
    if (reply === null) throw new Error('FUSE: the kernel speaks another version of the protocol');
  }

  /** Whoever waits for this answer is being killed: it must not wait for a slow device. */
  #interrupt(unique: bigint | null): void {
    if (unique !== null && this.#pending.delete(unique)) this.#reply(unique, { failure: errno.EINTR });
  }

  #reply(unique: bigint, answered: Answer): void {
    const parts = 'body' in answered ? answered.body : [];
    // One message is one system call, which takes 1,024 parts at most (IOV_MAX).
    const body = parts.length > 1000 ? [Buffer.concat(parts)] : parts;
    const bytes = body.reduce((sum, part) => sum + part.length, 0);
    const failure = 'failure' in answered ? answered.failure : 0;
    try {
      writevSync(this.device, [replyHeader(unique, failure, bytes), ...body]);
    } catch (thrown) {
      // Nobody waits for it any more, or the tree is gone, which the next read says.
      const { code = '' } = thrown as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENODEV' && code !== 'EPERM') throw thrown;
    }
  }
}
