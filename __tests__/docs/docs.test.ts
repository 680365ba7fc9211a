import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { errorRows, readmeWithOptions } from '../../sandbox/docs.js';

test('docs/errors.md lists every code with its exit code and guidance (`npm run docs` writes it)', () => {
  const rows = readFileSync('docs/errors.md', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  expect(rows).toEqual(errorRows());
});

test('the README lists the options of `run` as the code has them (`npm run docs` writes it)', () => {
  const readme = readFileSync('README.md', 'utf8');
  expect(readmeWithOptions(readme)).toBe(readme);
});
