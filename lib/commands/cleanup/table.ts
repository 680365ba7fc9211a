import type { SweepReport } from '../../volumes/driver.js';
import { printable } from '../../log/logger.js';
import { leftoverLines } from '../../cli/output/leftovers.js';

export interface CleanupReport extends Omit<SweepReport, 'problems'> {
  installation: string;
  dryRun: boolean;
  warnings: string[];
}

export function cleanupTable({
  installation,
  dryRun,
  removed,
  leftovers,
  foreign,
  warnings,
}: CleanupReport): string {
  const what = [
    leftoverLines(dryRun ? 'Would remove' : 'Removed', removed),
    leftoverLines('Could not remove', leftovers),
    leftoverLines('Of other installations (not touched)', foreign),
  ].join('');
  const nothing = removed.length + leftovers.length === 0;
  const places = warnings.map((warning) => `  ${printable(warning)}\n`).join('');
  const unseen = places === '' ? '' : `Not looked at everywhere:\n${places}`;
  const verdict = unseen === '' ? 'nothing is left behind' : 'nothing was found where it could be looked';
  return `Installation ${installation}${nothing ? `: ${verdict}.` : ''}\n${what}${unseen}`;
}
