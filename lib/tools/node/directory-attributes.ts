import { CephbackupError } from '../../errors/error.js';
import type { CommandOptions, Exec, NamespaceRef } from '../process/exec.js';
import { persist, steady, whilePassing } from '../../waiting/persist.js';
import { allBytes } from '../process/flow.js';
import { lastLine } from '../process/outcome.js';

/** What a directory is besides its content. */
export interface DirectoryAttributes {
  /** Permissions, with set-user-ID, set-group-ID and sticky bit. */
  mode: number;
  uid: number;
  gid: number;
  /** Seconds since the epoch, with a fraction. */
  mtime: string;
  /** Extended attributes, ACLs among them: names and values, these in base64. */
  xattrs: [name: string, value: string][];
}

/** A directory, and the mount namespace in which it is; null: this program's own. */
export interface Directory {
  namespace: NamespaceRef | null;
  path: string;
}

type Options = Partial<CommandOptions>;

const block = 512;
const xattrPrefix = 'SCHILY.xattr.';
/** Answers of CephFS about a directory, and no attributes of it. */
const virtual = /^(ceph|system\.nfs4)/;

/** On CephFS, what a directory's subtree sums up to, and with it its change time, may still arrive in a snapshot. */
const changing = 'file changed as we read it';
const patience = steady(30_000, 1_000);
/** A metadata server forgets a client that was killed after a minute (`session_timeout`), and lets others wait for it. */
const deadlineMs = 180_000;

/**
 * Read by tar, which every Debian has: one entry of its `posix` format tells all of it. Where something of the directory
 * changes meanwhile, it counts once two readings say the same.
 * @throws CephbackupError COMMAND_FAILED
 */
export async function readAttributes(
  exec: Exec,
  directory: Directory,
  options?: Options,
): Promise<DirectoryAttributes> {
  let last = '';
  const read = async () => {
    const { attributes, changed, said } = await readOnce(exec, directory, options);
    const same = JSON.stringify(attributes) === last;
    last = JSON.stringify(attributes);
    if (attributes !== null && (!changed || same)) return attributes;
    const message = `attributes of ${directory.path}: ${said}`;
    throw changed
      ? new ChangedWhileRead('COMMAND_FAILED', message)
      : new CephbackupError('COMMAND_FAILED', message);
  };
  const passes = (failure: unknown) => failure instanceof ChangedWhileRead;
  return persist(read, whilePassing(passes, patience), options?.signal);
}

class ChangedWhileRead extends CephbackupError {}

async function readOnce(exec: Exec, { namespace, path }: Directory, options?: Options) {
  let archive: Buffer = Buffer.alloc(0);
  const args = ['--create', '--format=posix', '--no-recursion', ...xattrOptions, '--directory', path, '.'];
  const { exitCode, stderr } = await exec('tar', args, {
    deadlineMs,
    ...(namespace === null ? {} : { namespace }),
    ...options,
    output: async (stream) => {
      archive = await allBytes(stream);
    },
  });
  const said = lastLine(stderr);
  const changed = exitCode === 1 && said.endsWith(changing);
  const attributes = exitCode === 0 || changed ? parseEntry(archive) : null;
  return { attributes, changed, said };
}

/**
 * @param owners whether this program may set owners, and attributes that only root may set
 * @returns what could not be set, in tar's words @throws CephbackupError COMMAND_FAILED
 */
export async function writeAttributes(
  exec: Exec,
  { namespace, path }: Directory,
  attributes: DirectoryAttributes,
  owners: boolean,
  options?: Options,
): Promise<string[]> {
  const who = owners ? '--same-owner' : '--no-same-owner';
  const args = ['--extract', '--same-permissions', who, ...xattrOptions, '--directory', path];
  const result = await exec('tar', args, {
    deadlineMs,
    ...(namespace === null ? {} : { namespace }),
    ...options,
    input: once(formatEntry(attributes)),
  });
  const said = result.stderr.split('\n').filter((line) => line !== '');
  if (result.exitCode === 0) return said;
  throw new CephbackupError('COMMAND_FAILED', `attributes of ${path}: ${lastLine(result.stderr)}`);
}

const xattrOptions = ['--xattrs', '--xattrs-include=*', '--numeric-owner', '--file=-'];

// eslint-disable-next-line @typescript-eslint/require-await
async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes;
}

