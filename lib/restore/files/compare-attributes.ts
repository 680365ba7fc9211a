import type { BigIntStats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { count } from '../../tools/restic/messages.js';
import { reach, type WritableDirectory } from './confined.js';
import type { Differences } from './differences.js';

/** A file as `restic ls --json` prints it; only what is compared. */
type Node = Record<string, unknown>;

const kinds: Record<string, (found: BigIntStats) => boolean> = {
  file: (found) => found.isFile(),
  dir: (found) => found.isDirectory(),
  symlink: (found) => found.isSymbolicLink(),
  dev: (found) => found.isBlockDevice(),
  chardev: (found) => found.isCharacterDevice(),
  fifo: (found) => found.isFIFO(),
};

/** Go's bits of a mode (os.FileMode), and the kernel's. */
const specialBits = [
  [2 ** 23, 0o4000],
  [2 ** 22, 0o2000],
  [2 ** 20, 0o1000],
] as const;

/** Seconds since the epoch that every filesystem can hold: beyond, the kernel stores another time. */
const commonTimes = [0, 2 ** 31 - 1] as const;

/** What restic prints for bytes of a name that are no UTF-8. */
const replaced = '\ufffd';

/** Compares files that are there with what a backup says of them. */
export class AttributeComparison {
  readonly #root: string;

  constructor(
    directory: WritableDirectory,
    private readonly found: Differences,
    /** Whether owners could be restored, and the bits of a mode that only owners may set. */
    private readonly owners: boolean,
  ) {
    this.#root = reach(directory);
  }

  /** @param node a line of `restic ls`; what describes no file is passed over */
  async compare(node: Node): Promise<void> {
    const { path, type } = node;
    // A socket belongs to a program that listens: restic restores none.
    if (node.message_type !== 'node' || typeof path !== 'string' || type === 'socket') return;
    const differences = await Promise.all(
      (await this.#candidates(path)).map(async (file) => this.#difference(node, await lstatIfAny(file))),
    );
    if (differences.includes(null)) return;
    this.found.add(`${path}: ${differences[0] ?? 'is missing'}`);
  }

  #difference(node: Node, file: BigIntStats | null): string | null {
    if (file === null) return 'is missing';
    const { type, mode, uid, gid, size, mtime } = node;
    if (kinds[String(type)]?.(file) !== true) return `is no ${String(type)}`;
    // What is zero is not printed.
    const mask = this.owners ? 0o7777 : 0o777;
    const [has, should] = [Number(file.mode) & mask, permissionsOf(count(mode)) & mask];
    if (type !== 'symlink' && has !== should) {
      return `has the mode ${has.toString(8)} instead of ${should.toString(8)}`;
    }
    const owner = `${file.uid}:${file.gid}`;
    const meant = `${count(uid)}:${count(gid)}`;
    if (this.owners && owner !== meant) return `belongs to ${owner} instead of ${meant}`;
    if (type === 'file' && Number(file.size) !== count(size)) {
      return `has ${file.size} bytes instead of ${count(size)}`;
    }
    return isTime(file.mtimeNs, String(mtime)) ? null : `was modified at another time than ${String(mtime)}`;
  }

  /** The files that a printed path may mean: several only where names are no UTF-8. */
  async #candidates(path: string): Promise<Buffer[]> {
    if (!path.includes(replaced)) return [Buffer.from(this.#root + path)];
    let folders = [Buffer.from(this.#root)];
    for (const step of path.split('/').slice(1)) {
      const below = folders.map(async (folder) => {
        const names = step.includes(replaced) ? await namesLike(folder, step) : [Buffer.from(step)];
        return names.map((name) => Buffer.concat([folder, Buffer.from('/'), name]));
      });
      folders = (await Promise.all(below)).flat();
    }
    return folders;
  }
}

async function namesLike(folder: Buffer, printed: string): Promise<Buffer[]> {
  const names = await readdir(folder, { encoding: 'buffer' }).catch(() => []);
  return names.filter((name) => comparable(name.toString()) === comparable(printed));
}

/** How many replacements bytes that are no UTF-8 become depends on the program. */
function comparable(name: string): string {
  return name.replaceAll(/\ufffd+/g, replaced);
}

async function lstatIfAny(file: Buffer): Promise<BigIntStats | null> {
  return lstat(file, { bigint: true }).catch((thrown: unknown) => {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw thrown;
  });
}

function permissionsOf(mode: number): number {
  return specialBits.reduce(
    (bits, [go, kernel]) => bits + (Math.floor(mode / go) % 2) * kernel,
    mode & 0o777,
  );
}

/** @param printed RFC 3339, to the nanosecond */
function isTime(nanoseconds: bigint, printed: string): boolean {
  const seconds = Math.floor(Date.parse(printed) / 1000);
  const [first, last] = commonTimes;
  if (Number.isNaN(seconds) || seconds < first || seconds > last) return true;
  const fraction = /\.(\d{1,9})/.exec(printed)?.[1]?.padEnd(9, '0') ?? '0';
  const [whole, part] = [nanoseconds / 1_000_000_000n, nanoseconds % 1_000_000_000n];
  // Some filesystems keep whole seconds only.
  return whole === BigInt(seconds) && (part === 0n || part === BigInt(fraction));
}
