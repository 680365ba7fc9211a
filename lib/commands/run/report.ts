import type { CommandContext, CommandOutput } from '../../cli/command.js';
import type { CephbackupError } from '../../errors/error.js';
import { exitCode } from '../../errors/exit-code.js';
import type { EpochMs } from '../../log/time.js';
import { runMetrics } from '../../metrics/run.js';
import type { Plan } from '../../plan/types.js';
import { notAttempted, type RunReport } from '../../run/report.js';
import type { ExecuteResult } from '../../run/run.js';
import type { RunValues } from './options.js';
import { runTable } from './table.js';

/** What a run came to. */
export interface Ended extends ExecuteResult {
  warnings: string[];
}

/** Nothing can be backed up: every volume says so. */
export function unusable(plan: Plan, error: CephbackupError): Ended {
  const volumes = plan.volumes
    .filter(({ backup }) => backup)
    .map((volume) => notAttempted(volume, error).result);
  return { volumes, errors: [error], leftovers: [], warnings: [] };
}

/** The run as it is printed, with its exit code. */
export function reportRun(
  context: CommandContext<RunValues>,
  started: EpochMs,
  run: string,
  plan: Plan,
  ended: Ended,
): CommandOutput {
  const { log } = context;
  const code = exitCode(context.endedBy(), ended.errors, ended.leftovers);
  // What made the whole run fail, not one volume.
  const error = ended.errors.find(({ kind }) => kind !== 'failed');
  if (error !== undefined) log.error(error.message, { code: error.code, guidance: error.guidance });
  const report: RunReport = {
    run,
    started: new Date(started).toISOString(),
    finished: new Date(context.clock()).toISOString(),
    exitCode: code,
    volumes: ended.volumes,
    leftovers: ended.leftovers,
    warnings: [...plan.warnings, ...ended.warnings, ...context.waits.warnings()],
    ...(error === undefined ? {} : { error: error.report() }),
  };
  for (const warning of ended.warnings) log.warn(warning);
  return {
    document: report,
    table: (width) => runTable(report, width),
    exitCode: code,
    metrics: runMetrics(report, plan),
  };
}
