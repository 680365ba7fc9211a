import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { CephCluster } from '../../sandbox/ceph.js';
import { expectEqual } from '../qcow2/disk.js';
import { Random } from '../qcow2/random.js';
import { ceph, freshNamespace } from '../support/ceph.js';
import { FaultyPrograms } from '../support/faults.js';
import { temporaryFolder } from '../support/temporary.js';
import { prepare, type Prepared } from '../../sandbox/prepared-image.js';
import { fill, produce, producerError, qemuIo, startProducer } from './block-volume.js';
import { exportOf, replaceRbd } from '../../sandbox/replaced-rbd.js';
import { faultyRbd, streamFaults, type StreamFault } from './faulty-rbd.js';

const mib = 1024 * 1024;
const random = new Random(5);

let cluster: CephCluster;
let pool: string;
let folder: string;

beforeAll(async () => {
  cluster = await ceph();
  pool = await freshNamespace();
  folder = await temporaryFolder('producer');
});

describe('the producer fails, and says why', () => {
  let image: string;
  let prepared: Prepared;
  beforeAll(async () => {
    image = `${pool}/faulty`;
    await cluster.createImage(image, '20M');
    fill(cluster, image, 20 * mib, [
      { offset: 5000, data: random.bytes(3 * mib) },
      { offset: 12 * mib, data: random.bytes(2 * mib) },
    ]);
    prepared = await prepare(cluster, image);
  });

  test.each(Object.keys(streamFaults) as StreamFault[])('where rbd %s', async (fault) => {
    const own = path.join(folder, fault.replaceAll(' ', '-'));
    const searchPath = `${faultyRbd(own, { [image]: fault })}:${process.env.PATH ?? ''}`;
    const code = fault === 'writes all and fails' ? 'COMMAND_FAILED' : 'EXPORT_INVALID';
    await expect(produce(prepared, own, { searchPath })).rejects.toMatchObject({ code });
  });

  test('only because of the fault', async () => {
    await expect(produce(prepared, folder)).resolves.toBeDefined();
  });

  test.each([
    ['the last look at its snapshot', '*snap ls*'],
    ['the export, before it has given anything', '*export-diff*'],
  ])('but not where a monitor does not answer for a moment: %s', async (_, when) => {
    const away = { exitCode: 110, stderr: 'rbd: (110) Connection timed out', times: 2 };
    const faults = new FaultyPrograms([{ program: 'rbd', when, mode: 'fail', ...away }]);
    await expect(produce(prepared, folder, { searchPath: faults.path })).resolves.toBeDefined();
    expect(faults.hits).toBe(2);
  });

  test.each(['garbage', 'truncate'] as const)(
    'where the last look at its snapshot has no sense: %s',
    async (mode) => {
      const faults = new FaultyPrograms([{ program: 'rbd', when: '*snap ls*', mode }]);
      const produced = produce(prepared, folder, { searchPath: faults.path });
      await expect(produced).rejects.toMatchObject({ code: 'COMMAND_OUTPUT_INVALID' });
    },
  );

  test('where rbd stands still; not where it does so once at its beginning, nor where its reader is slow', async () => {
    // Real exports begin within it on any machine; all cases wait at the same time.
    const stalledMs = 40_000;
    const started = async (name: string, command: string) => {
      const own = path.join(folder, `still-${name.replaceAll(' ', '-')}`);
      const searchPath = `${replaceRbd(own, [[exportOf(image), command]])}:${process.env.PATH ?? ''}`;
      const patient = await prepare(cluster, image, { stalledMs });
      return { own, patient, searchPath };
    };
    const stops = async (name: string, command: string, message: RegExp) => {
      const { own, patient, searchPath } = await started(name, command);
      await expect(produce(patient, own, { searchPath })).rejects.toMatchObject({
        code: 'EXPORT_STALLED',
        message: expect.stringMatching(message),
      });
      expect(await patient.scope.release()).toEqual([]);
    };
    const after = (bytes: string) => `head -c ${bytes} < <("$real" "$@"); exec sleep 300`;
    await Promise.all([
      stops('at once', after('0'), /after 0 of \d+ bytes/),
      stops('in the middle', after('2000000'), /after 1\d{6} of \d+ bytes/),
      stops('before its last byte', after('-1'), /after (\d+) of \1 bytes/),
      stops('at its end', '"$real" "$@"; exec >&-; exec sleep 300', /after (\d+) of \1 bytes/),
      (async () => {
        const once = '[ -e "$0.again" ] && exec "$real" "$@"; touch "$0.again"; exec sleep 300';
        const { own, patient, searchPath } = await started('once', once);
        const file = await produce(patient, own, { searchPath });
        const raw = path.join(own, 'disk.raw');
        await cluster.rbd('export', '--no-progress', `${image}@${patient.name}`, raw);
        expectEqual(raw, file);
        expect(await patient.scope.release()).toEqual([]);
      })(),
      (async () => {
        const patient = await prepare(cluster, image, { stalledMs });
        const { child, ended } = startProducer(patient.source, 'pipe');
        await sleep(1.5 * stalledMs);
        child.stdout?.resume();
        expect((await ended).code).toBe(0);
        expect(await patient.scope.release()).toEqual([]);
      })(),
    ]);
  });

  test('killed while its pipe is being made, it leaves nothing', async () => {
    const temporary = await temporaryFolder('killed');
    const faults = new FaultyPrograms([{ program: 'mkfifo', when: '*', mode: 'hang' }]);
    const { child, ended } = startProducer(prepared.source, 'pipe', { searchPath: faults.path, temporary });
    while (faults.hits === 0) await sleep(20);
    child.kill('SIGKILL');
    await ended;
    expect(readdirSync(temporary)).toEqual([]);
  });

  test('where the plan is gone', async () => {
    expect(await prepared.scope.release()).toEqual([]);
    await expect(produce(prepared, folder)).rejects.toMatchObject({ code: 'INTERNAL' });
  });
});

