import { connect, type Socket } from 'node:net';
import {
  encodeGreeting,
  encodeRead,
  greetingBytes,
  optionReplyBytes,
  parseExportSize,
  parseGreeting,
  parseOptionReply,
  parseReply,
  replyBytes,
} from './protocol.js';

/** A disk behind a socket. */
export interface NbdDisk {
  sizeBytes: number;
  /**
   * Fills `into` with the disk's bytes from `offset` on. Several reads may wait at once, and are answered as the server
   * likes. Until it settles, `into` is the connection's.
   *
   * @throws Error where the server refuses, or the connection ends
   */
  read(into: Buffer, offset: number): Promise<void>;
  close(): void;
}

/**
 * Connects to an export of an NBD server on a socket of this machine. What is read goes from the socket straight to where
 * it is wanted.
 *
 * @throws Error
 */
export function connectNbd(path: string, exportName: string): Promise<NbdDisk> {
  return new Connection(path, exportName).opened;
}

interface Waiting {
  into: Buffer;
  resolve: () => void;
  reject: (error: Error) => void;
}

class Connection implements NbdDisk {
  readonly opened: Promise<NbdDisk>;
  sizeBytes = 0;
  readonly #socket: Socket;
  readonly #waiting = new Map<bigint, Waiting>();
  #last = 0n;
  /** Where the bytes that come next go, how many have come, and what follows once all have. */
  #target: Buffer;
  #filled = 0;
  #next: (bytes: Buffer) => void;
  #failure: Error | null = null;

  constructor(path: string, exportName: string) {
    let open: (disk: NbdDisk) => void = () => undefined;
    let refuse: (error: Error) => void = () => undefined;
    this.opened = new Promise((resolve, reject) => ([open, refuse] = [resolve, reject]));
    this.#target = Buffer.alloc(greetingBytes);
    this.#next = (greeting) => {
      parseGreeting(greeting);
      this.#socket.write(encodeGreeting(exportName));
      this.#expectOptionReply(() => {
        open(this);
      });
    };
    const take = (size: number) => {
      this.#filled += size;
      if (this.#filled < this.#target.length) return true;
      try {
        this.#next(this.#target);
      } catch (thrown) {
        this.#socket.destroy(thrown as Error);
      }
      return true;
    };
    const buffer = () => this.#target.subarray(this.#filled);
    this.#socket = connect({ path, onread: { buffer, callback: take } });
    this.#socket.on('error', (error) => (this.#failure ??= error));
    this.#socket.on('close', () => {
      this.#failure ??= new Error('NBD: the server ended the connection');
      refuse(this.#failure);
      for (const { reject } of this.#waiting.values()) reject(this.#failure);
      this.#waiting.clear();
    });
  }

  read(into: Buffer, offset: number): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (into.length === 0) return Promise.resolve();
    const cookie = (this.#last += 1n);
    return new Promise((resolve, reject) => {
      this.#waiting.set(cookie, { into, resolve, reject });
      this.#socket.write(encodeRead(cookie, offset, into.length));
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #expect(target: Buffer, next: (bytes: Buffer) => void): void {
    [this.#target, this.#filled, this.#next] = [target, 0, next];
  }

  #expectOptionReply(opened: () => void): void {
    this.#expect(Buffer.alloc(optionReplyBytes), (header) => {
      const { type, length } = parseOptionReply(header);
      const use = (data: Buffer) => {
        this.sizeBytes = parseExportSize(type, data) ?? this.sizeBytes;
        if (type !== 'acknowledged') {
          this.#expectOptionReply(opened);
          return;
        }
        this.#expectReply();
        opened();
      };
      if (length === 0) use(Buffer.alloc(0));
      else this.#expect(Buffer.alloc(length), use);
    });
  }

  #expectReply(): void {
    this.#expect(Buffer.alloc(replyBytes), (header) => {
      const { failure, cookie } = parseReply(header);
      const waiting = this.#waiting.get(cookie);
      if (waiting === undefined) throw new Error('NBD: an answer to no question');
      const settle = (how: () => void) => {
        this.#waiting.delete(cookie);
        this.#expectReply();
        how();
      };
      if (failure === 0) {
        this.#expect(waiting.into, () => {
          settle(waiting.resolve);
        });
      } else {
        settle(() => {
          waiting.reject(new Error(`NBD: the server answers with error ${failure}`));
        });
      }
    });
  }
}
