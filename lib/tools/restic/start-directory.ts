import { readFileSync } from 'node:fs';
import path from 'node:path';

/** Variables of restic and its backends that name a file or a folder. */
const files =
  /^(RESTIC_(PASSWORD_FILE|REPOSITORY_FILE|CACHE_DIR|CACERT|TLS_CLIENT_CERT)|AWS_\w+_FILE|AZURE_\w+_(FILE|PATH)|GOOGLE_APPLICATION_CREDENTIALS|RCLONE_CONFIG|SSL_CERT_(FILE|DIR)|TMPDIR|HOME)$/;

/**
 * restic's variables with whole paths. restic reads a volume from within its root directory, where a relative path would
 * mean a file of whoever owns the volume: relative ones mean the directory in which this program was started.
 */
export function fromStartDirectory(env: Readonly<Record<string, string>>): Record<string, string> {
  const whole = Object.entries(env).map(([name, value]): [string, string] => {
    if (name === 'RESTIC_REPOSITORY') return [name, wholeRepository(value)];
    return [name, files.test(name) && value !== '' ? path.resolve(value) : value];
  });
  const result = Object.fromEntries(whole);
  const named = repositoryInFile(result.RESTIC_REPOSITORY_FILE);
  if (named === null || (env.RESTIC_REPOSITORY ?? '') !== '') return result;
  delete result.RESTIC_REPOSITORY_FILE;
  return { ...result, RESTIC_REPOSITORY: named };
}

/** As restic tells a path from the URL of a backend: by a colon, unless it begins like a path. */
function wholeRepository(repository: string): string {
  if (repository === '') return repository;
  if (repository.startsWith('local:')) return `local:${path.resolve(repository.slice('local:'.length))}`;
  const isUrl = repository.includes(':') && !/^\.{0,2}\//.test(repository);
  return isUrl ? repository : path.resolve(repository);
}

/** A relative path in the file that names the repository, as a whole one; else null. */
function repositoryInFile(file: string | undefined): string | null {
  if (file === undefined || file === '') return null;
  try {
    const repository = readFileSync(file, 'utf8').trim();
    const whole = wholeRepository(repository);
    return whole === repository ? null : whole;
  } catch {
    // restic says so itself.
    return null;
  }
}

/** argv, in restic's own quoting, that changes to the start directory in front of a password command. */
export function inStartDirectory(): string {
  const folder = path.resolve('.');
  return `env -C ${folder.includes("'") ? `"${folder}"` : `'${folder}'`}`;
}
