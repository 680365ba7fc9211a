import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { formatTable } from '../../cli/output/table.js';
import { formatBytes } from '../../log/quantity.js';
import type { CommandOutput } from '../../cli/command.js';
import { CephbackupError, messageOf } from '../../errors/error.js';
import { exitCode } from '../../errors/exit-code.js';
import { rfc3339 } from '../../log/time.js';
import type { Backup } from '../../repository/claims.js';
import { clusterScope } from '../../repository/clusters.js';
import { findGroupMoment, type GroupMoment } from '../../repository/group-moment.js';
import { readManifests, savedManifests, type SavedManifests } from '../../repository/saved-manifests.js';
import { contentOf, type Target } from '../../restore/target.js';
import type { ResticSnapshot } from '../../tools/restic/snapshot.js';
import { readBackups } from '../shared/backups.js';
import { resticOf } from '../shared/repository.js';
import { restoreOne, type Restored } from './one.js';
import { openPlace, type RestoreContext } from './place.js';
import { stateText, type RestoreReport } from './table.js';

/** What `restore --group` prints, also where members failed. */
export interface GroupReport {
  group: { namespace: string; name: string };
  /** The point in time of all of them, RFC 3339 UTC. */
  time: string;
  members: RestoreReport[];
  warnings: string[];
}

/** Brings all members of a group back as they were at one moment, one after the other. @throws CephbackupError */
export async function restoreGroup(context: RestoreContext, group: string): Promise<CommandOutput> {
  const [namespace = '', name = ''] = group.split('/');
  const warnings: string[] = [];
  const warn = (text: string) => {
    warnings.push(text);
    context.log.warn(text);
  };
  const { moment, snapshots } = await chosenMoment(context, { namespace, name }, warn);
  const { toDirectory, toNamespace } = context.options;
  context.log.info('chosen', { time: rfc3339(moment.time), members: moment.members.length });
  if (toDirectory !== null) await prepareFolder(toDirectory, context.options.force === true);
  const place = toNamespace === null ? null : await openPlace(context);
  const restored: Restored[] = [];
  try {
    for (const backup of moment.members) {
      if (context.signal.aborted) break;
      const target = targetOf(context, backup);
      restored.push(await restoreOne(context, { backup, snapshots, target, place, warnings: [] }));
    }
  } finally {
    await place?.lease?.release();
  }
  const members = restored.map(({ report }) => report);
  const report: GroupReport = { group: { namespace, name }, time: rfc3339(moment.time), members, warnings };
  const errors = restored.flatMap(({ error }) => error ?? []);
  const leftovers = members.flatMap((member) => member.leftovers);
  const begun = members.length === moment.members.length;
  const code = exitCode(
    context.endedBy(),
    begun ? errors : [...errors, new CephbackupError('CANCELLED', 'members were not begun')],
    leftovers,
  );
  return { document: report, table: (width) => groupTable(report, moment, width), exitCode: code };
}

async function chosenMoment(
  context: RestoreContext,
  group: { namespace: string; name: string },
  warn: (text: string) => void,
): Promise<{ moment: GroupMoment; snapshots: ResticSnapshot[] }> {
  const { options, signal } = context;
  const { snapshots, backups, own, warnings } = await readBackups(context);
  for (const text of warnings) warn(text);
  const inNamespace = backups.filter(({ namespace }) => namespace === group.namespace);
  const scope = clusterScope(options.cluster, own.name, new Set(backups.map(({ cluster }) => cluster)));
  const clusters = new Set(
    inNamespace.map(({ cluster }) => cluster).filter((cluster) => scope.includes(cluster)),
  );
  if (clusters.size > 1)
    throw new CephbackupError('CLUSTER_UNCLEAR', `${clusters.size} clusters have this namespace`);
  const restic = resticOf(context);
  const cache = new Map<string, ReturnType<typeof readManifests>>();
  const read = ({ id }: SavedManifests) => {
    const found = cache.get(id) ?? readManifests(restic, id, signal);
    cache.set(id, found);
    return found;
  };
  const saved = savedManifests(snapshots).filter(({ cluster }) => clusters.has(cluster));
  const search = { backups: inNamespace.filter(({ cluster }) => clusters.has(cluster)), saved, read, warn };
  return { moment: await findGroupMoment(search, group, options.asOf), snapshots };
}

/** Files of a claim go into a folder of its name, a disk into a file of its name. */
function targetOf({ options }: RestoreContext, { kind, pvc }: Backup): Target {
  if (options.toNamespace !== null) return { type: 'pvc', namespace: options.toNamespace, pvc };
  const place = path.join(options.toDirectory ?? '', pvc);
  return contentOf(kind) === 'disk'
    ? { type: 'file', path: `${place}.qcow2`, format: 'qcow2' }
    : { type: 'directory', path: place };
}

/** What is refused is refused before the first member is written. @throws CephbackupError TARGET_… */
async function prepareFolder(folder: string, force: boolean): Promise<void> {
  let names: string[];
  try {
    await mkdir(folder, { mode: 0o700 }).catch((thrown: unknown) => {
      if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
    });
    names = await readdir(folder);
  } catch (cause) {
    const why = messageOf(cause);
    throw new CephbackupError('TARGET_UNSUITABLE', `${folder}: ${why}`, { cause });
  }
  if (names.length > 0 && !force)
    throw new CephbackupError('TARGET_EXISTS', `the directory ${folder} has content`);
}

function groupTable(
  { group, time, members }: GroupReport,
  moment: GroupMoment,
  width: number | null,
): string {
  const done = members.filter(({ error }) => error === null).length;
  const head = `Group ${group.namespace}/${group.name} as of ${time}: ${done} of ${moment.members.length} restored.\n`;
  const rows = members.map(({ claim, target, bytesWritten, error }) => [
    claim.pvc,
    error === null ? 'restored' : 'NOT restored',
    formatBytes(bytesWritten),
    error === null ? `${target.type} ${target.name}` : `${target.name}: ${stateText(target.state)}`,
  ]);
  return (
    head +
    (rows.length === 0
      ? ''
      : formatTable(['PVC', 'RESULT', 'WRITTEN', 'TARGET'], rows, { width, givesWay: [], wraps: true }))
  );
}
