import { formatTable } from '../../lib/cli/output/table.js';

/** One thing that was measured, and the limit it has to keep. */
export interface Figure {
  what: string;
  /** With its unit. */
  measured: string;
  limit: string;
  /** How much of the limit is used; more than 1 is too much. Null: told for information only. */
  used: number | null;
}

/** What a benchmark found out. */
export interface Findings {
  figures: Figure[];
  /** Printed below the figures: where time goes, what bounds a figure. */
  notes: string[];
}

export interface BenchOptions {
  /** A folder of its own for everything. */
  folder: string;
  /** A trial: small volumes, one round. Its figures mean little. */
  quick: boolean;
  /** How often the benchmarks of disks measure; null: as often as each finds right. */
  rounds: number | null;
  /** Is told what is being measured now. */
  tell: (text: string) => void;
}

export type Bench = (options: BenchOptions) => Promise<Findings>;

type Unit = 's' | 'ms' | 'MB' | '×' | '';

export function atMost(what: string, value: number, limit: number, unit: Unit, formula = ''): Figure {
  const shown = `<= ${quantity(limit, unit)}${formula === '' ? '' : ` (${formula})`}`;
  // 0 of 0 is nothing; more than that is infinitely too much.
  return { what, measured: quantity(value, unit), limit: shown, used: value === 0 ? 0 : value / limit };
}

export function atLeast(what: string, value: number, limit: number, unit: Unit): Figure {
  return { what, measured: quantity(value, unit), limit: `>= ${quantity(limit, unit)}`, used: limit / value };
}

export function information(what: string, value: number, unit: Unit): Figure {
  return { what, measured: quantity(value, unit), limit: '', used: null };
}

export function holds({ used }: Figure): boolean {
  return used === null || used <= 1;
}

export function figureTable(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const { what, measured, limit, used } = figure;
    if (used === null) return [what, measured, '', '', ''];
    return [what, measured, limit, used.toFixed(2), holds(figure) ? 'yes' : 'NO'];
  });
  return formatTable(['FIGURE', 'MEASURED', 'LIMIT', 'OF IT', 'HOLDS'], rows);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

function quantity(value: number, unit: Unit): string {
  if (unit === 's') return `${value.toFixed(2)} s`;
  if (unit === 'ms') return `${value.toFixed(1)} ms`;
  if (unit === 'MB') return `${value.toFixed(0)} MB`;
  if (unit === '×') return `${value.toFixed(2)}×`;
  return String(value);
}
