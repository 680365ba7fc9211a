import { lstat } from 'node:fs/promises';
import { CephbackupError } from '../../errors/error.js';
import { printable } from '../../log/logger.js';
import { readAttributes, writeAttributes } from '../../tools/node/directory-attributes.js';
import { pathInside } from '../../tools/node/namespace.js';
import type { NamespaceRef } from '../../tools/process/exec.js';
import type { CommandResult } from '../../tools/process/exec.js';
import { lastLine } from '../../tools/process/outcome.js';
import type { RestoreJob } from '../job.js';
import type { WritableDirectory } from './confined.js';
import type { FilesOutcome } from './restic-files.js';

/** A mounted filesystem that nobody writes to. */
export interface Tree {
  namespace: NamespaceRef;
  path: string;
}

export interface CopyOptions {
  /** `/a/b`: only this; null: everything. */
  part: string | null;
  /** Whether the target's root directory is somebody's own, and stays what it is. */
  keepsRoot: boolean;
  /** What the target is called. */
  shown: string;
}

/** A copy lasts as long as there is data; one that stands still is ended by the job. */
const deadlineMs = 2 ** 31 - 1;
/** Differences and warnings that are told one by one; the rest is counted. */
const told = 20;
/** Access times would differ each time that they are looked at. */
const format = ['--format=posix', '--pax-option=delete=atime,delete=ctime'];
const attributes = ['--xattrs', '--xattrs-include=*', '--numeric-owner', '--file=-'];

type CopyJob = Pick<RestoreJob, 'exec' | 'signal' | 'step' | 'moved' | 'warn' | 'state'>;

/**
 * Copies files with tar, which knows all that a file may be: owners, modes, times, ACLs and attributes, links, devices and
 * holes. Reads it all a second time and compares it with what was written, byte for byte; extended attributes are not
 * compared.
 *
 * @throws CephbackupError RESTORE_FAILED, RESTORE_UNVERIFIED, TARGET_FULL
 */
export async function copyTree(
  job: CopyJob,
  source: Tree,
  target: WritableDirectory,
  { part, keepsRoot, shown }: CopyOptions,
): Promise<FilesOutcome> {
  const root = keepsRoot ? await readAttributes(job.exec, target, { signal: job.signal }) : null;
  job.state = 'incomplete';
  try {
    const outcome = await copy(job, source, target, part);
    job.step(`reading files back from ${shown}`);
    await compare(job, source, target, { part, keepsRoot });
    return outcome;
  } finally {
    if (root !== null) await writeAttributes(job.exec, target, root, true);
  }
}

/**
 * Whether a tree has a path whose parents are folders of its own.
 * @param guidance where it does not @throws CephbackupError PATH_NOT_FOUND
 */
export async function requireInTree(
  { namespace, path }: Tree,
  part: string,
  guidance: string,
): Promise<void> {
  const steps = part.split('/').filter((step) => step !== '');
  for (const depth of steps.keys()) {
    const below = steps.slice(0, depth + 1).join('/');
    const found = await lstat(pathInside(namespace, `${path}/${below}`)).catch(() => null);
    if (found !== null && (depth === steps.length - 1 || found.isDirectory())) continue;
    const link = found?.isSymbolicLink() === true ? ': it is a symbolic link' : '';
    const message = `the partition has no ${JSON.stringify(`/${below}`)}${found === null ? '' : ' that is a folder'}${link}`;
    throw new CephbackupError('PATH_NOT_FOUND', message, { guidance });
  }
}

