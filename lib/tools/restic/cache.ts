import { readdir, rm, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freshCachePrefix } from './fresh-cache.js';

/**
 * Where restic keeps its cache [restic internal/cache/dir.go]; null where it has no place for one. `XDG_CACHE_HOME` is none
 * of the variables that restic gets from this program.
 */
export function cacheFolder(env: NodeJS.ProcessEnv): string | null {
  const { RESTIC_CACHE_DIR: own = '', HOME: home = '' } = env;
  if (own !== '') return own;
  return home === '' ? null : path.join(home, '.cache', 'restic');
}

interface CachedFile {
  file: string;
  kind: 'data' | 'index';
  /** Whether it is being written. */
  unfinished: boolean;
  /** On its disk, bytes. */
  size: number;
  /** Of the last change, epoch milliseconds. */
  time: number;
}

/** Of the limit: above the first, files go until the second is reached. What comes between two looks has room above. */
const [most, wanted] = [0.75, 0.5];
/** The same of the room that is left on the cache's filesystem. */
const [leastFree, wantedFree] = [0.05, 0.1];
/** What is written for longer was left by a restic that was killed. */
const unfinishedMs = 86_400_000;

/**
 * Brings a cache of restic below its limit: oldest first, what is to be had again for one file before the index, which every
 * command reads. restic fetches again what is not there, also while it is at work [restic internal/backend/cache]; what it
 * is writing stays. Nothing is touched that is not restic's.
 *
 * @param limitBytes of the volume that the cache is on
 * @returns how many bytes were removed
 */
export async function trimCache(root: string, limitBytes: number, now = Date.now()): Promise<number> {
  const files = await cachedFiles(root);
  const total = files.reduce((sum, { size }) => sum + size, 0);
  const excess = total > limitBytes * most ? total - limitBytes * wanted : 0;
  let left = Math.max(excess, await missingRoom(root));
  let removed = 0;
  const order = files
    .filter(({ unfinished, time }) => !unfinished || now - time > unfinishedMs)
    .toSorted((a, b) => (a.kind === b.kind ? a.time - b.time : a.kind === 'data' ? -1 : 1));
  for (const { file, size } of order) {
    if (left <= 0) break;
    const gone = await rm(file, { force: true }).then(
      () => true,
      () => false,
    );
    if (!gone) continue;
    left -= size;
    removed += size;
  }
  return removed;
}

/** Bytes that must go for the filesystem to have room; 0 where it has. */
async function missingRoom(root: string): Promise<number> {
  const room = await statfs(root).catch(() => null);
  if (room === null || room.blocks === 0) return 0;
  const { bavail, blocks, bsize } = room;
  return bavail < blocks * leastFree ? (blocks * wantedFree - bavail) * bsize : 0;
}

const repositoryId = /^[0-9a-f]{64}$/;

async function cachedFiles(root: string): Promise<CachedFile[]> {
  const names = await list(root);
  const fresh = names
    .filter((name) => name.startsWith(freshCachePrefix))
    .map((name) => path.join(root, name));
  const caches = [root, ...fresh];
  const repositories = await Promise.all(
    caches.map(async (cache) =>
      (await list(cache)).filter((name) => repositoryId.test(name)).map((name) => path.join(cache, name)),
    ),
  );
  const files: CachedFile[] = [];
  for (const repository of repositories.flat())
    for (const kind of ['data', 'index'] as const)
      for (const folder of await list(path.join(repository, kind)))
        for (const name of await list(path.join(repository, kind, folder))) {
          const file = path.join(repository, kind, folder, name);
          const found = await stat(file).catch(() => null);
          if (found?.isFile() !== true) continue;
          const unfinished = !repositoryId.test(name);
          files.push({ file, kind, unfinished, size: found.blocks * 512, time: found.mtimeMs });
        }
  return files;
}

/** Empty where it is no folder, or not any more. */
async function list(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

const intervalMs = 1_000;
/** A filesystem that does not answer is restic's to notice, which has a deadline. */
const patienceMs = 5_000;

/** Keeps a cache below its limit as long as commands are at work that use it. */
export class CacheKeeper {
  #users = 0;
  #timer: NodeJS.Timeout | undefined;
  #trimming: Promise<unknown> | null = null;

  constructor(
    private readonly root: string,
    private readonly limitBytes: number,
  ) {}

  async during<T>(work: () => Promise<T>): Promise<T> {
    if (this.#users === 0) this.#timer = setInterval(() => void this.#trim(), intervalMs);
    this.#users += 1;
    try {
      await this.#trimSoon();
      return await work();
    } finally {
      this.#users -= 1;
      if (this.#users === 0) clearInterval(this.#timer);
      await this.#trimSoon();
    }
  }

  async #trimSoon(): Promise<void> {
    const enough = new AbortController();
    const late = sleep(patienceMs, undefined, { ref: false, signal: enough.signal }).catch(() => undefined);
    await Promise.race([this.#trim(), late]);
    enough.abort();
  }

  /** Never rejects: what cannot be removed now is tried again a second later. */
  #trim(): Promise<unknown> {
    this.#trimming ??= trimCache(this.root, this.limitBytes)
      .catch(() => 0)
      .finally(() => {
        this.#trimming = null;
      });
    return this.#trimming;
  }
}
