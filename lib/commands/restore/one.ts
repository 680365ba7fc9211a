import { randomBytes } from 'node:crypto';
import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import { Steps } from '../../log/progress/steps.js';
import { rfc3339 } from '../../log/time.js';
import { Scope } from '../../ownership/scope.js';
import type { Backup } from '../../repository/claims.js';
import { toldBy } from '../../repository/told.js';
import type { RestoreJob, RestoreOutcome } from '../../restore/job.js';
import { contentOf, describeTarget, type Target } from '../../restore/target.js';
import type { ResticSnapshot } from '../../tools/restic/snapshot.js';
import { formatImage } from '../../tools/rbd/image-spec.js';
import { resticOf } from '../shared/repository.js';
import { perform } from './methods.js';
import type { Place, RestoreContext } from './place.js';
import { stateText, type RestoreReport } from './table.js';

/** What is brought back, and where to. */
export interface Restoration {
  backup: Backup;
  snapshots: readonly ResticSnapshot[];
  target: Target;
  place: Place | null;
  /** Is added to. */
  warnings: string[];
}

export interface Restored {
  report: RestoreReport;
  error: CephbackupError | null;
}

/** Brings one backup back, and says what has become of its target. Never throws. */
export async function restoreOne(context: RestoreContext, restoration: Restoration): Promise<Restored> {
  const { backup, snapshots, target, place, warnings } = restoration;
  const content = contentOf(backup.kind);
  const started = performance.now();
  const steps = new Steps(context.log, context.progress().begin(`${backup.namespace}/${backup.pvc}`));
  const scope = new Scope(context.hostname, context.log);
  const job: RestoreJob = {
    id: randomBytes(4).toString('hex'),
    backup,
    ...toldBy(snapshots, backup.id),
    restic: resticOf(context),
    exec: context.exec,
    force: context.options.force === true,
    signal: AbortSignal.any([context.signal, steps.stalled, ...(place?.lease ? [place.lease.lost] : [])]),
    log: context.log,
    scope,
    newScope: () => new Scope(context.hostname, context.log),
    leftovers: [],
    state: 'untouched',
    step: steps.step,
    moved: steps.moved,
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
  steps.close();

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
  return { report, error };
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
  // Exit code 2 says that nothing was touched.
  const code = error.code === 'TOOL_MISSING' && state !== 'untouched' ? 'COMMAND_FAILED' : error.code;
  return new CephbackupError(code, message, { guidance: error.guidance, cause: error });
}
