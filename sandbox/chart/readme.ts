import { readFileSync, writeFileSync } from 'node:fs';
import { valuesTable } from './values-table.js';

export const chart = 'charts/cephbackup';
const begin = '<!-- values: written by `npm run docs` -->';
const end = '<!-- end of values -->';

/** The chart's README with the table of values that values.yaml describes. @throws Error where it has no place for it. */
export function withValuesTable(readme: string, values: string): string {
  const [before, rest] = readme.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`the README needs ${begin} and ${end}`);
  return `${before}${begin}\n${valuesTable(values)}\n${end}${after}`;
}

if (process.argv[1]?.endsWith('readme.js') === true) {
  const readme = `${chart}/README.md`;
  const values = readFileSync(`${chart}/values.yaml`, 'utf8');
  writeFileSync(readme, withValuesTable(readFileSync(readme, 'utf8'), values));
}
