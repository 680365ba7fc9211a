import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface FreshCache {
  folder: string;
  remove(): Promise<void>;
}

/** Such a folder is within the usual cache. */
export const freshCachePrefix = 'cephbackup-verify-';
/** What is older was left by a program that was killed. */
const oldestMs = 7 * 86_400_000;

/**
 * An empty cache for restic, in its own cache folder: what is read with it was read from the repository, and an index
 * that many commands need is still read once. With `--no-cache` each command would read it again.
 *
 * @param parent `RESTIC_CACHE_DIR`; where it is not set, temporary files' place
 */
export async function freshCache(parent: string | undefined): Promise<FreshCache> {
  const place = freshCachePlace(parent);
  await mkdir(place, { recursive: true, mode: 0o700 });
  await removeOld(place);
  const folder = await mkdtemp(path.join(place, freshCachePrefix));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Where such folders are. */
export function freshCachePlace(parent: string | undefined): string {
  return parent === undefined || parent === '' ? tmpdir() : parent;
}

async function removeOld(place: string): Promise<void> {
  const names = (await readdir(place)).filter((name) => name.startsWith(freshCachePrefix));
  for (const name of names) {
    const folder = path.join(place, name);
    const { mtimeMs } = await stat(folder).catch(() => ({ mtimeMs: Infinity }));
    if (Date.now() - mtimeMs > oldestMs) await rm(folder, { recursive: true, force: true });
  }
}
