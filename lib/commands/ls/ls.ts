import path from 'node:path';
import type { Command, CommandContext } from '../../cli/command.js';
import type { Values } from '../../cli/options.js';
import { CephbackupError } from '../../errors/error.js';
import { rfc3339 } from '../../log/time.js';
import type { Backup } from '../../repository/claims.js';
import { contentOf } from '../../restore/target.js';
import { readError } from '../../tools/restic/errors.js';
import { parseMessage } from '../../tools/restic/messages.js';
import { chosenBackup } from '../shared/chosen.js';
import { openCommand } from '../shared/look.js';
import { resticOf } from '../shared/repository.js';
import { entryOf, type Entry } from './entry.js';
import type { lsOptions } from './options.js';
import { entryTable, versionTable, type Version } from './table.js';

type LsContext = CommandContext<Values<typeof lsOptions>>;

/** Lists a folder of a backup, or when a path changed. Needs the repository alone. */
export const ls: Command<Values<typeof lsOptions>> = async (context) => {
  const { options, operands } = context;
  const { backup, history, warnings } = await chosenBackup(context);
  const claim = { cluster: backup.cluster, namespace: backup.namespace, pvc: backup.pvc, uid: backup.uid };
  if (options.versions !== null) {
    const versions = await versionsOf(context, history, options.versions);
    if (versions.length === 0) throw neverThere(backup, options.versions);
    const document = { claim, path: options.versions, versions, warnings };
    return { document, table: (width) => versionTable(versions, width), exitCode: 0 };
  }
  const wanted = path.posix.normalize(`/${operands[1] ?? ''}`).replace(/(?<=.)\/$/, '');
  const entries = await entriesAt(context, backup, wanted);
  if (contentOf(backup.kind) === 'disk')
    context.log.info(`this is a disk; its files: ${openCommand(backup)}`);
  const document = {
    claim,
    snapshot: backup.id,
    time: rfc3339(backup.time),
    path: wanted,
    entries,
    warnings,
  };
  return { document, table: () => entryTable(entries, context.clock()), exitCode: 0 };
};

/** What is in a folder; a file itself. @throws CephbackupError PATH_NOT_FOUND, REPOSITORY_… */
async function entriesAt(
  context: LsContext,
  { id, namespace, pvc }: Backup,
  wanted: string,
): Promise<Entry[]> {
  const entries: Entry[] = [];
  let self: Entry | null = null;
  const result = await resticOf(context).list(id, wanted, {
    signal: context.signal,
    onStdoutLine: (line) => {
      const entry = entryOf(parseMessage(line));
      if (entry === null) return;
      if (entry.path === wanted) self = entry;
      else if (path.posix.dirname(entry.path) === wanted) entries.push(entry);
    },
  });
  if (result.exitCode !== 0) throw readError('restic ls', result);
  const found = self as Entry | null;
  if (found === null && wanted !== '/' && entries.length === 0)
    throw new CephbackupError('PATH_NOT_FOUND', `the backup has no ${JSON.stringify(wanted)}`, {
      guidance: `See what it has: \`cephbackup ls ${namespace}/${pvc}\`.`,
    });
  const listed = found !== null && found.type !== 'dir' ? [found] : entries;
  return listed.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** The snapshots in which a path is another than in the one before, oldest first. */
async function versionsOf(
  context: LsContext,
  history: readonly Backup[],
  wanted: string,
): Promise<Version[]> {
  const versions: Version[] = [];
  for (const { id, time } of history) {
    let found: Entry | null = null;
    const result = await resticOf(context).list(id, wanted, {
      signal: context.signal,
      onStdoutLine: (line, stop) => {
        const entry = entryOf(parseMessage(line));
        if (entry?.path !== wanted) return;
        found = entry;
        stop();
      },
    });
    const entry = found as Entry | null;
    if (entry === null && result.exitCode !== 0) throw readError('restic ls', result);
    const last = versions.at(-1);
    if (same(last?.entry ?? null, entry)) continue;
    versions.push({ snapshot: id, time: rfc3339(time), entry });
  }
  return versions;
}

function neverThere(backup: Backup, wanted: string): CephbackupError {
  const message = `no backup of this claim has ${JSON.stringify(wanted)}`;
  const guidance =
    contentOf(backup.kind) === 'disk'
      ? `Versions are those of a backup's own files; what is in the disk is shown by \`${openCommand(backup)}\`, for each backup by its --snapshot.`
      : `See what the newest one has: \`cephbackup ls ${backup.namespace}/${backup.pvc}\`.`;
  return new CephbackupError('PATH_NOT_FOUND', message, { guidance });
}

function same(one: Entry | null, other: Entry | null): boolean {
  if (one === null || other === null) return one === other;
  return (
    one.type === other.type &&
    one.sizeBytes === other.sizeBytes &&
    one.modified === other.modified &&
    one.mode === other.mode
  );
}
