import { describe, expect, test } from '@jest/globals';
import { callsOf, common, namesOf, patternOf, verbOf } from '../../sandbox/faults/calls.js';
import { judgeAnswer, judgeWorld } from '../../sandbox/faults/judge.js';
import { isKnown } from '../../sandbox/faults/known.js';
import { leastTried, sortOf } from '../../sandbox/faults/matrix.js';

const own = 'cephbackup-0123abcd-89abcdef-1';

describe('a call', () => {
  test('is found again in another run, whatever was called differently there', () => {
    const text = (name: string, at: string) =>
      `rbd --conf /x/${at}/ceph.conf snap create --no-progress rbd/ns-${at}/csi@${name}`;
    const first = patternOf(text(own, 'a'), ['/x/a', 'rbd/ns-a']);
    expect(first).toBe(patternOf(text('cephbackup-0123abcd-00000000-7', 'b'), ['/x/b', 'rbd/ns-b']));
    expect(verbOf(first)).toBe('rbd snap create');
  });

  test.each([
    ['restic backup --json --host=h -- cat /proc/12/fd/3', 'restic backup'],
    [
      'ceph --conf * --client-mount-timeout=30 fs subvolume snapshot rm cephfs x y',
      'ceph fs subvolume snapshot rm',
    ],
    ['mount -t ext4 -o ro,loop -- a b', 'mount ext4'],
    ['umount -- /run/cephbackup/volume', 'umount'],
  ])('%s is %s', (text, verb) => {
    expect(verbOf(patternOf(text, []))).toBe(verb);
  });

  test('that only one of two recordings has is left out, and equal ones are counted', () => {
    const [a, b] = [
      ['rbd ls a/x', 'rbd ls a/x', 'od y'],
      ['rbd ls a/x', 'od y', 'rbd ls a/x', 'stat z'],
    ].map((texts) => callsOf('command', texts, []));
    const calls = common([b ?? [], a ?? []]);
    expect([...namesOf(calls).values()]).toEqual(['rbd ls', 'od', 'rbd ls #2']);
  });

  test('of a backup is never one that unlocks or prunes', () => {
    for (const verb of ['restic unlock', 'restic prune', 'restic forget', 'rbd lock rm', 'rbd import'])
      expect(isKnown(verb, 'run')).toBe(false);
  });
});

describe('the rules', () => {
  const answer = { code: 0, signal: null, stdout: '', stderr: '' };
  const volume = { uid: 'u', outcome: 'succeeded', snapshot: 's', error: null };
  const judge = (json: object, code = 0) =>
    judgeAnswer('run', { ...answer, code, json }, { ends: null, secrets: ['secret'] });

  test('exit 0 is for volumes that are backed up, and for nothing left', () => {
    expect(judge({ volumes: [volume] })).toEqual([]);
    const failed = { ...volume, outcome: 'failed', snapshot: null };
    const error = { code: 'X', message: 'm', guidance: 'g' };
    expect(judge({ volumes: [{ ...failed, error }] })).toEqual([expect.stringMatching(/^I1/)]);
    expect(judge({ volumes: [{ ...failed, error }] }, 1)).toEqual([]);
    expect(judge({ volumes: [failed] }, 1)).toContain('failed without a reason');
    const leftovers = [{ kind: 'clone', name: 'n', reason: 'r' }];
    expect(judge({ volumes: [volume], leftovers })).toEqual([expect.stringMatching(/^I1/)]);
    expect(judge({ volumes: [volume], leftovers }, 5)).toEqual([]);
  });

  test('an answer is one document, and has no secret', () => {
    const ends = { ends: null, secrets: ['secret'] };
    expect(judgeAnswer('run', { ...answer, stderr: 'a secret', json: undefined }, ends)).toEqual([
      expect.stringMatching(/^I9/),
      'stdout is not one JSON document',
    ]);
  });

  test('what is left is told by its name', () => {
    const after = new Set([`snapshot 4 ${own} of image rbd/x/i`, 'mount a']);
    const scope = { killed: false, told: [{ name: `rbd/x/i@${own}` }], target: null };
    expect(judgeWorld(new Set(), after, scope)).toEqual(['I4: + mount a']);
    expect(judgeWorld(new Set(), after, { ...scope, told: [] })).toHaveLength(2);
  });
});

test('what was tried least of all subjects is tried first', () => {
  const ids = ['run: a | rbd ls (2) #3 | fails', 'run: a | rbd ls | fails', 'run: a | rbd rm | fails'];
  const cases = [...ids, 'run: a | 7 | KILL at a random time'].map((id) => ({ id }));
  const tried = new Map([
    [sortOf('verify: b | rbd ls | fails'), 2],
    [sortOf('run: c | 1 | KILL at a random time'), 1],
  ]);
  expect(leastTried(cases, tried)?.id).toBe('run: a | rbd rm | fails');
  expect(leastTried(cases.slice(0, 2), tried)?.id).toBe(ids[0]);
  expect(leastTried(cases.slice(4), tried)).toBeUndefined();
});
