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
