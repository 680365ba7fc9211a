import { CephbackupError } from '../../errors/error.js';
import { printable } from '../../log/logger.js';
import { readError } from '../../tools/restic/errors.js';
import { count, parseMessage } from '../../tools/restic/messages.js';
import type { RestoreJob } from '../job.js';
import type { WritableDirectory } from './confined.js';
import { AttributeComparison } from './compare-attributes.js';
import { Differences } from './differences.js';

type ComparisonJob = Pick<RestoreJob, 'restic' | 'backup' | 'signal'>;

/**
 * Compares a directory with a backup, file by file, and writes nothing: that nothing is missing and nothing is there
 * besides, types, modes, owners, lengths, times, and what is in the files by the hashes that the backup has of it, so
 * that nothing is downloaded again. Not compared: targets of links, extended attributes.
 *
 * @param owners whether owners could be restored
 * @throws CephbackupError RESTORE_UNVERIFIED, RESTIC_FAILED, BACKUP_DAMAGED, REPOSITORY_…
 */
export async function compareFiles(
  job: ComparisonJob,
  directory: WritableDirectory,
  owners = true,
): Promise<void> {
  const found = new Differences();
  await compareContents(job, directory, found);
  await compareAttributes(job, new AttributeComparison(directory, found, owners));
  if (found.number === 0) return;
  const names = found.first.map(printable).join('; ');
  const more = found.number > found.first.length ? ` (and ${found.number - found.first.length} more)` : '';
  throw new CephbackupError(
    'RESTORE_UNVERIFIED',
    `what was restored differs from the backup: ${names}${more}`,
  );
}

/**
 * What a restore over what is there would do: restic compares each piece of each file with its hash first. It would
 * write nothing but metadata where all is right.
 */
async function compareContents(
  { restic, backup, signal }: ComparisonJob,
  { namespace, path }: WritableDirectory,
  found: Differences,
): Promise<void> {
  const args = ['--dry-run', '--delete', '--overwrite=always', '-vv', '--target', path, '--', backup.id];
  let [unchanged, complete] = [0, false];
  const result = await restic.restore(args, {
    signal,
    ...(namespace === null ? {} : { namespace }),
    onStdoutLine: (line) => {
      const { message_type: type, action, item, ...message } = parseMessage(line) ?? {};
      if (type === 'summary') complete = true;
      if (type !== 'verbose_status') return;
      const [name, size] = [String(item), count(message.size)];
      if (action === 'unchanged') unchanged += size;
      // The filesystem's own; a backup need not have it.
      else if (action === 'deleted' && name === `${path}/lost+found`) return;
      else if (action === 'deleted') found.add(`${name.slice(path.length)}: is not in the backup`);
      // Everything but files, and further names of a file, count as restored, with no bytes.
      else if (size > 0) found.add(`${name}: its content differs`);
    },
  });
  if (result.exitCode !== 0) throw readError('restic restore --dry-run', result);
  if (complete && (unchanged > 0 || found.number > 0 || (backup.sizeBytes ?? 0) === 0)) return;
  throw new CephbackupError('RESTORE_UNVERIFIED', 'restic restore --dry-run does not say what it compared');
}

async function compareAttributes(
  { restic, backup, signal }: ComparisonJob,
  comparison: AttributeComparison,
): Promise<void> {
  const output = async (chunks: AsyncIterable<Uint8Array>) => {
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of chunks) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      await Promise.all(lines.map((line) => comparison.compare(parseMessage(line) ?? {})));
    }
  };
  const result = await restic.list(backup.id, null, { signal, output });
  if (result.exitCode !== 0) throw readError('restic ls', result);
}
