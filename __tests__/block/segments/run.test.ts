import path from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { run } from '../../../sandbox/process.js';
import { Random } from '../../qcow2/random.js';
import { freshPool } from '../../support/ceph.js';
import type { SeededClaim } from '../../support/scenario.js';
import { Rig } from './rig.js';

const mib = 1024 ** 2;

let rig: Rig;

beforeAll(async () => {
  rig = await Rig.create();
});

/** Restores into files and a new image, and verifies: each as the base has it. */
async function expectRestores({ namespace, name, image }: SeededClaim, snapshot: string): Promise<void> {
  const [base = ''] = await rig.bases({ image });
  const at = (file: string) => path.join(rig.folder, file);
  const restored = `${rig.scenario.place}/restored-${snapshot.slice(0, 8)}`;
  const restore = async (...target: string[]) => {
    const result = await rig.scenario.cephbackup(['restore', `${namespace}/${name}`, ...target]);
    if (result.code !== 0) throw new Error(`restore ${target.join(' ')}: ${result.stderr}`);
  };
  await restore('--to-file', at('disk.raw'), '--format', 'raw');
  await restore('--to-file', at('disk.qcow2'));
  await restore('--to-image', restored);
  await run('qemu-img', ['check', '-q', '-f', 'qcow2', at('disk.qcow2')]);
  await run('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', at('disk.qcow2'), at('converted')]);
  await rig.scenario.cluster.rbd('export', '--no-progress', `${image}@${base}`, at('exported'));
  await rig.scenario.cluster.rbd('export', '--no-progress', restored, at('image'));
  for (const file of ['disk.raw', 'converted', 'image']) await run('cmp', [at('exported'), at(file)]);
  const verified = await rig.scenario.cephbackup(['verify', `${namespace}/${name}`]);
  if (verified.code !== 0) throw new Error(`verify: ${verified.stderr}`);
}

test('what changed is read, and nothing else; every backup equals its snapshot', async () => {
  const claim = await rig.disk('history', 64 * mib);
  rig.io(claim, 'write -P 1 0 9M', 'write -P 2 33M 64k');

  const first = await rig.backUp('history');
  expect(first).toMatchObject({ outcome: 'succeeded', base: 'first', bytesRead: 16 * mib });
  await rig.expectEqualToBase(claim, first.snapshot ?? '');

  const idle = await rig.backUp('history');
  expect(idle).toMatchObject({
    outcome: 'unchanged',
    base: 'used',
    bytesRead: 0,
    bytesAdded: expect.any(Number),
  });
  await rig.expectEqualToBase(claim, idle.snapshot ?? '');

  rig.io(claim, 'write -P 3 5M 4k', 'write -P 3 61M 4k', 'discard 32M 4M');
  const changed = await rig.backUp('history');
  expect(changed).toMatchObject({ outcome: 'succeeded', base: 'used', bytesRead: 8 * mib });
  await rig.expectEqualToBase(claim, changed.snapshot ?? '');

  await expectRestores(claim, changed.snapshot ?? '');

  // Somebody removes the base: everything is read.
  await rig.scenario.cluster.rbd('snap', 'purge', '--no-progress', claim.image);
  const all = await rig.backUp('history');
  expect(all).toMatchObject({ outcome: 'succeeded', base: 'no-base', bytesRead: 16 * mib });
  await rig.expectEqualToBase(claim, all.snapshot ?? '');

  // Without the option, nothing stays in Ceph.
  const streamed = await rig.backUp('history', []);
  expect(streamed.base).toBeUndefined();
  expect(await rig.snapshotNames(claim)).toEqual([]);
  expect((await rig.backUp('history')).base).toBe('format');
}, 300_000);

test('random histories', async () => {
  const seed = Number(process.env.SEGMENTS_SEED ?? Math.floor(Math.random() * 1e6));
  const steps = Number(process.env.SEGMENTS_STEPS ?? 4);
  console.log(`seed ${seed}, ${steps} steps`);
  const random = new Random(seed);
  const [object, namespace] = [2 ** random.integer(16, 23), `random-${seed}`];
  let size = 48 * mib;
  const claim = await rig.disk(namespace, size);
  await rig.scenario.cluster.rbd('rm', '--no-progress', claim.image);
  const pooled = random.integer(0, 1) === 0 ? [] : ['--data-pool', await freshPool()];
  await rig.scenario.cluster.createImage(claim.image, size, ['--object-size', `${object}B`, ...pooled]);
  for (let step = 0; step < steps; step++) {
    const action = random.integer(0, 9);
    if (action === 0) size = random.integer(1, 128) * mib - random.integer(0, 3) * 512;
    if (action === 0)
      await rig.scenario.cluster.attempt('rbd', [
        'resize',
        '--allow-shrink',
        '--no-progress',
        '--size',
        `${size}B`,
        claim.image,
      ]);
    const commands = Array.from({ length: random.integer(0, 4) }, () => {
      const length = Math.min(size, random.integer(1, 2 ** random.integer(0, 13)) * 512);
      const end = random.integer(0, 1) === 0 ? object : 512;
      const offset = Math.max(0, Math.floor(random.integer(length, size) / end) * end - length);
      const what = ['discard', 'discard', 'write -z', `write -P ${random.integer(1, 255)}`];
      return `${what[random.integer(0, 3)] ?? ''} ${offset} ${length}`;
    });
    if (action === 1)
      await rig.scenario.cluster.rbd('snap', 'create', '--no-progress', `${claim.image}@other-${step}`);
    if (commands.length > 0) rig.io(claim, ...commands);
    const [base] = await rig.bases(claim);
    if (action === 2 && base !== undefined) {
      await rig.scenario.cluster.rbd('snap', 'rollback', '--no-progress', `${claim.image}@${base}`);
      const info = JSON.parse(await rig.scenario.cluster.rbd('info', '--format', 'json', claim.image)) as {
        size: number;
      };
      size = info.size;
    }
    if (action === 3 && base !== undefined)
      await rig.scenario.cluster.rbd(
        'snap',
        'rename',
        `${claim.image}@${base}`,
        `${claim.image}@mine-${step}`,
      );
    const backup = await rig.backUp(namespace);
    console.log(step, action, commands.join('; '), backup.outcome, backup.base, backup.bytesRead);
    await rig.expectEqualToBase(claim, backup.snapshot ?? '');
  }
}, 3_600_000);
