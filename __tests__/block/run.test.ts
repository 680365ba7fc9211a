import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import type { Manifests } from '../../lib/repository/manifests.js';
import { attachImage } from '../../sandbox/ceph.js';
import { exportOf, replaceRbd, type RbdCase } from '../../sandbox/replaced-rbd.js';
import { attempt, run } from '../../sandbox/process.js';
import { cephbackupProgram, resticProgram, searchPath } from '../../sandbox/tools.js';
import { keepWriting } from '../../sandbox/workload/writer.js';
import { expectSound, virtualSizeOf } from '../qcow2/disk.js';
import { Random } from '../qcow2/random.js';
import { Scenario, type Report, type SeededClaim } from '../support/scenario.js';
import { atEnd, temporaryFolder } from '../support/temporary.js';
import { expectCleanWorld } from '../support/world.js';
import { fill } from './block-volume.js';
import { afterExport, type StreamFault } from './faulty-rbd.js';
import { startRestRepository } from './rest-repository.js';

const kib = 1024;
const mib = 1024 * kib;
const random = new Random(6);

let scenario: Scenario;
let folder: string;

beforeAll(async () => {
  [scenario, folder] = await Promise.all([Scenario.create({ standIn: true }), temporaryFolder('block-run')]);
});

/** A claim of kind `rbd-block` with `bytes` of random data in an image of `size` bytes. */
async function disk(namespace: string, name: string, bytes: number, size = 64 * mib): Promise<SeededClaim> {
  const claim = await scenario.claim(name, {
    namespace,
    format: 'none',
    volumeMode: 'Block',
    size: `${size}B`,
  });
  if (bytes > 0) {
    fill(scenario.cluster, claim.image, size, [{ offset: 4096, data: random.bytes(bytes) }]);
  }
  return claim;
}

interface BackUpOptions {
  cases?: readonly RbdCase[];
  /** A shell script that stands for restic. */
  restic?: string;
  args?: readonly string[];
  env?: Record<string, string>;
}

/** `cephbackup run` of one namespace, that must leave nothing behind. */
async function backUp(
  namespace: string,
  { cases = [], restic, args = [], env }: BackUpOptions = {},
): Promise<Report> {
  const programs = replaceRbd(path.join(folder, `${namespace}-programs`), cases);
  const script = path.join(programs, 'restic');
  if (restic !== undefined) {
    writeFileSync(script, restic);
    chmodSync(script, 0o755);
  }
  const before = await scenario.world();
  const report = await scenario.run({
    args: ['--namespace', namespace, ...args],
    env: { ...env, PATH: `${programs}:${searchPath()}` },
  });
  await expectCleanWorld(before, scenario.worldScope);
  expect(report.leftovers).toEqual([]);
  expect(report.exitCode).toBe(report.code);
  return report;
}

/** Outcome or error of each claim, by name. */
function outcomes({ volumes }: Report): Record<string, string> {
  return Object.fromEntries(volumes.map(({ pvc, outcome, error }) => [pvc, error?.code ?? outcome]));
}

/** No snapshot of the claim, no success marked on its volume. */
async function expectNoBackup(claim: SeededClaim, report: Report): Promise<void> {
  expect(report.volume(claim).snapshot).toBeNull();
  expect(await scenario.snapshots(claim)).toEqual([]);
  const marks = await scenario.annotations(claim);
  expect(marks).toHaveProperty('last-error', report.volume(claim).error?.code);
  expect(marks).not.toHaveProperty('last-backup');
  expect(marks).not.toHaveProperty('last-snapshot');
}

/** Restores with restic alone. Returns the path of the image, which QEMU finds sound. */
async function restored(claim: SeededClaim, report: Report): Promise<string> {
  const target = path.join(folder, claim.uid);
  await scenario.repository.restore(report.volume(claim).snapshot ?? '', target);
  const image = path.join(target, 'disk.qcow2');
  expectSound(image);
  return image;
}

/** With `qemu-img` alone. */
function asRaw(image: string): string {
  const raw = `${image}.raw`;
  execFileSync('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', image, raw]);
  return raw;
}

const vanishing = `"$real" "$@" | {
    head -c 1000000
    spec="\${@: -2:1}"
    "$real" "\${connection[@]}" bench --io-type write --io-size 4M --io-threads 4 --io-total 96M "\${spec%@*}" >&2
    "$real" "\${connection[@]}" snap rm --no-progress "$spec" >&2
    cat
  }
  exit "\${PIPESTATUS[0]}"`;

