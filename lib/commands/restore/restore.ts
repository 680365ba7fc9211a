import type { Command } from '../../cli/command.js';
import { CephbackupError } from '../../errors/error.js';
import { exitCode } from '../../errors/exit-code.js';
import { contentOf, refuseUnsuitable, type Target } from '../../restore/target.js';
import { chosenBackup } from '../shared/chosen.js';
import { restoreGroup } from './group.js';
import { restoreOne } from './one.js';
import { openPlace, type RestoreValues } from './place.js';
import { restoreTable } from './table.js';

/** Brings a backup back. Only the target that is named is written. */
export const restore: Command<RestoreValues> = async (context) => {
  const { group } = context.options;
  const named = context.operands.length > 0;
  if (named === (group !== null))
    throw new CephbackupError('USAGE', 'either NAMESPACE/PVC or --group says what to restore');
  if (group !== null) return restoreGroup(context, group);
  const target = targetOf(context.options);
  const { backup, snapshots, warnings } = await chosenBackup(context);
  refuseUnsuitable(contentOf(backup.kind), target, context.options);

  const intoCeph = target.type === 'image' || target.type === 'pvc';
  const place = intoCeph ? await openPlace(context) : null;
  const { report, error } = await restoreOne(context, { backup, snapshots, target, place, warnings });
  await place?.lease?.release();
  const code = exitCode(context.endedBy(), error === null ? [] : [error], report.leftovers);
  return { document: report, table: restoreTable(report), exitCode: code };
};

function targetOf({ toImage, toPvc, toDirectory, toFile, format }: RestoreValues): Target {
  if (toImage !== null) return { type: 'image', image: toImage };
  if (toDirectory !== null) return { type: 'directory', path: toDirectory };
  if (toFile !== null) return { type: 'file', path: toFile, format: format ?? 'qcow2' };
  const [namespace = '', pvc = ''] = (toPvc ?? '').split('/');
  return { type: 'pvc', namespace, pvc };
}
