import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';

test('docs/dependencies.md gives a reason for every package, and for none that is gone', () => {
  const { dependencies, devDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as Record<
    'dependencies' | 'devDependencies',
    Record<string, string>
  >;
  const [packages = ''] = readFileSync('docs/dependencies.md', 'utf8').split('## Programs');
  const rows = packages.split('\n').filter((line) => line.startsWith('| `'));
  const explained = rows.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name),
  );
  expect(explained.sort()).toEqual(Object.keys({ ...dependencies, ...devDependencies }).sort());
});
