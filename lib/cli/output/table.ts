import { printable } from '../../log/logger.js';

/** kubectl's distance between columns. */
const gap = '   ';

/** How a table is made to fit a terminal. */
export interface Fit {
  /** Of the terminal, in characters; null where nobody looks at one: then all columns are there. */
  width: number | null;
  /** Columns that are left out while the table is too wide, the first one first. All others stay, however narrow it is. */
  givesWay: readonly string[];
  /** Whether the last column is prose: it is broken into lines before anything gives way. */
  wraps?: boolean;
}

/** Narrower, prose is no longer read. */
const leastProse = 30;

/** A table as kubectl prints it: aligned, without lines; control characters in cells are made visible. */
export function formatTable(
  headers: readonly string[],
  rows: readonly (readonly string[])[],
  { width, givesWay, wraps = false }: Fit = { width: null, givesWay: [] },
): string {
  const cells = [headers, ...rows].map((row) => row.map(printable));
  const widths = headers.map((_, column) =>
    cells.reduce((widest, row) => Math.max(widest, row[column]?.length ?? 0), 0),
  );
  const [first] = givesWay;
  const before = widths.slice(0, -1).reduce((sum, one) => sum + one + gap.length, 0);
  const last = widths.at(-1) ?? 0;
  const tooWide = before + (wraps ? Math.min(last, leastProse) : last) > (width ?? Infinity);
  if (tooWide && first !== undefined) {
    const at = headers.indexOf(first);
    const without = (row: readonly string[]) => row.filter((_, column) => column !== at);
    return formatTable(without(headers), rows.map(without), { width, givesWay: givesWay.slice(1), wraps });
  }
  const line = (row: readonly string[]) =>
    `${row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join(gap)
      .trimEnd()}\n`;
  if (!wraps || width === null) return cells.map(line).join('');
  const room = Math.max(width - before, leastProse);
  return cells
    .flatMap((row) =>
      wrap(row.at(-1) ?? '', room).map((text, at) => [
        ...row.slice(0, -1).map((cell) => (at === 0 ? cell : '')),
        text,
      ]),
    )
    .map(line)
    .join('');
}

/** Lines of at most so many characters, but for words that are longer. A command in backticks is one: it can be copied. */
function wrap(text: string, room: number): string[] {
  const lines: string[] = [];
  const indent = /^ */.exec(text)?.[0] ?? '';
  for (const word of text.match(/(?:`[^`]*`|\S)+/g) ?? []) {
    const current = lines.at(-1);
    const longer = current === undefined ? `${indent}${word}` : `${current} ${word}`;
    if (current === undefined || longer.length > room) lines.push(`${indent}${word}`);
    else lines[lines.length - 1] = longer;
  }
  return lines.length === 0 ? [''] : lines;
}

/** The time from `date` to `now` as kubectl prints ages [apimachinery pkg/util/duration/duration.go]. */
export function age(date: Date, now: Date): string {
  const seconds = Math.trunc((now.getTime() - date.getTime()) / 1000);
  if (Number.isNaN(seconds) || seconds < -1) return '<invalid>';
  const [minutes, hours, days] = [60, 3600, 86_400].map((unit) => Math.floor(seconds / unit)) as [
    number,
    number,
    number,
  ];
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  if (minutes < 10) return two(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  if (hours < 8) return two(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  if (days < 8) return two(days, 'd', hours % 24, 'h');
  if (days < 730) return `${days}d`;
  const years = Math.floor(days / 365);
  return years < 8 ? two(years, 'y', days % 365, 'd') : `${years}y`;
}

function two(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
}
