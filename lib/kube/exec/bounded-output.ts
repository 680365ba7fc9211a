import { Writable } from 'node:stream';

/** What a command printed: its first and its last bytes, however much it was. */
export class BoundedOutput {
  readonly #first: Buffer[] = [];
  readonly #last: Buffer[] = [];
  #firstBytes = 0;
  #lastBytes = 0;
  #lostBytes = 0;
  readonly #halfBytes: number;

  constructor(limitBytes = 64 * 1024) {
    this.#halfBytes = Math.floor(limitBytes / 2);
  }

  add(chunk: Buffer): void {
    const room = this.#halfBytes - this.#firstBytes;
    // Copies, so that a small rest does not keep a large chunk alive.
    const head = Buffer.from(chunk.subarray(0, Math.max(0, room)));
    const rest = Buffer.from(chunk.subarray(head.length));
    if (head.length > 0) this.#first.push(head);
    this.#firstBytes += head.length;
    if (rest.length > 0) this.#last.push(rest);
    this.#lastBytes += rest.length;
    while (this.#lastBytes > this.#halfBytes) this.#dropOldest();
  }

  #dropOldest(): void {
    const [oldest] = this.#last;
    if (oldest === undefined) return;
    const surplus = this.#lastBytes - this.#halfBytes;
    const dropped = Math.min(surplus, oldest.length);
    if (dropped === oldest.length) this.#last.shift();
    else this.#last[0] = Buffer.from(oldest.subarray(dropped));
    this.#lastBytes -= dropped;
    this.#lostBytes += dropped;
  }

  /** Without empty ones at the end. What is missing is told where it is missing. Not yet fit for a terminal. */
  lines(): string[] {
    const first = Buffer.concat(this.#first).toString();
    const last = Buffer.concat(this.#last).toString();
    const text =
      this.#lostBytes === 0 ? `${first}${last}` : `${first}\n(${this.#lostBytes} bytes left out)\n${last}`;
    return text.trimEnd() === '' ? [] : text.trimEnd().split('\n');
  }

  /** A stream that adds to this output, and never ends: what comes late does no harm. */
  stream(): Writable {
    const add = (chunk: Buffer) => {
      this.add(chunk);
    };
    return new (class extends Writable {
      override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
        add(chunk);
        done();
      }
      override end(): this {
        return this;
      }
    })();
  }
}
