import type { EpochMs } from '../../../../log/time.js';
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import type { CommandOptions } from '../../../../tools/process/exec.js';
import { asObject, numberField, parseJson, stringField } from '../../../../tools/process/json.js';
import { repositoryError, type Restic } from '../../../../tools/restic/restic.js';

/** Nothing is written, neither to the repository (a lock) nor here (a cache). */
const untouched = ['--no-lock', '--no-cache'];

type Options = Partial<CommandOptions>;

/** restic's `config` [restic design, "Repository Layout"]. */
export interface RepositoryConfig {
  /** 64 hex digits. */
  id: string;
  version: number;
}

/** Opens the repository with its password. @throws CephbackupError REPOSITORY_… */
export async function openRepository(restic: Restic, options: Options): Promise<RepositoryConfig> {
  const what = 'restic cat config';
  const result = await restic.run(['cat', 'config', ...untouched], options);
  if (result.exitCode !== 0) throw repositoryError(what, result);
  const config = asObject(parseJson(result.stdout, what), what);
  return { id: stringField(config, 'id', what), version: numberField(config, 'version', what) };
}

/** Somebody's lock; format: `restic cat lock`. */
export interface Lock {
  host: string;
  pid: number;
  exclusive: boolean;
  /** restic renews it every 5 minutes. */
  time: EpochMs;
}

/** Asking for each takes a second. */
const mostLocks = 5;

/** The locks of the repository, and how many there are. @throws CephbackupError REPOSITORY_… */
export async function readLocks(restic: Restic, options: Options): Promise<{ count: number; locks: Lock[] }> {
  const list = await restic.run(['list', 'locks', '--quiet', ...untouched], options);
  if (list.exitCode !== 0) throw repositoryError('restic list locks', list);
  const ids = idsIn(list.stdout);
  const locks: Lock[] = [];
  for (const id of ids.slice(0, mostLocks)) {
    const what = `restic cat lock ${id.slice(0, 8)}`;
    const result = await restic.run(['cat', 'lock', ...untouched, id], options);
    // It was released, or renewed under another name, meanwhile.
    if (result.exitCode !== 0) continue;
    const lock = asObject(parseJson(result.stdout, what), what);
    locks.push({
      host: stringField(lock, 'hostname', what),
      pid: numberField(lock, 'pid', what),
      exclusive: lock.exclusive === true,
      time: Date.parse(stringField(lock, 'time', what)),
    });
  }
  return { count: ids.length, locks };
}

/** How many index files there are. @throws CephbackupError REPOSITORY_… */
export async function countIndexFiles(restic: Restic, options: Options): Promise<number> {
  const list = await restic.run(['list', 'index', '--quiet', ...untouched], options);
  if (list.exitCode !== 0) throw repositoryError('restic list index', list);
  return idsIn(list.stdout).length;
}

/** Where restic keeps its cache [restic internal/cache/dir.go]; null where it has no place for one. */
export function cacheFolder(env: NodeJS.ProcessEnv): string | null {
  const { RESTIC_CACHE_DIR: own = '', XDG_CACHE_HOME: cache = '', HOME: home = '' } = env;
  if (own !== '') return own;
  if (cache !== '') return path.join(cache, 'restic');
  return home === '' ? null : path.join(home, '.cache', 'restic');
}

/** Bytes of the index files in the cache of a repository; null where it has none. */
export function cachedIndexBytes(env: NodeJS.ProcessEnv, id: string): number | null {
  const cache = cacheFolder(env);
  const folder = cache === null ? '' : path.join(cache, id, 'index');
  if (!existsSync(folder)) return null;
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) =>
    path.join(folder, name),
  );
  return files.map((file) => statSync(file)).reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0);
}

function idsIn(text: string): string[] {
  return text.split('\n').filter((line) => /^[0-9a-f]{64}$/.test(line));
}
