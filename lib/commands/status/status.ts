import { unlessNone } from '../../cli/values.js';
import type { statusOptions } from './options.js';
import type { Command } from '../../cli/command.js';
import type { Values } from '../../cli/options.js';
import { surveyStatus } from '../shared/status.js';
import { statusTable } from './table.js';

/** Tells how old the last backup of each claim is, by the annotations on PersistentVolumes. */
export const status: Command<Values<typeof statusOptions>> = async (context) => {
  const { options, log } = context;
  const maxAge = unlessNone(options.maxAge);
  const { status: report, now } = await surveyStatus(context, maxAge);
  for (const warning of report.warnings) log.warn(warning);
  const { selected, stale, never, missing } = report.totals;
  const overdue = maxAge === null ? 0 : stale + never;
  return {
    document: report,
    table: (width) => statusTable(report, now, width),
    // Nothing selected is a typo, or a prefix that nobody uses, far more often than an empty cluster.
    exitCode: overdue + missing > 0 || selected === 0 ? 1 : 0,
  };
};
