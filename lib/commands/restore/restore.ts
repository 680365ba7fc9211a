import { randomBytes } from 'node:crypto';
import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import { restoreTable, stateText, type RestoreReport } from './table.js';
import { chosenBackup } from '../shared/chosen.js';
import { rfc3339 } from '../../log/time.js';
import { toldBy } from '../../repository/told.js';
import type { RestoreJob, RestoreOutcome } from '../../restore/job.js';
import { contentOf, describeTarget, refuseUnsuitable, type Target } from '../../restore/target.js';
import { StepProgress } from '../../log/step-progress.js';
import { exitCode } from '../../errors/exit-code.js';
import { Scope } from '../../ownership/scope.js';
import { formatImage } from '../../tools/rbd/images.js';
import type { Command } from '../../cli/command.js';
import { resticOf } from '../shared/repository.js';
import { perform } from './methods.js';
import { openPlace, type RestoreValues } from './place.js';

/** Brings a backup back. Only the target that is named is written. */
export const restore: Command<RestoreValues> = async (context) => {
  const target = targetOf(context.options);
  const { backup, snapshots, warnings } = await chosenBackup(context);
  const content = contentOf(backup.kind);
  refuseUnsuitable(content, target, context.options);

  const started = performance.now();
  const intoCeph = target.type === 'image' || target.type === 'pvc';
  const place = intoCeph ? await openPlace(context) : null;
  const progress = new StepProgress(context.log);
  const scope = new Scope(context.hostname, context.log);
  const job: RestoreJob = {
    id: randomBytes(4).toString('hex'),
    backup,
    ...toldBy(snapshots, backup.id),
    restic: resticOf(context),
    exec: context.exec,
    force: context.options.force === true,
    signal: AbortSignal.any([context.signal, progress.stalled, ...(place?.lease ? [place.lease.lost] : [])]),
    log: context.log,
    scope,
    newScope: () => new Scope(context.hostname, context.log),
    leftovers: [],
    state: 'untouched',
    step: progress.step,
    moved: progress.moved,
    warn: (text) => {
      warnings.push(text);
      context.log.warn(text);
    },
  };
  let outcome: RestoreOutcome | null = null;
  let error: CephbackupError | null = null;
  try {
    outcome = await perform(context, job, { content, target, place, snapshots });
  } catch (thrown) {
    error = asCephbackupError(job.signal.aborted ? job.signal.reason : thrown);
  }
  const leftovers = [...job.leftovers, ...(await scope.release())];
  progress.close();
  await place?.lease?.release();

  const { state } = job;
  if (error !== null) {
    error = withState(error, target, state);
    context.log.error(error.message, { code: error.code, guidance: error.guidance });
  }
  const report: RestoreReport = {
    claim: { cluster: backup.cluster, namespace: backup.namespace, pvc: backup.pvc, uid: backup.uid },
    snapshot: backup.id,
    time: rfc3339(backup.time),
    kind: backup.kind,
    target: { type: target.type, name: nameOf(target), state, sizeBytes: outcome?.diskSize ?? null },
    path: context.options.path,
    partition: context.options.partition,
    bytesWritten: outcome?.bytesWritten ?? 0,
    files: outcome?.files ?? null,
    verified: outcome !== null,
    seconds: Math.round(performance.now() - started) / 1000,
    leftovers,
    warnings,
    error: error?.report() ?? null,
  };
  const code = exitCode(context.endedBy(), error === null ? [] : [error], leftovers);
  return { document: report, table: restoreTable(report), exitCode: code };
};

function targetOf({ toImage, toPvc, toDirectory, toFile, format }: RestoreValues): Target {
  if (toImage !== null) return { type: 'image', image: toImage };
  if (toDirectory !== null) return { type: 'directory', path: toDirectory };
  if (toFile !== null) return { type: 'file', path: toFile, format: format ?? 'qcow2' };
  const [namespace = '', pvc = ''] = (toPvc ?? '').split('/');
  return { type: 'pvc', namespace, pvc };
}

/** As the option names it. */
function nameOf(target: Target): string {
  switch (target.type) {
    case 'image':
      return formatImage(target.image);
    case 'pvc':
      return `${target.namespace}/${target.pvc}`;
    default:
      return target.path;
  }
}

/** Whoever reads of a failure has to know what it means for the target. */
function withState(error: CephbackupError, target: Target, state: RestoreJob['state']): CephbackupError {
  const message = `${error.message}; ${describeTarget(target)}: ${stateText(state)}`;
  return new CephbackupError(error.code, message, { guidance: error.guidance, cause: error });
}
