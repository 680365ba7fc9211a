import type { RunReport } from '../../run/report.js';
import { formatTable } from '../../cli/output/table.js';
import { formatBytes } from '../../log/quantity.js';
import { leftoverLines } from '../../cli/output/leftovers.js';

/** The JSON has them. */
const givesWay = ['KIND', 'READ', 'ADDED', 'TIME', 'SNAPSHOT'];

/** What became of each volume, then what needs attention. */
export function runTable({ volumes, leftovers, exitCode }: RunReport, width: number | null = null): string {
  const rows = volumes.map((volume) => [
    volume.namespace,
    volume.pvc,
    volume.kind ?? '<none>',
    volume.outcome,
    volume.snapshot?.slice(0, 8) ?? '<none>',
    formatBytes(volume.bytesRead),
    formatBytes(volume.bytesAdded),
    `${volume.seconds.toFixed(1)}s`,
    volume.error === null ? '' : `${volume.error.code}: ${volume.error.message}`,
  ]);
  const headers = ['NAMESPACE', 'PVC', 'KIND', 'OUTCOME', 'SNAPSHOT', 'READ', 'ADDED', 'TIME', 'ERROR'];
  const table =
    rows.length === 0
      ? 'No volumes to back up.\n'
      : formatTable(headers, rows, { width, givesWay, wraps: true });
  const good = volumes.filter(({ outcome }) => outcome === 'succeeded' || outcome === 'unchanged').length;
  const without = volumes.filter(({ outcome }) => outcome === 'empty' || outcome === 'vanished').length;
  const nothing = without === 0 ? '' : `, ${without} with nothing to back up`;
  const summary = `\n${good} of ${volumes.length} volumes backed up${nothing}, exit code ${exitCode}\n`;
  return `${table}${leftoverLines('Left behind', leftovers)}${summary}`;
}
