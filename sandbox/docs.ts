import { readFileSync, writeFileSync } from 'node:fs';
import { catalogue } from '../lib/errors/catalogue.js';
import { exitCodes } from '../lib/run/exit-code.js';

/** Rewrites the parts of docs/ that repeat what the code says. */
export function errorRows(): string[] {
  return Object.entries(catalogue).map(
    ([code, { kind, guidance }]) => `| \`${code}\` | ${exitCodes[kind]} | ${guidance} |`,
  );
}

const page = 'docs/errors.md';

if (process.argv[1]?.endsWith('docs.js') === true) {
  const prose = readFileSync(page, 'utf8')
    .split('\n')
    .filter((line) => !line.startsWith('| `'));
  writeFileSync(page, `${prose.join('\n').trimEnd()}\n${errorRows().join('\n')}\n`);
}