test('a snapshot that is removed while it is read is no backup', async () => {
  const image = `${pool}/vanishing`;
  await cluster.createImage(image, '128M');
  fill(cluster, image, 128 * mib, [{ offset: 0, data: Buffer.alloc(128 * mib, 'data') }]);
  const prepared = await prepare(cluster, image);
  const { child, ended } = startProducer(prepared.source, 'pipe');
  let length = 0;
  let zeros = 0;
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    if (length < mib && length + chunk.length >= mib) {
      qemuIo(cluster, image, 'write -P 1 0 128M');
      await cluster.rbd('snap', 'rm', '--no-progress', `${image}@${prepared.name}`);
    }
    length += chunk.length;
    if (chunk.every((byte) => byte === 0)) zeros += chunk.length;
  }
  const { code, stderr } = await ended;
  // rbd itself saw nothing wrong: all that was announced came, most of it as zeros.
  expect(length).toBe(prepared.source.length);
  expect(zeros).toBeGreaterThan(40 * mib);
  expect(code).toBe(1);
  expect(producerError(stderr)).toMatchObject({ code: 'SNAPSHOT_VANISHED' });
  expect(await prepared.scope.release()).toEqual([]);
});

test('a snapshot that was replaced by one of the same name is no backup', async () => {
  const image = `${pool}/replaced`;
  await cluster.createImage(image, '20M');
  qemuIo(cluster, image, 'write -P 1 0 4M');
  const prepared = await prepare(cluster, image);
  const spec = `${image}@${prepared.name}`;
  await cluster.rbd('snap', 'rm', '--no-progress', spec);
  await cluster.rbd('snap', 'create', '--no-progress', spec);
  await expect(produce(prepared, folder)).rejects.toMatchObject({ code: 'SNAPSHOT_VANISHED' });
  expect(await prepared.scope.release()).toEqual([]);
});

test('an image that is written to all the time is the snapshot, not the live image', async () => {
  const image = `${pool}/busy`;
  await cluster.createImage(image, '64M');
  fill(cluster, image, 64 * mib, [{ offset: 0, data: random.bytes(64 * mib) }]);
  const bench = [
    'bench',
    '--io-type',
    'write',
    '--io-size',
    '64K',
    '--io-pattern',
    'rand',
    '--io-total',
    '100G',
    image,
  ];
  const writer = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'rbd', ...bench], {
    env: { ...process.env, ...cluster.env },
    stdio: 'ignore',
  });
  try {
    const prepared = await prepare(cluster, image);
    const own = path.join(folder, 'busy');
    mkdirSync(own);
    const file = await produce(prepared, own);
    const raw = path.join(own, 'disk.raw');
    const live = path.join(own, 'live.raw');
    await cluster.rbd('export', '--no-progress', `${image}@${prepared.name}`, raw);
    await cluster.rbd('export', '--no-progress', image, live);
    expect(writer.exitCode).toBeNull();
    expectEqual(raw, file);
    expect(() => execFileSync('cmp', ['--silent', raw, live])).toThrow();
    expect(await prepared.scope.release()).toEqual([]);
  } finally {
    writer.kill('SIGKILL');
    await once(writer, 'close');
  }
});

test('a reader that goes away ends the producer and rbd', async () => {
  const image = `${pool}/vanishing`;
  const prepared = await prepare(cluster, image);
  const { child, ended } = startProducer(prepared.source, 'pipe');
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  child.stdout?.destroy();
  expect((await ended).code).toBe(1);
  expect(await prepared.scope.release()).toEqual([]);
});
