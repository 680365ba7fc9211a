import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { run } from '../../../sandbox/process.js';
import { resticProgram } from '../../../sandbox/tools.js';
import { Random } from '../../qcow2/random.js';
import { Scenario, type Report, type SeededClaim } from '../../support/scenario.js';
import { temporaryFolder } from '../../support/temporary.js';
import { qemuIo } from '../block-volume.js';

const mib = 1024 ** 2;

let scenario: Scenario;
let folder: string;

beforeAll(async () => {
  [scenario, folder] = await Promise.all([Scenario.create({ standIn: true }), temporaryFolder('segments')]);
});

async function disk(namespace: string, sizeBytes: number): Promise<SeededClaim> {
  return scenario.claim('disk', { namespace, format: 'none', volumeMode: 'Block', size: `${sizeBytes}B` });
}

async function backUp(namespace: string, ...args: string[]): Promise<Report['volumes'][number]> {
  const report = await scenario.run({ args: ['--namespace', namespace, ...args] });
  const [volume] = report.volumes;
  if (volume === undefined || report.leftovers.length > 0) throw new Error(JSON.stringify(report));
  expect([volume.error, report.exitCode]).toEqual([null, 0]);
  return volume;
}

async function snapshotNames({ image }: SeededClaim): Promise<string[]> {
  const listed = JSON.parse(await scenario.cluster.rbd('snap', 'ls', '--format', 'json', image)) as {
    name: string;
  }[];
  return listed.map(({ name }) => name);
}

/** Restores by hand, as docs/formats.md says, and compares with what the base has. */
async function expectEqualToBase(claim: SeededClaim, snapshot: string): Promise<void> {
  const [base = ''] = (await snapshotNames(claim)).filter((name) => name.includes('-base-'));
  expect(base).toMatch(new RegExp(`^cephbackup-[0-9a-f]{8}-base-${snapshot.slice(0, 16)}$`));
  const target = path.join(folder, snapshot);
  await mkdir(target);
  await run(resticProgram, ['restore', snapshot, '--target', target], { env: scenario.repository.env });
  const byHand = `
    read -r _ size segment <<EOF
$(tr -c '0-9\\n' ' ' <disk.d/image.json)
EOF
    truncate -s "$size" disk.raw
    for file in disk.d/*/*; do
      [ -e "$file" ] || continue
      dd if="$file" of=disk.raw bs="$segment" seek=$((0x\${file##*/})) conv=notrunc,sparse status=none
    done`;
  await run('sh', ['-ec', byHand], { cwd: target });
  await scenario.cluster.rbd(
    'export',
    '--no-progress',
    `${claim.image}@${base}`,
    path.join(target, 'exported'),
  );
  await run('cmp', ['disk.raw', 'exported'], { cwd: target });
  await rm(target, { recursive: true });
}

/** Restores into files and a new image, and verifies: each as the base has it. */
async function expectRestores({ namespace, name, image }: SeededClaim, snapshot: string): Promise<void> {
  const [base = ''] = (await snapshotNames({ image } as SeededClaim)).filter((one) => one.includes('-base-'));
  const at = (file: string) => path.join(folder, file);
  const restored = `${scenario.place}/restored-${snapshot.slice(0, 8)}`;
  const restore = async (...target: string[]) => {
    const result = await scenario.cephbackup(['restore', `${namespace}/${name}`, ...target]);
    if (result.code !== 0) throw new Error(`restore ${target.join(' ')}: ${result.stderr}`);
  };
  await restore('--to-file', at('disk.raw'), '--format', 'raw');
  await restore('--to-file', at('disk.qcow2'));
  await restore('--to-image', restored);
  await run('qemu-img', ['check', '-q', '-f', 'qcow2', at('disk.qcow2')]);
  await run('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', at('disk.qcow2'), at('converted')]);
  await scenario.cluster.rbd('export', '--no-progress', `${image}@${base}`, at('exported'));
  await scenario.cluster.rbd('export', '--no-progress', restored, at('image'));
  for (const file of ['disk.raw', 'converted', 'image']) await run('cmp', [at('exported'), at(file)]);
  const verified = await scenario.cephbackup(['verify', `${namespace}/${name}`]);
  if (verified.code !== 0) throw new Error(`verify: ${verified.stderr}`);
}

