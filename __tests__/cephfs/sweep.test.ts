import { mkdir, readdir, rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mountShare, type MountedVolume } from '../../sandbox/ceph.js';
import { installation, Rig } from './rig.js';

let rig: Rig;
let root: MountedVolume;
let path: string;
const dead = `cephbackup-${installation}-0000dead-1`;
const alive = `cephbackup-${installation}-00a11fe0-1`;
const foreign = 'cephbackup-ffffffff-0000dead-1';
const others = ['csi-snap-1', `cephbackup-${installation}-0000dead-1x`, `x-${dead}`];

beforeAll(async () => {
  rig = await Rig.create();
  path = await rig.subvolume('kept');
  await rig.subvolume('retained');
  root = await mountShare(rig.cluster, 'cephfs', '/');
});
afterAll(() => root.unmount());

const snapshotOf = (subvolume: string, name: string) =>
  `fs subvolume snapshot create cephfs ${subvolume} ${name} --group_name ${rig.group}`;

describe('the sweep of CephFS', () => {
  test('removes what dead runs of this installation left, and nothing else', async () => {
    const names = [dead, alive, foreign, ...others];
    await rig.cluster.ceph(...names.map((name) => snapshotOf('kept', name)));
    const volumes = [rig.dynamic('kept', path)];
    const shown = (name: string) => ({
      kind: 'snapshot',
      name: `cephfs/${rig.group}/kept@${name}`,
      cluster: 'sandbox',
    });

    const found = await rig.sweep(volumes, { liveRuns: ['00a11fe0'], dryRun: true });
    expect(found).toEqual({ removed: [shown(dead)], leftovers: [], foreign: [shown(foreign)], problems: [] });
    expect(await rig.snapshots('kept')).toEqual(expect.arrayContaining(names));

    const swept = await rig.sweep(volumes, { liveRuns: ['00a11fe0'] });
    expect(swept).toEqual(found);
    expect((await rig.snapshots('kept')).sort()).toEqual([alive, foreign, ...others].sort());
    expect((await rig.sweep(volumes)).removed).toEqual([shown(alive)]);
  });

  test('finds them in subvolumes that no claim names any more, and whose data was removed', async () => {
    await rig.cluster.ceph(
      snapshotOf('retained', dead),
      `fs subvolume rm cephfs retained --group_name ${rig.group} --retain-snapshots`,
    );
    const { removed, leftovers, problems } = await rig.sweep([rig.dynamic('kept', path)]);
    expect(removed.map(({ name }) => name)).toEqual([`cephfs/${rig.group}/retained@${dead}`]);
    expect([leftovers, problems]).toEqual([[], []]);
    // The subvolume was kept for the sake of its snapshot alone.
    const left = (await rig.cluster.json('ceph', [
      ...['fs', 'subvolume', 'ls', 'cephfs', '--group_name', rig.group],
    ])) as { name: string }[];
    expect(left.map(({ name }) => name)).toEqual(['kept']);
  });

  test('finds them in the directories of static volumes', async () => {
    const directory = `/static-${rig.group}`;
    await mkdir(`${root.path}${directory}/app`, { recursive: true });
    const own = `/volumes/${rig.group}/by-hand`;
    await mkdir(`${root.path}${own}`);
    for (const place of [`${directory}/app`, own]) {
      for (const name of [dead, foreign]) await mkdir(`${root.path}${place}/.snap/${name}`);
    }
    const volumes = [rig.fixed('plain', `${directory}/app`), rig.fixed('own', own)];
    const { removed, problems } = await rig.sweep(volumes);
    expect(removed.map(({ name }) => name).sort()).toEqual(
      [`cephfs:${directory}/app/.snap/${dead}`, `cephfs:${own}/.snap/${dead}`].sort(),
    );
    expect(problems).toEqual([]);
    for (const place of [`${directory}/app`, own]) {
      const names = await readdir(`${root.path}${place}/.snap`);
      expect(names).toContain(foreign);
      expect(names).not.toContain(dead);
      await rm(`${root.path}${place}/.snap/${foreign}`, { recursive: true, force: true });
    }
    await rm(`${root.path}${directory}`, { recursive: true });
    await rm(`${root.path}${own}`, { recursive: true });
  });

  test('says where it could not look', async () => {
    const missing = [rig.dynamic('x', '/volumes/no-such-group/x/308fa52e-a490-4517-9dee-34f8ee161077')];
    expect(await rig.sweep(missing)).toEqual({ removed: [], leftovers: [], foreign: [], problems: [] });
    const { problems } = await rig.sweep([rig.dynamic('x', path, 'no-such-filesystem')]);
    expect(problems).toEqual([expect.stringContaining('no-such-filesystem')]);
    // Nor does the last look of a run take what it cannot see for nothing.
    const audited = rig.audit(new Set([dead]), [rig.dynamic('x', path, 'no-such-filesystem')]);
    await expect(audited).rejects.toThrow('could not look for leftovers');
  });

  test('audits: names that were said to be removed and are still there', async () => {
    await rig.cluster.ceph(snapshotOf('kept', dead));
    const names = new Set([dead, alive]);
    const left = await rig.audit(names, [rig.dynamic('kept', path)]);
    expect(left.map(({ name }) => name)).toEqual([`cephfs/${rig.group}/kept@${dead}`]);
    await rig.sweep([rig.dynamic('kept', path)]);
    expect(await rig.audit(names, [rig.dynamic('kept', path)])).toEqual([]);
  });
});
