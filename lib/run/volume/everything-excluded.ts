import { lstat } from 'node:fs/promises';
import { CephbackupError } from '../../errors/error.js';
import { describeExcludes, tagNames, type ExcludeRules } from '../../repository/excludes.js';
import type { DirectorySource } from '../../repository/source.js';
import { escapeGlob, findBelow } from '../../tools/node/find.js';
import { pathInside } from '../../tools/node/namespace.js';
import type { Exec } from '../../tools/process/exec.js';
import { lastLine } from '../../tools/process/outcome.js';

/** Finding one file takes long only where there are millions of directories, and hardly one. */
const deadlineMs = 600_000;

/**
 * @param files how many a backup holds, those that mark a directory as excluded among them
 * @throws CephbackupError EXCLUDES_ALL where it holds none although the volume does
 */
export async function refuseEverythingExcluded(
  exec: Exec,
  { namespace, path }: DirectorySource,
  rules: ExcludeRules,
  files: number,
): Promise<void> {
  if (describeExcludes(rules).length === 0) return;
  const tags = tagNames(rules);
  const present = await Promise.all(tags.map((name) => exists(pathInside(namespace, `${path}/${name}`))));
  if (files > present.filter(Boolean).length) return;
  const others = tags.flatMap((name) => ['!', '-name', escapeGlob(name)]);
  const one = ['-type', 'f', ...others, '-printf', 'f', '-quit'];
  const { exitCode, stdout, stderr } = await findBelow(exec, { directory: path }, one, {
    namespace,
    deadlineMs,
  });
  if (exitCode !== 0)
    throw new CephbackupError('COMMAND_FAILED', `find in what is excluded: ${lastLine(stderr)}`);
  if (stdout === '') return;
  throw new CephbackupError('EXCLUDES_ALL', 'the volume has files, and every one of them is excluded');
}

function exists(file: string): Promise<boolean> {
  return lstat(file).then(
    (found) => found.isFile(),
    () => false,
  );
}
