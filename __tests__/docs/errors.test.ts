import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { errorRows } from '../../sandbox/docs.js';

test('docs/errors.md lists every code with its exit code and guidance (`npm run docs` writes it)', () => {
  const rows = readFileSync('docs/errors.md', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  expect(rows).toEqual(errorRows());
});
