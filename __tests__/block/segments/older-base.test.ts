import { beforeAll, expect, test } from '@jest/globals';
import type { Fault } from '../../support/faults.js';
import type { SeededClaim } from '../../support/scenario.js';
import { Rig } from './rig.js';

const mib = 1024 ** 2;
const removal: Fault = { program: 'rbd', when: '*snap rm*-base-*', mode: 'fail' };

let rig: Rig;

beforeAll(async () => {
  rig = await Rig.create();
});

/** A disk that changed since its backup, and the base of that. */
async function changed(namespace: string): Promise<{ claim: SeededClaim; base: string }> {
  const claim = await rig.disk(namespace, 8 * mib);
  rig.io(claim, 'write -P 1 0 1M');
  await rig.backUp(namespace);
  rig.io(claim, 'write -P 2 4M 64k');
  const [base = ''] = await rig.bases(claim);
  return { claim, base };
}

test('an older base that cannot be removed is named, and the next run removes it', async () => {
  const { claim, base } = await changed('stays');
  const report = await rig.run('stays', ['--keep-base'], { faults: [removal] });
  expect(report.volumes).toMatchObject([{ outcome: 'succeeded', base: 'used', error: null }]);
  expect(report.leftovers).toEqual([
    expect.objectContaining({
      kind: 'snapshot',
      name: `${claim.image}@${base}`,
      reason: expect.stringContaining('injected'),
    }),
  ]);
  expect(report.code).toBe(5);
  expect((await rig.bases(claim)).length).toBe(2);
  const next = await rig.backUp('stays');
  await rig.expectEqualToBase(claim, next.snapshot ?? '');
});

test('an older base that could not be removed at first is removed at the end of the run', async () => {
  const { claim } = await changed('late');
  const backup = await rig.backUp('late', ['--keep-base'], { faults: [{ ...removal, once: true }] });
  await rig.expectEqualToBase(claim, backup.snapshot ?? '');
});

test('a base that is named although Ceph said that it is not is one, and takes the place of the older', async () => {
  const { claim } = await changed('named');
  const faults: Fault[] = [{ program: 'rbd', when: '*snap rename*', mode: 'fail-after' }];
  const backup = await rig.backUp('named', ['--keep-base'], { faults });
  expect(backup.warnings).toEqual([]);
  await rig.expectEqualToBase(claim, backup.snapshot ?? '');
});