/**
 * The first entry of an archive; null where it is none of a directory. Format: POSIX.1-2001, `pax`, "ustar Interchange
 * Format" and "pax Extended Header"; attributes as GNU tar writes them, with `%` and `=` in their names escaped.
 */
export function parseEntry(archive: Buffer): DirectoryAttributes | null {
  let extended = new Map<string, Buffer>();
  for (let at = 0; at + block <= archive.length;) {
    const header = archive.subarray(at, at + block);
    const type = header.toString('latin1', 156, 157);
    const size = octal(header, 124, 12);
    if (type === 'x') extended = parseRecords(archive.subarray(at + block, at + block + size));
    if (type === '5') return toAttributes(header, extended);
    // A size below nothing would lead back to where this began.
    if (type !== 'x' || !(size >= 0)) return null;
    at += block + Math.ceil(size / block) * block;
  }
  return null;
}

function toAttributes(header: Buffer, extended: ReadonlyMap<string, Buffer>): DirectoryAttributes {
  const number = (key: string, at: number, length: number) =>
    extended.has(key) ? Number(extended.get(key)?.toString()) : octal(header, at, length);
  const xattrs = [...extended].flatMap(([key, value]): [string, string][] => {
    if (!key.startsWith(xattrPrefix)) return [];
    const name = key.slice(xattrPrefix.length).replaceAll('%3D', '=').replaceAll('%25', '%');
    return virtual.test(name) ? [] : [[name, value.toString('base64')]];
  });
  return {
    mode: octal(header, 100, 8) & 0o7777,
    uid: number('uid', 108, 8),
    gid: number('gid', 116, 8),
    mtime: extended.get('mtime')?.toString() ?? String(octal(header, 136, 12)),
    xattrs: xattrs.toSorted(([a], [b]) => (a < b ? -1 : 1)),
  };
}

function octal(header: Buffer, at: number, length: number): number {
  return parseInt(
    header
      .toString('latin1', at, at + length)
      .replace(/\0.*$/s, '')
      .trim() || '0',
    8,
  );
}

/** Records are `LENGTH KEY=VALUE\n`, the length with itself. */
function parseRecords(bytes: Buffer): Map<string, Buffer> {
  const records = new Map<string, Buffer>();
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(' ', at);
    const length = Number(bytes.toString('latin1', at, space));
    if (space < 0 || !Number.isInteger(length) || length <= space - at) break;
    const record = bytes.subarray(space + 1, at + length - 1);
    const equals = record.indexOf('=');
    records.set(record.toString('utf8', 0, equals), record.subarray(equals + 1));
    at += length;
  }
  return records;
}

/** An archive of one entry, the directory itself. */
export function formatEntry({ mode, uid, gid, mtime, xattrs }: DirectoryAttributes): Buffer {
  const escape = (name: string) => name.replaceAll('%', '%25').replaceAll('=', '%3D');
  const extension = Buffer.concat([
    record('uid', Buffer.from(String(uid))),
    record('gid', Buffer.from(String(gid))),
    record('mtime', Buffer.from(mtime)),
    ...xattrs.map(([name, value]) => record(xattrPrefix + escape(name), Buffer.from(value, 'base64'))),
  ]);
  return Buffer.concat([
    header('x', './PaxHeaders/.', 0o644, extension.length),
    padded(extension),
    header('5', './', mode, 0),
    Buffer.alloc(2 * block),
  ]);
}

function record(key: string, value: Buffer): Buffer {
  const rest = key.length + value.length + 3;
  let length = rest;
  while (String(length).length + rest !== length) length = String(length).length + rest;
  return Buffer.concat([Buffer.from(`${length} ${key}=`), value, Buffer.from('\n')]);
}

function header(type: 'x' | '5', name: string, mode: number, size: number): Buffer {
  const bytes = Buffer.alloc(block);
  const put = (at: number, length: number, number: number) =>
    bytes.write(number.toString(8).padStart(length - 1, '0'), at);
  bytes.write(name, 0);
  put(100, 8, mode);
  put(108, 8, 0);
  put(116, 8, 0);
  put(124, 12, size);
  put(136, 12, 0);
  bytes.write(`        ${type}`, 148);
  bytes.write('ustar\x0000', 257, 'latin1');
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((block - (bytes.length % block)) % block)]);
}
