import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { installationId } from '../../lib/ownership/names.js';
import { startDaemon } from '../../lib/tools/process/daemon.js';
import { waitFor } from '../../sandbox/process.js';
import { searchPath } from '../../sandbox/tools.js';
import { FaultyPrograms } from '../support/faults.js';
import { prefix, Scenario } from '../support/scenario.js';
import { expectCleanWorld } from '../support/world.js';

let scenario: Scenario;

beforeAll(async () => {
  scenario = await Scenario.create({ standIn: true });
});

test('xfs: a mount that replays the log and is there although its command failed is unmounted before anything else', async () => {
  const claim = await scenario.claim('xfs', {
    format: 'xfs',
    fsType: 'xfs',
    size: '400M',
    fill: (root) => writeFile(path.join(root, 'f'), 'data'),
  });
  const before = await scenario.world();
  const fault = { program: 'mount', when: '*-t xfs*rw*', mode: 'fail-after', exitCode: 32 } as const;
  const programs = new FaultyPrograms([fault], searchPath(), ['rbd', 'umount']);
  const report = await scenario.run({ programs, args: ['--pvc', 'demo/xfs'] });
  expect(report.volume(claim)).toMatchObject({ outcome: 'failed', error: { code: 'MOUNT_FAILED' } });
  expect(report.leftovers).toEqual([]);
  const undoing = programs.calls().filter((call) => /^umount |^rbd .* rm /.test(call));
  expect(undoing[0]).toMatch(/^umount /);
  await expectCleanWorld(before, scenario.worldScope, 10_000);
});

describe('the removal of a clone', () => {
  beforeAll(async () => {
    await scenario.claim('data', { fill: (root) => writeFile(path.join(root, 'f'), 'data') });
  });

  test('is one, also where Ceph is told to move what is removed to the trash', async () => {
    const before = await scenario.world();
    await scenario.cluster.ceph('config set client rbd_move_to_trash_on_remove true');
    try {
      const report = await scenario.run({ args: ['--pvc', 'demo/data'] });
      expect(report).toMatchObject({ code: 0, leftovers: [] });
    } finally {
      await scenario.cluster.ceph('config rm client rbd_move_to_trash_on_remove');
    }
    await expectCleanWorld(before, scenario.worldScope, 10_000);
  });

  test('asks for no object that was never written', async () => {
    const programs = new FaultyPrograms([], searchPath(), ['rbd']);
    expect(await scenario.run({ programs, args: ['--pvc', 'demo/data'] })).toMatchObject({ code: 0 });
    const clones = programs.calls().filter((call) => call.includes(' clone '));
    expect(clones).toEqual([
      expect.stringContaining('--image-feature layering,exclusive-lock,object-map,fast-diff'),
    ]);
  });

  test('that was killed in the middle is completed by the next run, also where it took the name away', async () => {
    const before = await scenario.world();
    const name = await ownName(1);
    const [image, clone] = [`${scenario.place}/slow`, `${scenario.place}/${name}`];
    // So many objects, for each of which Ceph is asked, that it takes as long as in a pool of slow disks.
    await scenario.cluster.rbd('create', '--size', '128M', '--object-size', '4K', image);
    await scenario.cluster.rbd('snap', 'create', '--no-progress', `${image}@${name}`);
    const features = ['--rbd-default-clone-format', '2', '--image-feature', 'layering,exclusive-lock'];
    await scenario.cluster.rbd('clone', ...features, `${image}@${name}`, clone);
    const removing = startDaemon('rbd', ['--conf', scenario.cluster.conf, 'rm', clone], {
      env: { PATH: searchPath() },
    });
    await waitFor('the name to be gone', 30_000, async () => {
      const { code } = await scenario.cluster.attempt('rbd', ['info', clone]);
      return code === 2;
    });
    process.kill(-removing.pid, 'SIGKILL');
    await removing.ended;
    // It finds it by its name, which is all that is left of it, and waits for as long as it makes progress.
    const swept = await scenario.cephbackup(['cleanup', '-o', 'json']);
    expect(swept.json).toMatchObject({
      removed: [{ kind: 'clone', name: clone }, { kind: 'snapshot' }],
      leftovers: [],
    });
    expect(swept.code).toBe(0);
    await scenario.cluster.rbd('rm', '--no-progress', image);
    await expectCleanWorld(before, scenario.worldScope, 10_000);
  });
});

describe('what else crashed runs, or somebody else, left', () => {
  const clone = ['clone', '--rbd-default-clone-format', '2'];

  test('a clone in the trash, one whose snapshot was removed under it, and one that has no parent yet', async () => {
    const before = await scenario.world();
    const image = `${scenario.place}/source`;
    await scenario.cluster.createImage(image, '8M');
    const [trashed, orphan, unborn, data] = [
      await ownName(11),
      await ownName(12),
      await ownName(13),
      await ownName(14),
    ];
    for (const name of [trashed, orphan]) {
      await scenario.cluster.rbd('snap', 'create', '--no-progress', `${image}@${name}`);
      await scenario.cluster.rbd(...clone, `${image}@${name}`, `${scenario.place}/${name}`);
    }
    await scenario.cluster.rbd('trash', 'mv', `${scenario.place}/${trashed}`);
    await scenario.cluster.rbd('snap', 'rm', '--no-progress', `${image}@${orphan}`);
    await scenario.cluster.createImage(`${scenario.place}/${unborn}`, '8M');
    await scenario.cluster.createImage(`${scenario.place}/${data}`, '8M');
    await scenario.cluster.rbd(
      'bench',
      '--io-type',
      'write',
      '--io-total',
      '4K',
      `${scenario.place}/${data}`,
    );
    const swept = await scenario.cephbackup(['cleanup', '-o', 'json']);
    expect(swept.json).toMatchObject({
      leftovers: [
        { kind: 'clone', name: `${scenario.place}/${data}`, reason: 'it has no parent, but data of its own' },
      ],
    });
    const { removed } = swept.json as { removed: { name: string }[] };
    for (const name of [trashed, orphan, unborn])
      expect(removed.map((one) => one.name)).toContainEqual(
        expect.stringContaining(`${scenario.place}/${name}`),
      );
    for (const rest of [data, 'source'])
      await scenario.cluster.rbd('rm', '--no-progress', `${scenario.place}/${rest}`);
    await expectCleanWorld(before, scenario.worldScope, 10_000);
  });
});

test('a volume whose image goes to the trash in the middle is freed of our snapshot', async () => {
  const claim = await scenario.claim('going', { volumeMode: 'Block', format: 'none', size: '16M' });
  await scenario.cluster.rbd('bench', '--io-type', 'write', '--io-total', '64K', claim.image);
  const trash = `rbd --conf ${scenario.cluster.conf} trash mv ${claim.image}`;
  const fault = { program: 'rbd', when: '*export-diff*', mode: 'then', command: trash, once: true } as const;
  const report = await scenario.run({
    faults: [fault],
    args: ['--pvc', 'demo/going', '--log-level', 'debug'],
  });
  expect(report.volume(claim)).toMatchObject({ outcome: 'succeeded', error: null });
  expect(report).toMatchObject({ code: 0, leftovers: [] });
  const [image] = (await scenario.cluster.json('rbd', ['trash', 'ls', scenario.place])) as { id: string }[];
  // Nothing of ours keeps it.
  await scenario.cluster.rbd('trash', 'rm', '--no-progress', `${scenario.place}/${image?.id ?? ''}`);
});

async function ownName(n: number): Promise<string> {
  return `cephbackup-${installationId(await scenario.clusterUid(), 'default', prefix)}-deadbeef-${n}`;
}
