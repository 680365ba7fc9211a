import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { catalogue } from '../../lib/errors/catalogue.js';
import { exitCodes } from '../../lib/run/exit-code.js';

test('docs/errors.md lists every code with its exit code and guidance', () => {
  const page = readFileSync('docs/errors.md', 'utf8');
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  const expected = Object.entries(catalogue).map(
    ([code, { kind, guidance }]) => `| \`${code}\` | ${exitCodes[kind]} | ${guidance} |`,
  );
  expect(rows).toEqual(expected);
});