test('each fault of an export fails its own volume and no other', async () => {
  const faults: [StreamFault, string][] = [
    ['dies after 0 bytes', 'EXPORT_INVALID'],
    ['dies after 1 byte', 'EXPORT_INVALID'],
    ['dies after half', 'EXPORT_INVALID'],
    ['dies after all but one byte', 'EXPORT_INVALID'],
    ['ends without its end record', 'EXPORT_INVALID'],
    ['writes another record', 'EXPORT_INVALID'],
    ['writes all and fails', 'COMMAND_FAILED'],
  ];
  const expected: Record<string, string> = { neighbour: 'succeeded', vanishing: 'SNAPSHOT_VANISHED' };
  const cases: RbdCase[] = [];
  const doomed: SeededClaim[] = [];
  for (const [index, [fault, code]] of faults.entries()) {
    const claim = await disk('faults', `faulty-${index}`, mib);
    expected[claim.name] = code;
    cases.push([exportOf(claim.image), afterExport(fault)]);
    doomed.push(claim);
  }
  // Larger than what rbd reads ahead: its end is read when the snapshot is gone, and is not what it was.
  const gone = await disk('faults', 'vanishing', 95 * mib, 96 * mib);
  cases.push([exportOf(gone.image), vanishing]);
  const neighbour = await disk('faults', 'neighbour', mib);
  const report = await backUp('faults', { cases });
  expect(outcomes(report)).toEqual(expected);
  expect(report.exitCode).toBe(1);
  for (const claim of [...doomed, gone]) await expectNoBackup(claim, report);
  expect(await scenario.snapshots(neighbour)).toHaveLength(1);
  expect(await scenario.annotations(neighbour)).toHaveProperty('last-backup');

  // The next run, without the faults, ends as if they had never been; what did not change adds next to nothing.
  const next = await backUp('faults', { args: ['--pvc', 'faults/faulty-3', '--pvc', 'faults/neighbour'] });
  expect(next.exitCode).toBe(0);
  expect(next.volume(neighbour).bytesAdded).toBeLessThan(10_000);
  expect(await scenario.annotations(neighbour)).not.toHaveProperty('last-error');
});

test('a run of disks alone needs no privilege: neither a capability nor a device', async () => {
  const claim = await disk('plain', 'disk', mib);
  const powerless = ['--bounding-set=-all', '--inh-caps=-all', '--no-new-privs'];
  const program = [process.execPath, cephbackupProgram, 'run', '-o', 'json', '--namespace', 'plain'];
  const { code, stdout, stderr } = await attempt('setpriv', [...powerless, ...program], {
    env: scenario.environment(),
  });
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(stdout)).toMatchObject({ volumes: [{ uid: claim.uid, outcome: 'succeeded' }] });
  expect(await scenario.snapshots(claim)).toHaveLength(1);
});

test('restic that dies fails its volume; what ran below it dies with it', async () => {
  const victim = await disk('dying', 'victim', 2 * mib);
  const survivor = await disk('dying', 'survivor', 2 * mib);
  const report = await backUp('dying', {
    cases: [[exportOf(victim.image), 'exec sleep 60']],
    restic: `#!/bin/bash
case "$*" in backup*k8s-dying-nspvc-victim*)
  '${resticProgram}' "$@" & sleep 3; kill -KILL $!; wait $!; exit;;
esac
exec '${resticProgram}' "$@"
`,
  });
  expect(outcomes(report)).toEqual({ survivor: 'succeeded', victim: 'RESTIC_FAILED' });
  expect(report.exitCode).toBe(1);
  await expectNoBackup(victim, report);
  expect(await scenario.snapshots(survivor)).toHaveLength(1);
});

test('an upload that blocks ends at the deadline of its volume', async () => {
  const server = await startRestRepository();
  atEnd(() => server.close());
  const env = { ...scenario.repository.env, RESTIC_REPOSITORY: server.url };
  await run(resticProgram, ['init', '--quiet'], { env });
  const large = await disk('blocked', 'large', 40 * mib);
  await disk('blocked', 'small', 4 * kib);
  server.largestUpload = 4 * mib;
  const started = performance.now();
  const report = await backUp('blocked', { env, args: ['--volume-timeout', '12s'] });
  expect(performance.now() - started).toBeLessThan(120_000);
  expect(outcomes(report)).toEqual({ large: 'VOLUME_TIMEOUT', small: 'succeeded' });
  expect(report.exitCode).toBe(1);
  expect(report.volume(large).snapshot).toBeNull();
  expect(await scenario.annotations(large)).toHaveProperty('last-error', 'VOLUME_TIMEOUT');
  // The disk, the manifests, and the record of what was proven.
  expect(server.stored('/snapshots/')).toHaveLength(3);
  expect(server.stored('/locks/')).toEqual([]);

  server.largestUpload = null;
  expect((await backUp('blocked', { env, args: ['--pvc', 'blocked/large'] })).exitCode).toBe(0);
});

