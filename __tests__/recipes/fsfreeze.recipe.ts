import { expect, test } from '@jest/globals';
import { Client } from '../../sandbox/recipes/client.js';
import { annotationsOf } from '../../sandbox/recipes/document.js';
import { lost, numbersIn, Rehearsal, type Backup } from './rehearsal.js';

async function lostIn(rehearsal: Rehearsal, backup: Backup): Promise<number[]> {
  const restored = await rehearsal.restore();
  const [first, second] = await Promise.all(
    ['/data/first', '/data/second'].map((file) => restored.attempt('cat', [file])),
  );
  // What was written to the one was written to the other before.
  expect(numbersIn(first?.stdout ?? '').length).toBeGreaterThanOrEqual(
    numbersIn(second?.stdout ?? '').length,
  );
  return lost(backup, numbersIn(second?.stdout ?? ''));
}

test('files that nobody writes through need a frozen filesystem', async () => {
  const rehearsal = await Rehearsal.create('fsfreeze', {
    places: [{ claim: 'files', at: '/data', owner: 'root' }],
    annotations: annotationsOf('fsfreeze'),
  });
  const { container } = rehearsal;
  const script = 'while read -r n; do echo "$n" >>/data/first; echo "$n" >>/data/second; echo "$n"; done';
  const client = new Client([...container.enter(), 'sh', '-c', script]);
  const write = async (count: number) => {
    expect(await client.ask(String(count))).toBe(String(count));
  };
  expect(await lostIn(rehearsal, await rehearsal.backUp(write))).not.toEqual([]);
  const backup = await rehearsal.backUp(write, { hooks: true });
  expect(backup.heldSeconds).toBeGreaterThan(0);
  expect(await lostIn(rehearsal, backup)).toEqual([]);
  // It is nobody's any more: the post that is repeated finds nothing to do.
  const { 'cephbackup.hpc.nyu.edu/post-snapshot': post = '' } = annotationsOf('fsfreeze');
  await container.run('sh', ['-c', post]);
});
