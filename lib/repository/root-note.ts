import type { DirectoryAttributes } from '../tools/node/directory-attributes.js';
import { behind } from './prefixed.js';

/**
 * A snapshot's tree has no entry for the volume's root directory. What that directory is besides its content is noted in
 * the snapshot's own file, in its list of excludes: an absolute pattern that names nothing that is ever backed up.
 */
const prefix = '/.cephbackup/root-directory/';
/** An argument of a command holds 128 KiB. */
const longestNote = 100_000;

/** Null where it has more than fits: some filesystems take attributes of megabytes. */
export function rootNote(attributes: DirectoryAttributes): string | null {
  const note = prefix + Buffer.from(JSON.stringify(attributes)).toString('base64url');
  return note.length > longestNote ? null : note;
}

/** What a snapshot tells of its root directory; null where it was made by a release that noted nothing. */
export function rootIn(notes: readonly string[]): DirectoryAttributes | null {
  const note = behind(notes, prefix);
  if (note === null) return null;
  try {
    const text = Buffer.from(note, 'base64url').toString();
    return checked(JSON.parse(text) as Partial<Record<keyof DirectoryAttributes, unknown>>);
  } catch {
    return null;
  }
}

function checked({
  mode,
  uid,
  gid,
  mtime,
  xattrs,
}: Partial<Record<keyof DirectoryAttributes, unknown>>): DirectoryAttributes | null {
  const isNumber = (value: unknown, most: number): value is number =>
    typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most;
  if (!isNumber(mode, 0o7777) || !isNumber(uid, 2 ** 32 - 1) || !isNumber(gid, 2 ** 32 - 1)) return null;
  if (typeof mtime !== 'string' || !/^-?\d+(\.\d+)?$/.test(mtime) || !Array.isArray(xattrs)) return null;
  const named = xattrs.filter(
    (one): one is [string, string] =>
      Array.isArray(one) &&
      typeof one[0] === 'string' &&
      /^[^\0\n]+$/.test(one[0]) &&
      typeof one[1] === 'string',
  );
  return { mode, uid, gid, mtime, xattrs: named };
}
