import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { CephbackupError } from '../../errors/error.js';
import type { ErrorCode } from '../../errors/catalogue.js';
import { printable } from '../../log/logger.js';
import { isDamage, readError } from '../../tools/restic/errors.js';
import { count, errorItem, errorText, parseMessage } from '../../tools/restic/messages.js';
import type { RestoreJob } from '../job.js';
import { reach, type WritableDirectory } from './confined.js';

export interface FilesOutcome {
  files: number;
  bytes: number;
}

/** Errors of single files that are told one by one; the rest is counted. */
const toldErrors = 20;

/**
 * Restores files and reads them back. restic goes on where a single file fails: the others are worth having.
 * @param part `/a/b`: only this part of the backup; null: all of it
 * @throws CephbackupError RESTORE_FAILED, RESTORE_UNVERIFIED, BACKUP_DAMAGED, TARGET_FULL, REPOSITORY_…
 */
export async function restoreFiles(
  job: RestoreJob,
  { namespace, path: directory }: WritableDirectory,
  part: string | null,
): Promise<FilesOutcome> {
  const { restic, backup, signal } = job;
  let reader = new RestoreOutput(job, directory);
  const args = [
    ...['--verify', '--sparse', '--target', directory],
    ...(part === null ? [] : ['--include', escapePattern(part)]),
    '--',
    backup.id,
  ];
  job.state = 'incomplete';
  const result = await restic.restore(args, {
    signal,
    patience: { ownRetries: true },
    beforeAttempt: () => {
      reader = new RestoreOutput(job, directory);
    },
    onStdoutLine: (line) => {
      reader.line(line);
    },
    onStderrLine: (line) => {
      reader.line(line);
    },
    ...(namespace === null ? {} : { namespace }),
  });
  const { outcome } = reader;
  const errors = [...reader.errors];
  if (result.exitCode === 0 && errors.length === 0) {
    if (reader.complete) return outcome;
    throw new CephbackupError(
      'RESTORE_UNVERIFIED',
      'restic restore ended without saying that it restored all',
    );
  }
  for (const error of errors.slice(0, toldErrors)) job.warn(`not restored: ${error}`);
  const [first] = errors;
  if (first === undefined) throw readError('restic restore', result);
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  const code = codeOf(errors.join('\n'));
  const guidance = code === 'RESTORE_FAILED' && errors.every(isAttribute) ? attributesRefused : null;
  const details = guidance === null ? {} : { guidance };
  throw new CephbackupError(code, `restic restore: ${first}${more}`, details);
}

const isAttribute = (error: string) => /\bxattr\.L?(set|remove) /i.test(error);
const attributesRefused =
  'The files were written, but not read back; only extended attributes are missing that this node does not let be set. Restore on a node whose kernel does (as root with CAP_SYS_ADMIN; `security.selinux` where SELinux is the same or off), or without them: `restic restore ID --exclude-xattr "security.*" --verify --target DIRECTORY` (restic 0.18).';

/** What `restic restore --json` tells while it works. */
class RestoreOutput {
  readonly errors = new Set<string>();
  readonly outcome: FilesOutcome = { files: 0, bytes: 0 };
  /** Whether its last word was that everything has been restored. */
  complete = false;
  #reading = false;

  constructor(
    private readonly job: Pick<RestoreJob, 'step' | 'moved'>,
    private readonly directory: string,
  ) {}

  readonly line = (line: string): void => {
    const message = parseMessage(line);
    if (message?.message_type === 'error') this.errors.add(describe(message));
    if (message?.message_type !== 'status' && message?.message_type !== 'summary') return;
    const { outcome, job } = this;
    const bytes = count(message.bytes_restored);
    // What stands still is no sign of life.
    if (bytes > outcome.bytes) job.moved(bytes - outcome.bytes);
    outcome.files = count(message.files_restored);
    outcome.bytes = bytes;
    // Folders on the way to a part are restored, but were not to be: restored can be more than all.
    this.complete =
      message.message_type === 'summary' &&
      bytes === count(message.total_bytes) &&
      outcome.files >= count(message.total_files);
    if (this.#reading || (message.message_type === 'status' && bytes < count(message.total_bytes))) return;
    this.#reading = true;
    job.step(`reading files back from ${this.directory}`);
  };
}

/** Whether a backup has this path. @throws CephbackupError PATH_NOT_FOUND */
export async function requirePart({ restic, backup, signal }: RestoreJob, part: string): Promise<void> {
  const found: string[] = [];
  const result = await restic.list(backup.id, part, {
    signal,
    onStdoutLine: (line, stop) => {
      if (parseMessage(line)?.path !== part) return;
      found.push(part);
      stop();
    },
  });
  if (found.length > 0) return;
  if (result.exitCode !== 0) throw readError('restic ls', result);
  throw new CephbackupError('PATH_NOT_FOUND', `the backup has no ${JSON.stringify(part)}`);
}

/**
 * Refuses a part whose parents lead elsewhere by a symbolic link: where links are not followed, restic fails with less
 * clear words, and where they are, it would follow them out of the target.
 * @throws CephbackupError TARGET_UNSUITABLE
 */
export async function refuseLinkedParents(directory: WritableDirectory, part: string | null): Promise<void> {
  const steps = (part ?? '').split('/').filter((step) => step !== '');
  const root = reach(directory);
  for (let depth = 1; depth < steps.length; depth += 1) {
    const below = steps.slice(0, depth).join('/');
    const found = await lstat(path.join(root, below)).catch(() => null);
    if (found === null) return;
    if (found.isDirectory()) continue;
    const what = found.isSymbolicLink() ? 'a symbolic link' : 'no directory';
    const message = `${below} is ${what} in the target: what is below it would end up elsewhere`;
    throw new CephbackupError('TARGET_UNSUITABLE', message);
  }
}

/** A pattern of restic that matches this path and no other (Go's filepath.Match). */
function escapePattern(part: string): string {
  return part.replace(/[\\*?[\]]/g, '\\$&');
}

/** What the errors of single files come to. */
function codeOf(text: string): ErrorCode {
  if (isDamage(text)) return 'BACKUP_DAMAGED';
  if (/no space left on device|disk quota exceeded/i.test(text)) return 'TARGET_FULL';
  if (/Unexpected content|Invalid file size/i.test(text)) return 'RESTORE_UNVERIFIED';
  return 'RESTORE_FAILED';
}

function describe(message: Record<string, unknown>): string {
  const text = errorText(message) ?? 'unknown error';
  const item = errorItem(message, text);
  return printable(item === null ? text : `${item}: ${text}`);
}
