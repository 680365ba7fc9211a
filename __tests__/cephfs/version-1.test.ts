import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mountShare, type MountedVolume } from '../../sandbox/ceph.js';
import { run } from '../../sandbox/process.js';
import { temporaryFolder } from '../support/temporary.js';
import { expectSameTree } from '../support/tree.js';
import { installation, Rig } from './rig.js';

/** A subvolume as Nautilus made it; Ceph leaves it so, because it has a snapshot. */
let rig: Rig;
let root: MountedVolume;
let data: string;
const name = 'of-version-1';
const csi = 'csi-snap-1';

beforeAll(async () => {
  rig = await Rig.create();
  const beside = await rig.subvolume('beside');
  root = await mountShare(rig.cluster, 'cephfs', '/');
  const own = `/volumes/${rig.group}/${name}`;
  data = `${own}/${randomUUID()}`;
  await mkdir(`${root.path}${data}/folder`, { recursive: true });
  // Of version 1 it is the data, and not the folder around it, that is marked [subvolume_v1.py, mark_subvolume].
  await run('setfattr', ['-n', 'ceph.dir.subvolume', '-v', '1', `${root.path}${data}`]);
  const layout = 'ceph.dir.layout.pool';
  const pool = await run('getfattr', ['-n', layout, '--only-values', `${root.path}${beside}`]);
  await run('setfattr', ['-n', layout, '-v', pool, `${root.path}${data}`]);
  const meta = ['[GLOBAL]', 'version = 1', 'type = subvolume', `path = ${data}`, 'state = complete', '', ''];
  await writeFile(`${root.path}${own}/.meta`, meta.join('\n'), { flush: true });
  await writeFile(`${root.path}${data}/folder/file`, 'before', { flush: true });
  // Before anybody asks the manager, who would upgrade what has no snapshot.
  await mkdir(`${root.path}${data}/.snap/${csi}`);
});
afterAll(() => root.unmount());

async function features(): Promise<unknown> {
  const args = ['fs', 'subvolume', 'info', 'cephfs', name, '--group_name', rig.group];
  return ((await rig.cluster.json('ceph', args)) as { features: unknown }).features;
}

test('is backed up, again as unchanged, and has its own snapshots alone afterwards', async () => {
  expect(await features()).not.toContain('snapshot-retention');
  const volume = rig.dynamic(name, data);
  const first = await rig.backup(volume);
  expect(first.result).toMatchObject({ outcome: 'succeeded', error: null, warnings: [] });
  const second = await rig.backup(volume, {
    onStep: (step) => {
      if (step === 'backing up') writeFileSync(`${root.path}${data}/folder/later`, 'x', { flush: true });
    },
  });
  expect(second.result).toMatchObject({ outcome: 'unchanged', error: null, warnings: [] });
  expect([first.leftovers, second.leftovers]).toEqual([[], []]);
  const restored = await temporaryFolder('restored');
  await rig.repository.restore(second.result.snapshot ?? '', restored);
  await expectSameTree(`${root.path}${data}/.snap/${csi}`, restored);
  expect(await rig.snapshots(name)).toEqual([csi]);
  expect(await features()).not.toContain('snapshot-retention');
});

test('what a dead run left in it is found and removed', async () => {
  const dead = `cephbackup-${installation}-0000dead-1`;
  await rig.cluster.ceph(`fs subvolume snapshot create cephfs ${name} ${dead} --group_name ${rig.group}`);
  const volume = rig.dynamic(name, data);
  expect(await rig.audit(new Set([dead]), [volume])).toMatchObject([{ kind: 'snapshot' }]);
  const { removed, leftovers, problems } = await rig.sweep([volume]);
  expect(removed.map((one) => one.name)).toEqual([`cephfs/${rig.group}/${name}@${dead}`]);
  expect([leftovers, problems]).toEqual([[], []]);
  expect(await rig.snapshots(name)).toEqual([csi]);
});
