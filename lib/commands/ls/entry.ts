/** One file, folder or other thing of a backup, as `restic ls --json` tells it. */
export interface Entry {
  path: string;
  /** restic's word: `file`, `dir`, `symlink`, `dev`, `chardev`, `fifo`, `socket`. */
  type: string;
  /** As `ls -l` writes it, e.g. `-rw-r--r--`. */
  mode: string;
  uid: number;
  gid: number;
  sizeBytes: number | null;
  /** RFC 3339, as restic has it. */
  modified: string;
}

/** Null for a message that is no entry. */
export function entryOf(message: Record<string, unknown> | null): Entry | null {
  if (message?.struct_type !== 'node') return null;
  const { path, type, uid, gid, size, mtime, permissions } = message;
  if (typeof path !== 'string' || typeof type !== 'string') return null;
  return {
    path,
    type,
    mode: modeText(type, permissions),
    uid: typeof uid === 'number' ? uid : 0,
    gid: typeof gid === 'number' ? gid : 0,
    sizeBytes: typeof size === 'number' ? size : null,
    modified: typeof mtime === 'string' ? mtime : '',
  };
}

const letters: Record<string, string> = {
  dir: 'd',
  symlink: 'l',
  dev: 'b',
  chardev: 'c',
  fifo: 'p',
  socket: 's',
};

/** restic prints Go's form (os.FileMode.String): what comes before the last nine letters are types and set-id bits. */
function modeText(type: string, permissions: unknown): string {
  const text = typeof permissions === 'string' ? permissions : '';
  const bits =
    /[r-][w-][x-][r-][w-][x-][r-][w-][x-]$/.exec(text)?.[0].split('') ?? new Array<string>(9).fill('?');
  const flags = text.slice(0, -9);
  const special = (flag: string, at: number, set: string) => {
    if (flags.includes(flag)) bits[at] = bits[at] === 'x' ? set : set.toUpperCase();
  };
  special('u', 2, 's');
  special('g', 5, 's');
  special('t', 8, 't');
  return (letters[type] ?? '-') + bits.join('');
}