test('what changed is read, and nothing else; every backup equals its snapshot', async () => {
  const claim = await disk('history', 64 * mib);
  const io = (...commands: string[]) => {
    qemuIo(scenario.cluster, claim.image, ...commands);
  };
  io('write -P 1 0 9M', 'write -P 2 33M 64k');

  const first = await backUp('history', '--keep-base');
  expect(first).toMatchObject({ outcome: 'succeeded', base: 'first', bytesRead: 16 * mib });
  await expectEqualToBase(claim, first.snapshot ?? '');

  const idle = await backUp('history', '--keep-base');
  expect(idle).toMatchObject({
    outcome: 'unchanged',
    base: 'used',
    bytesRead: 0,
    bytesAdded: expect.any(Number),
  });
  await expectEqualToBase(claim, idle.snapshot ?? '');

  io('write -P 3 5M 4k', 'write -P 3 61M 4k', 'discard 32M 4M');
  const changed = await backUp('history', '--keep-base');
  expect(changed).toMatchObject({ outcome: 'succeeded', base: 'used', bytesRead: 8 * mib });
  await expectEqualToBase(claim, changed.snapshot ?? '');

  await expectRestores(claim, changed.snapshot ?? '');

  // Somebody removes the base: everything is read.
  await scenario.cluster.rbd('snap', 'purge', '--no-progress', claim.image);
  const all = await backUp('history', '--keep-base');
  expect(all).toMatchObject({ outcome: 'succeeded', base: 'no-base', bytesRead: 16 * mib });
  await expectEqualToBase(claim, all.snapshot ?? '');

  // Without the option, nothing stays in Ceph.
  const streamed = await backUp('history');
  expect(streamed.base).toBeUndefined();
  expect(await snapshotNames(claim)).toEqual([]);
  expect((await backUp('history', '--keep-base')).base).toBe('format');
}, 300_000);

test('random histories', async () => {
  const seed = Number(process.env.SEGMENTS_SEED ?? Math.floor(Math.random() * 1e6));
  const steps = Number(process.env.SEGMENTS_STEPS ?? 4);
  console.log(`seed ${seed}, ${steps} steps`);
  const random = new Random(seed);
  const [object, namespace] = [2 ** random.integer(16, 23), `random-${seed}`];
  let size = 48 * mib;
  const claim = await disk(namespace, size);
  await scenario.cluster.rbd('rm', '--no-progress', claim.image);
  await scenario.cluster.createImage(claim.image, size, ['--object-size', `${object}B`]);
  for (let step = 0; step < steps; step++) {
    const action = random.integer(0, 9);
    if (action === 0) size = random.integer(1, 128) * mib - random.integer(0, 3) * 512;
    if (action === 0)
      await scenario.cluster.attempt('rbd', [
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
      await scenario.cluster.rbd('snap', 'create', '--no-progress', `${claim.image}@other-${step}`);
    if (commands.length > 0) qemuIo(scenario.cluster, claim.image, ...commands);
    const [base] = (await snapshotNames(claim)).filter((name) => name.includes('-base-'));
    if (action === 2 && base !== undefined) {
      await scenario.cluster.rbd('snap', 'rollback', '--no-progress', `${claim.image}@${base}`);
      const info = JSON.parse(await scenario.cluster.rbd('info', '--format', 'json', claim.image)) as {
        size: number;
      };
      size = info.size;
    }
    if (action === 3 && base !== undefined)
      await scenario.cluster.rbd('snap', 'rename', `${claim.image}@${base}`, `${claim.image}@mine-${step}`);
    const backup = await backUp(namespace, '--keep-base');
    console.log(step, action, commands.join('; '), backup.outcome, backup.base, backup.bytesRead);
    await expectEqualToBase(claim, backup.snapshot ?? '');
  }
}, 3_600_000);
