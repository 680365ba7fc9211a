import type { SweepReport } from '../../volumes/driver.js';
import { leftoverLines } from '../../cli/output/leftovers.js';

export interface CleanupReport extends Omit<SweepReport, 'problems'> {
  installation: string;
  dryRun: boolean;
  warnings: string[];
}

export function cleanupTable({ installation, dryRun, removed, leftovers, foreign }: CleanupReport): string {
  const what = [
    leftoverLines(dryRun ? 'Would remove' : 'Removed', removed),
    leftoverLines('Could not remove', leftovers),
    leftoverLines('Of other installations (not touched)', foreign),
  ].join('');
  const nothing = removed.length + leftovers.length === 0;
  return `Installation ${installation}${nothing ? ': nothing is left behind.' : ''}\n${what}`;
}
