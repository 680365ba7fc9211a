import type { CommandOptions } from '../process/exec.js';
import { repositoryError } from './errors.js';
import type { Restic } from './restic.js';

/** Ids of the files of one kind; no lock is taken. @throws CephbackupError REPOSITORY_… */
export async function listIds(
  restic: Restic,
  kind: 'locks' | 'index',
  { noCache = false, ...options }: Partial<CommandOptions> & { noCache?: boolean },
): Promise<string[]> {
  const args = ['list', kind, '--no-lock', '--quiet', ...(noCache ? ['--no-cache'] : [])];
  const list = await restic.limited(args, options);
  if (list.exitCode !== 0) throw repositoryError(`restic list ${kind}`, list);
  return list.stdout.split('\n').filter((line) => /^[0-9a-f]{64}$/.test(line));
}
