import type { ClaimProof, DamageReport, VerifyReport } from '../../verify/report.js';
import { leftoverLines } from '../../cli/output/leftovers.js';
import { printable } from '../../log/logger.js';
import { formatTable } from '../../cli/output/table.js';
import { formatBytes } from '../../log/quantity.js';

/** The JSON has them. */
const givesWay = ['KIND', 'SECONDS', 'READ', 'BACKUP'];

/** Each claim that was read, then all damage with what to do, then what is left for the next time. */
export function verifyTable(
  { claims, damage, leftovers, drill, exitCode }: VerifyReport,
  width: number | null = null,
): string {
  if (claims.length === 0) return `No backups to verify.\n${damageLines(damage)}`;
  const begun = claims.filter(({ outcome, error }) => outcome !== 'not-attempted' || error !== null);
  const left = claims.filter((claim) => !begun.includes(claim));
  const drilled = drill ? ['DRILL'] : [];
  const headers = [
    'NAMESPACE',
    'PVC',
    'KIND',
    'OUTCOME',
    'SNAPSHOT',
    'BACKUP',
    'READ',
    ...drilled,
    'SECONDS',
    'ERROR',
  ];
  const rows = begun.map((claim) => [
    claim.namespace,
    claim.pvc,
    claim.kind,
    claim.outcome,
    claim.snapshot.slice(0, 8),
    claim.time ?? '<unknown>',
    formatBytes(claim.bytes),
    ...drilled.map(() => claim.drill ?? ''),
    claim.seconds.toFixed(1),
    claim.error === null ? '' : `${claim.error.code}: ${claim.error.message}`,
  ]);
  const table = rows.length === 0 ? '' : formatTable(headers, rows, { width, givesWay, wraps: true });
  const good = claims.filter(({ outcome }) => outcome === 'verified').length;
  const summary = `\n${good} of ${claims.length} claims verified${leftText(left)}, exit code ${exitCode}\n`;
  return `${table}${damageLines(damage)}${leftoverLines('Left behind', leftovers)}${summary}`;
}

function leftText([first, ...more]: ClaimProof[]): string {
  if (first === undefined) return '';
  return `, ${1 + more.length} left for the next time (first ${first.namespace}/${first.pvc})`;
}

function damageLines(damage: readonly DamageReport[]): string {
  return damage
    .map(({ message, claims, others, complete, guidance }) => {
      const hurt = claims.map(
        ({ namespace, pvc, snapshots }) =>
          `  ${namespace}/${pvc}: ${snapshots.map((id) => id.slice(0, 8)).join(' ')}\n`,
      );
      const rest = others.map((id) => `  no claim's: ${id.slice(0, 8)}\n`);
      const unknown = complete ? '' : '  and perhaps others\n';
      return `\nDamage: ${printable(message)}. It hurts:\n${hurt.join('')}${rest.join('')}${unknown}  What to do: ${guidance}\n`;
    })
    .join('');
}
