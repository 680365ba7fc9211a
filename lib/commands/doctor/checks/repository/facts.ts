import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { cacheFolder } from '../../../../tools/restic/cache.js';
import type { CommandOptions } from '../../../../tools/process/exec.js';
import { asObject, numberField, parseJson, stringField } from '../../../../tools/process/json.js';
import { repositoryError } from '../../../../tools/restic/errors.js';
import type { Restic } from '../../../../tools/restic/restic.js';
import { listIds } from '../../../../tools/restic/ids.js';

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
export async function readConfig(restic: Restic, options: Options): Promise<RepositoryConfig> {
  const what = 'restic cat config';
  const result = await restic.run(['cat', 'config', ...untouched], options);
  if (result.exitCode !== 0) throw repositoryError(what, result);
  const config = asObject(parseJson(result.stdout, what), what);
  return { id: stringField(config, 'id', what), version: numberField(config, 'version', what) };
}

/** How many index files there are. @throws CephbackupError REPOSITORY_… */
export async function countIndexFiles(restic: Restic, options: Options): Promise<number> {
  return (await listIds(restic, 'index', { noCache: true, ...options })).length;
}

/** The index files of a repository that restic's cache has; null where it has no cache of it. */
export function cachedIndex(env: NodeJS.ProcessEnv, id: string): { files: number; bytes: number } | null {
  const cache = cacheFolder(env);
  const folder = cache === null ? '' : path.join(cache, id, 'index');
  if (!existsSync(folder)) return null;
  const sizes = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /^[0-9a-f]{64}$/.test(path.basename(name)))
    .map((name) => statSync(path.join(folder, name), { throwIfNoEntry: false })?.size ?? 0);
  return { files: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}
