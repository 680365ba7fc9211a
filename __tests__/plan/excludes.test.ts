import { expect, test } from '@jest/globals';
import { parseExcludes } from '../../lib/plan/excludes.js';
import { lineOf, planOf, prefix } from './world.js';

test('one pattern a line; empty lines and comments are none', () => {
  const text = '\n/cache\r\n  *.tmp  \n# no\n!/cache/keep\n\\#yes\na [b-d]\\[ c\n**/x\n[^]a]\n';
  // `[^]a]`: a ] behind ^ closes nothing in Go, and the class has no range.
  expect(parseExcludes(text)).toEqual({
    patterns: ['/cache', '*.tmp', '!/cache/keep', '\\#yes', 'a [b-d]\\[ c', '**/x'],
    problems: [{ line: '[^]a]', problem: expect.stringContaining('is no pattern') as unknown }],
  });
});

test.each(['/a/../b', '../x', '!/..', '/', '!', '[', '[a', '[a-', '[]', '[a-]', 'a\\', '[\\', '[a/b]'])(
  'the line %j leaves out nothing',
  (line) => {
    expect(parseExcludes(line)).toEqual({ patterns: [], problems: [expect.objectContaining({ line })] });
  },
);

test('a claim says what its backup leaves out; what cannot be read is told', () => {
  const entry = { claim: 'team/data', pvc: { exclude: '/cache\n[\u001b' } };
  expect(lineOf(entry).excludes).toEqual(['/cache']);
  expect(planOf([entry]).warnings).toEqual([
    `persistentvolumeclaim/team/data: annotation ${prefix}/exclude: the line "[\\u001b" is no pattern: a [ or a \\ is not closed, and has no effect`,
  ]);
});

test('a disk is backed up whole', () => {
  const entry = { claim: 'team/data', pvc: { exclude: '/cache' }, pv: { mode: 'image' } };
  expect(lineOf(entry).excludes).toEqual([]);
  expect(planOf([entry]).warnings).toEqual([
    `persistentvolumeclaim/team/data: annotation ${prefix}/exclude has no effect: the volume is backed up as a disk`,
  ]);
});
