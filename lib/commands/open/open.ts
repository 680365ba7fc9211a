import { once } from 'node:events';
import type { Command } from '../../cli/command.js';
import type { Values } from '../../cli/options.js';
import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import { exitCode as exitCodeOf } from '../../errors/exit-code.js';
import { rfc3339 } from '../../log/time.js';
import { mountSnapshot } from '../../look/repository-mount.js';
import { openSharedNamespace } from '../../look/shared-namespace.js';
import { openStage, type Stage } from '../../look/stage.js';
import type { LookTools } from '../../look/tools.js';
import type { Backup } from '../../repository/claims.js';
import { contentOf as contentOfKind } from '../../restore/target.js';
import { mountLocally } from '../../tools/node/mount.js';
import { chosenBackup } from '../shared/chosen.js';
import { lookTools } from '../shared/look.js';
import { resticOf } from '../shared/repository.js';
import { mountHere } from './mount-here.js';
import { showDisk } from './show-disk.js';
import { openTable, takeOut, type OpenReport } from './table.js';
import type { openOptions } from './options.js';

/** Shows a backup at a directory until it is asked to end. Writes nothing, and leaves nothing mounted. */
export const open: Command<Values<typeof openOptions>> = (context) =>
  resticOf(context).keepingCache(() => openHere(context));

const openHere: Command<Values<typeof openOptions>> = async (context) => {
  if (!context.root) throw new CephbackupError('USAGE', 'only root may mount: run this as root');
  const { backup, warnings } = await chosenBackup(context);
  const disk = contentOfKind(backup.kind) === 'disk';
  const tools = lookTools(context);
  const { scope, log } = tools;
  const report: OpenReport = {
    claim: { cluster: backup.cluster, namespace: backup.namespace, pvc: backup.pvc, uid: backup.uid },
    snapshot: backup.id,
    time: rfc3339(backup.time),
    directory: context.operands[1] ?? '',
    parts: [],
    leftovers: [],
    warnings,
    error: null,
  };
  let error: CephbackupError | null = null;
  let stage: Stage | null = null;
  try {
    stage = await openStage(tools, report.directory);
    report.directory = stage.directory;
    if (disk) report.parts = await showDisk(tools, stage, backup, context.options.lvm === true);
    else await showFiles(tools, stage, backup);
    context.tell(`${openTable(report)}${takeOut(report)}Ctrl-C ends it.`);
    if (!context.signal.aborted) await once(context.signal, 'abort');
  } catch (thrown) {
    if (context.endedBy() === null) error = asCephbackupError(thrown);
  }
  // First what is seen, then what serves it; where it fails, the scope tries again and names it.
  await stage?.close().catch(() => undefined);
  report.leftovers = await scope.release();
  if (error !== null) log.error(error.message, { code: error.code, guidance: error.guidance });
  report.error = error?.report() ?? null;
  // Ctrl-C is how it ends: that is no failure.
  const ended = context.endedBy();
  const code = exitCodeOf(ended === 'SIGINT' ? null : ended, error === null ? [] : [error], report.leftovers);
  return {
    document: report,
    table: (width) => (error === null ? openTable(report, width) : ''),
    exitCode: code,
  };
};

async function showFiles(tools: LookTools, { directory }: Stage, backup: Backup): Promise<void> {
  const { exec, scope, signal } = tools;
  // First apart from whatever the node shares its mounts with.
  for (const change of ['--make-private', '--make-shared']) await mountHere(tools, [change, '--', directory]);
  const namespace = await openSharedNamespace(tools, directory);
  scope.add(null, () => namespace.close());
  const root = await mountSnapshot(tools, namespace, backup);
  await mountLocally(exec, namespace, ['--bind', '--', root, directory], signal);
}