async function copy(
  job: CopyJob,
  source: Tree,
  target: WritableDirectory,
  part: string | null,
): Promise<FilesOutcome> {
  const outcome = { files: 0, bytes: 0 };
  const args = [
    ...[
      '--extract',
      '--verbose',
      '--verbose',
      '--same-permissions',
      '--same-owner',
      '--delay-directory-restore',
    ],
    ...attributes,
    ...['--directory', target.path],
  ];
  const read = await readTree(job, source, part, async (chunks) => {
    const written = await job.exec('tar', args, {
      deadlineMs,
      signal: job.signal,
      ...inside(target),
      input: counted(job, chunks),
      onStdoutLine: (line) => {
        outcome.files += 1;
        // As of `ls -l`; what is linked to a file that came before has no data of its own.
        outcome.bytes += Number(/^-\S+ +\S+ +(\d+) /.exec(line)?.[1] ?? 0);
      },
    });
    tellWarnings(job, written);
    if (written.exitCode !== 0) throw failure(written, 'written');
  });
  if (read.exitCode !== 0) throw failure(read, 'read');
  tellWarnings(job, read);
  return outcome;
}

async function compare(
  job: CopyJob,
  source: Tree,
  target: WritableDirectory,
  { part, keepsRoot }: Pick<CopyOptions, 'part' | 'keepsRoot'>,
): Promise<void> {
  const differences: string[] = [];
  const note = (line: string) => {
    if (keepsRoot && /^\.\/?: /.test(line)) return;
    differences.push(line);
  };
  const args = ['--diff', ...attributes, '--directory', target.path];
  let code = 0;
  const read = await readTree(job, source, part, async (chunks) => {
    const { exitCode } = await job.exec('tar', args, {
      deadlineMs,
      signal: job.signal,
      ...inside(target),
      // A hole of terabytes is read for a long time, and nothing moves meanwhile.
      input: chunks,
      onStdoutLine: note,
      onStderrLine: note,
    });
    code = exitCode;
  });
  if (read.exitCode !== 0) throw failure(read, 'read');
  // A filesystem may round times.
  const rounded = differences.filter((line) => line.endsWith(': Mod time differs'));
  const wrong = differences.filter((line) => !rounded.includes(line));
  for (const line of rounded.slice(0, told)) job.warn(printable(line));
  const [first] = wrong;
  if (first === undefined && code < 2) return;
  const more = wrong.length > 1 ? ` (and ${wrong.length - 1} more)` : '';
  throw new CephbackupError(
    'RESTORE_UNVERIFIED',
    `what was written differs from the disk: ${printable(first ?? `tar ended with ${code}`)}${more}`,
  );
}

/** An archive of what is wanted, each folder on the way with it. */
function readTree(
  { exec, signal }: Pick<CopyJob, 'exec' | 'signal'>,
  { namespace, path }: Tree,
  part: string | null,
  output: (chunks: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<CommandResult> {
  const steps = (part ?? '').split('/').filter((step) => step !== '');
  const folders = steps.slice(0, -1).map((_, depth) => `./${steps.slice(0, depth + 1).join('/')}`);
  const wanted = steps.length === 0 ? '.' : `./${steps.join('/')}`;
  const args = [
    ...['--create', '--sparse', '--one-file-system', ...format, ...attributes, '--directory', path],
    ...['--no-recursion', ...folders, '--recursion', wanted],
  ];
  return exec('tar', args, { deadlineMs, signal, namespace, output });
}

function inside({ namespace }: WritableDirectory): { namespace?: NamespaceRef } {
  return namespace === null ? {} : { namespace };
}

async function* counted(
  { moved }: Pick<CopyJob, 'moved'>,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of chunks) {
    moved(chunk.length);
    yield chunk;
  }
}

function tellWarnings({ warn }: Pick<CopyJob, 'warn'>, { stderr }: CommandResult): void {
  const lines = stderr.split('\n').filter((line) => line !== '');
  for (const line of lines.slice(0, told)) warn(printable(line));
  if (lines.length > told) warn(`and ${lines.length - told} more of this kind`);
}

function failure({ stderr, exitCode }: CommandResult, what: 'read' | 'written'): CephbackupError {
  const first = stderr.split('\n').find((line) => line !== '') ?? `tar ended with ${exitCode}`;
  const full = what === 'written' && /No space left on device|Disk quota exceeded/.test(stderr);
  const whose = what === 'read' ? 'the disk could not be read' : 'files could not be written';
  return new CephbackupError(full ? 'TARGET_FULL' : 'RESTORE_FAILED', `${whose}: ${lastLine(first)}`);
}
