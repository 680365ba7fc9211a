import type { CheckResult } from './examine.js';
import { formatTable } from '../../cli/output/table.js';

export interface DoctorReport {
  checks: CheckResult[];
  ok: number;
  warnings: number;
  failed: number;
}

/** One line a finding, and below it what to do. */
export function doctorTable({ checks, ok, warnings, failed }: DoctorReport): string {
  const rows = checks.flatMap(({ name, status, message, fix }) => [
    [status, name, message],
    ...(fix === null ? [] : [['', '', `  fix: ${fix}`]]),
  ]);
  return `${formatTable(['STATUS', 'CHECK', 'FOUND'], rows)}\n${failed} failed, ${warnings} warnings, ${ok} ok\n`;
}
