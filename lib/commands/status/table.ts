import { adviceOf } from '../../plan/advice.js';
import type { ClaimStatus, StatusReport, StatusTotals } from '../../plan/status.js';
import { printable } from '../../log/logger.js';
import { age, formatTable } from '../../cli/output/table.js';
import { formatBytes } from '../../log/quantity.js';

const headers = [
  'NAMESPACE',
  'PVC',
  'KIND',
  'STATE',
  'LAST BACKUP',
  'LAST ATTEMPT',
  'LAST ERROR',
  'VERIFIED',
  'SIZE',
];

/** What the state and the last error say anyway, or `list` and `report` do. */
const givesWay = ['KIND', 'SIZE', 'LAST ATTEMPT', 'VERIFIED'];

/** The claims that are to be backed up, those that are not covered, what to do about failures, and sums. */
export function statusTable(
  { volumes, totals }: StatusReport,
  now: Date,
  width: number | null = null,
): string {
  if (volumes.length === 0) return 'No claims found.\n';
  const selected = volumes.filter(({ backup }) => backup);
  const uncovered = volumes.filter(({ covered }) => !covered);
  const parts = [
    selected.length === 0
      ? 'No claim is to be backed up.\n'
      : formatTable(
          headers,
          selected.map((claim) => row(claim, now)),
          { width, givesWay },
        ),
    uncovered.length === 0 ? '' : `Not covered:\n${indent(uncoveredTable(uncovered, width))}`,
    section('What to do:', selected.flatMap(advice)),
    sums(totals),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function row(claim: ClaimStatus, now: Date): string[] {
  const { namespace, pvc, kind, state, sizeBytes, lastError } = claim;
  const ago = (time: string | null, none: string) => (time === null ? none : age(new Date(time), now));
  return [
    namespace,
    pvc,
    kind ?? '<none>',
    state,
    ago(claim.lastBackup, '<never>'),
    ago(claim.lastAttempt, '<none>'),
    lastError ?? '<none>',
    ago(claim.lastVerified, '<never>'),
    sizeBytes === null ? '<unknown>' : formatBytes(sizeBytes),
  ];
}

function uncoveredTable(claims: readonly ClaimStatus[], width: number | null): string {
  return formatTable(
    ['NAMESPACE', 'PVC', 'REASON', 'WHY'],
    claims.map(({ namespace, pvc, reason, why }) => [namespace, pvc, reason, why ?? '']),
    // Two of them are the indentation.
    { width: width === null ? null : width - 2, givesWay: [], wraps: true },
  );
}

function advice(claim: ClaimStatus): string[] {
  return adviceOf(claim).map((line) => `${claim.namespace}/${claim.pvc}: ${line}`);
}

function sums({ selected, ok, stale, never, missing, failed, notCovered, ...rest }: StatusTotals): string {
  const states = [
    `${ok} ok`,
    ...Object.entries({ stale, never, missing })
      .filter(([, count]) => count > 0)
      .map(([state, count]) => `${count} ${state}`),
  ];
  const oldest = rest.oldestBackup === null ? '' : `; the oldest backup is of ${rest.oldestBackup}`;
  return (
    `${selected} to be backed up (${formatBytes(rest.sizeBytes)}): ${states.join(', ')}; ` +
    `${failed} failed in the last attempt; ${notCovered} not covered${oldest}\n`
  );
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${title}\n${lines.map((line) => `  ${printable(line)}\n`).join('')}`;
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
