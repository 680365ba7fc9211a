import type { PruneItem, PruneReport } from '../../retention/report.js';
import { formatTable } from '../../cli/output/table.js';
import { formatBytes } from '../../log/quantity.js';

const headers = ['NAMESPACE', 'PVC', 'UID', 'EXISTS', 'KEEP', 'FORGET', 'OLDEST KEPT', 'FORGOTTEN'];

/** The JSON has them. */
const givesWay = ['UID', 'FORGOTTEN', 'EXISTS'];

/** One line a claim, then the sum. */
export function pruneTable(report: PruneReport, width: number | null = null): string {
  const { claims, manifests, others, dryRun, repository } = report;
  const rows = claims.map(({ namespace, pvc, uid, exists, keep, forget }) => [
    namespace,
    pvc,
    uid,
    exists ? 'yes' : 'no',
    String(keep.length),
    String(forget.length),
    keep[0]?.time ?? '<none>',
    shortList(forget),
  ]);
  const table =
    rows.length === 0 ? 'No backups of this cluster.\n' : formatTable(headers, rows, { width, givesWay });
  const count = claims.reduce((sum, { forget }) => sum + forget.length, 0);
  const what = `${count} backups and ${manifests.forget.length} snapshots of manifests`;
  const untouched = others === 0 ? '' : `; ${others} snapshots of others are not touched`;
  const space = `${size(repository.bytesFreed)} freed, ${size(repository.bytesRemaining)} left`;
  const outcome = dryRun
    ? `Would forget ${what}${untouched}: about ${space}.`
    : report.error === undefined
      ? `Forgot ${what}${untouched}: ${space}.`
      : `NOT finished: ${report.forgotten} of ${what} forgotten${untouched}.`;
  return `${table}\n${outcome}\n`;
}

/** The first few ids; all are in the JSON. */
function shortList(items: readonly PruneItem[]): string {
  const ids = items.slice(0, 4).map(({ id }) => id.slice(0, 8));
  return ids.join(' ') + (items.length > ids.length ? ` and ${items.length - ids.length} more` : '');
}

function size(count: number | null): string {
  return count === null ? 'an unknown amount' : formatBytes(count);
}
