import type { CheckResult } from './examine.js';
import { formatTable } from '../../cli/output/table.js';

export interface DoctorReport {
  checks: CheckResult[];
  ok: number;
  warnings: number;
  failed: number;
}

/** One line a finding, and below it what to do. */
export function doctorTable(
  { checks, ok, warnings, failed }: DoctorReport,
  width: number | null = null,
): string {
  const rows = checks.flatMap(({ name, status, message, fix }) => [
    [status, name, message],
    ...(fix === null ? [] : [['', '', `  fix: ${fix}`]]),
  ]);
  const table = formatTable(['STATUS', 'CHECK', 'FOUND'], rows, { width, givesWay: [], wraps: true });
  return `${table}\n${failed} failed, ${warnings} warnings, ${ok} ok\n`;
}
