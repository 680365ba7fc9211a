import { open, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { mountImage } from '../../sandbox/ceph.js';
import { Scenario } from '../support/scenario.js';
import { temporaryFolder } from '../support/temporary.js';

let scenario: Scenario;

beforeAll(async () => {
  scenario = await Scenario.create();
});

const names = Array.from({ length: 16 }, (_, n) => `f${n}`);

async function fill(folder: string, letter: string): Promise<void> {
  for (const name of names) {
    const file = await open(path.join(folder, name), 'r+').catch(() => open(path.join(folder, name), 'w'));
    await file.write(Buffer.alloc(65_536, letter), 0, 65_536, 0);
    await file.close();
  }
}

/** Commits the times of all files, and the data of this one alone. */
async function commitTimes(folder: string, text: string): Promise<void> {
  const file = await open(path.join(folder, 'other'), 'w');
  await file.write(text);
  await file.sync();
  await file.close();
}

async function letters(snapshot: string | null): Promise<Set<string>> {
  const target = await temporaryFolder('restored');
  await scenario.repository.restore(snapshot ?? '', target);
  const contents = await Promise.all(names.map((name) => readFile(path.join(target, name))));
  return new Set(contents.map((content) => new Set(content.toString('latin1'))).flatMap((set) => [...set]));
}

describe.each(['ext4', 'xfs'] as const)('%s that is written to', (type) => {
  test('what was not written out at one snapshot is in the next backup, although its times are the same', async () => {
    const claim = await scenario.claim(`hot-${type}`, { format: type, fsType: type, size: '400M' });
    const mounted = await mountImage(scenario.cluster, claim.image, type);
    const { path: root } = mounted;
    const backUp = async () => {
      const report = await scenario.run({ env: { CEPHBACKUP_PVC: `demo/${claim.name}` } });
      expect(report.volume(claim).error).toBeNull();
      return letters(report.volume(claim).snapshot);
    };
    try {
      await fill(root, 'A');
      await writeFile(path.join(root, 'immutable'), 'cannot be changed');
      await scenario.cluster.run('sync', ['-f', root]);
      await scenario.cluster.run('chattr', ['+i', path.join(root, 'immutable')]);
      expect(await backUp()).toEqual(new Set('A'));

      await fill(root, 'B');
      await commitTimes(root, '1');
      await backUp();
      await scenario.cluster.run('sync', ['-f', root]);
      expect(await backUp()).toEqual(new Set('B'));
    } finally {
      await scenario.cluster.run('chattr', ['-i', path.join(root, 'immutable')]).catch(() => undefined);
      await mounted.unmount();
    }
  });
});