/** Blocks that are written one after the other, again and again: each time with a higher number. */
const blocks = { count: 64, apart: 256 * kib };

test('the disk is the snapshot, whatever happens to the image before and after it', async () => {
  const busy = await disk('living', 'busy', 0, blocks.count * blocks.apart);
  const resized = await disk('living', 'resized', 300_000, 1_000_001);
  const attached = await attachImage(scenario.cluster, busy.image);
  const device = await open(attached.path, 'r+');
  const marker = path.join(folder, 'export-begins');
  let writtenBefore = Number.MAX_SAFE_INTEGER;
  const write = async (count: number) => {
    if (existsSync(marker)) writtenBefore = Math.min(writtenBefore, count);
    const block = Buffer.alloc(8);
    block.writeBigUInt64BE(BigInt(count));
    await device.write(block, 0, 8, ((count - 1) % blocks.count) * blocks.apart);
    await device.sync();
  };
  for (let count = 1; count <= blocks.count; count++) await write(count);
  const writer = keepWriting(0, (count) => write(blocks.count + count));
  let report: Report;
  try {
    const resize = (size: number) =>
      `"$real" "\${connection[@]}" resize --no-progress --size ${size}B ${resized.image}`;
    report = await backUp('living', {
      cases: [
        [exportOf(busy.image), `sleep 2; touch '${marker}'; exec "$real" "$@"`],
        // The first size is what the manifests tell at first, the last that of the live image.
        [
          `*'snap create'*' ${resized.image}@'*`,
          `sleep 1; ${resize(2_000_001)}; "$real" "$@" && ${resize(3_000_001)}; exit`,
        ],
      ],
    });
  } finally {
    await writer.stop();
    await device.close();
    await attached.detach();
  }
  expect(outcomes(report)).toEqual({ busy: 'succeeded', resized: 'succeeded' });

  const raw = readFileSync(asRaw(await restored(busy, report)));
  const numbers = Array.from({ length: blocks.count }, (_, i) =>
    Number(raw.readBigUInt64BE(i * blocks.apart)),
  );
  const newest = Math.max(...numbers);
  // All that was written up to some moment, and nothing that was written later: one block after the other.
  const expected = Array.from({ length: blocks.count }, (_, i) => newest - i).toSorted(
    (a, b) => ((a - 1) % blocks.count) - ((b - 1) % blocks.count),
  );
  expect(numbers).toEqual(expected);
  expect(newest).toBeGreaterThan(blocks.count);
  // The moment was long before the export, while the image went on.
  expect(newest + 16).toBeLessThan(writtenBefore);
  expect(writer.count()).toBeGreaterThan(writtenBefore - blocks.count);

  // A size that is no multiple of a sector: QEMU cannot tell it, the manifests do.
  const image = await restored(resized, report);
  expect(virtualSizeOf(image, 'qcow2')).toBe(2_000_384);
  const newestManifests = await scenario.repository.restic(
    'dump',
    '--host=k8s-manifests',
    'latest',
    '/manifests.json',
  );
  const { claims } = JSON.parse(newestManifests) as Manifests;
  expect(claims.find(({ uid }) => uid === resized.uid)?.image).toMatchObject({ sizeBytes: 2_000_001 });
  expect(claims.find(({ uid }) => uid === busy.uid)?.image).toMatchObject({ sizeBytes: raw.length });
  const file = path.join(folder, 'exact.raw');
  const args = ['restore', 'living/resized', '--to-file', file, '--format', 'raw'];
  expect(await scenario.cephbackup(args)).toMatchObject({ code: 0 });
  expect(statSync(file).size).toBe(2_000_001);
  const converted = readFileSync(asRaw(image));
  expect(readFileSync(file).equals(converted.subarray(0, 2_000_001))).toBe(true);
});
