import { open, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { silent } from '../../lib/log/logger.js';
import { Redactor } from '../../lib/log/redactor.js';
import { probeFilesystem } from '../../lib/tools/node/fsck.js';
import { createExec } from '../../lib/tools/process/exec.js';
import { findChanges, hotSince, hotWindowMs, markHotFiles } from '../../lib/volumes/rbd/hot-files.js';
import { formatImage, mountImage, whileMounted } from '../../sandbox/ceph.js';
import { run } from '../../sandbox/process.js';
import { searchPath } from '../../sandbox/tools.js';
import { FaultyPrograms } from '../support/faults.js';
import { Scenario } from '../support/scenario.js';
import { temporaryFolder } from '../support/temporary.js';

let scenario: Scenario;

beforeAll(async () => {
  scenario = await Scenario.create({ standIn: true });
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

const hourMs = 3_600_000;

/** Moves the clock of the program, and the API's, beside which that of the node that writes is behind. */
function clockAhead(ms: number): Record<string, string> {
  scenario.faults.clockSkew = ms;
  const moved = `const now = Date.now; Date.now = () => now() + ${ms};`;
  return ms === 0 ? {} : { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(moved)}` };
}

const cases = [
  ['ext4', 0],
  ['xfs', 0],
  ['ext4', 2 * hourMs],
] as const;

describe.each(cases)('%s that is written to by a node whose clock is %i ms behind', (type, behind) => {
  test('what was not written out at one snapshot is in the next backup, although its times are the same', async () => {
    const claim = await scenario.claim(`hot-${type}-${behind}`, { format: type, fsType: type, size: '400M' });
    const mounted = await mountImage(scenario.cluster, claim.image, type);
    const { path: root } = mounted;
    const env = { ...clockAhead(behind), CEPHBACKUP_PVC: `demo/${claim.name}` };
    const backUp = async () => {
      const report = await scenario.run({ env });
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
      clockAhead(0);
    }
  });
});

const exec = createExec({ env: { PATH: process.env.PATH ?? '' }, log: silent, redactor: new Redactor() });
const namespace = { pid: process.pid };

test('where times are whole seconds, a file that was changed in this one has another time all the same', async () => {
  const image = `${scenario.place}/whole-seconds`;
  await scenario.cluster.createImage(image, '64M');
  await formatImage(scenario.cluster, image, 'ext4', ['-I', '128']);
  await whileMounted(mountImage(scenario.cluster, image, 'ext4'), async (root) => {
    const file = path.join(root, 'file');
    await pause(1_000 - (Date.now() % 1_000));
    await writeFile(file, 'x');
    const { ctimeMs } = await stat(file);
    expect(ctimeMs % 1_000).toBe(0);
    const hot = { since: ctimeMs - hotWindowMs, wholeSeconds: true };
    expect(await markHotFiles(exec, root, hot, { namespace })).toBe(1);
    expect((await stat(file)).ctimeMs).toBeGreaterThan(ctimeMs);
  });
});

test.each([
  ['ext4', ['-I', '128'], true],
  ['ext4', ['-I', '256'], false],
  ['ext2', ['-r', '0'], true],
  ['ext3', [], false],
  ['ext2', ['-I', '512'], false],
  ['xfs', [], false],
])(
  'a superblock says whether times may be whole seconds: %s made with %j: %j',
  async (type, options, whole) => {
    const file = path.join(await temporaryFolder('superblock'), 'device');
    await writeFile(file, '');
    await truncate(file, 400 * 1024 ** 2);
    await run(`mkfs.${type}`, ['-q', ...options, file]);
    const { wholeSeconds } = await probeFilesystem(exec, file, { namespace });
    expect(wholeSeconds).toBe(whole);
  },
);

test.each([
  ['parts of a second', '256', 2],
  ['whole seconds', '128', 3],
])('a volume in use is walked as often as it must be: %s', async (_, inodeBytes, walksWhereHot) => {
  const claim = await scenario.claim(`walks-${inodeBytes}`, { format: 'none' });
  await formatImage(scenario.cluster, claim.image, 'ext4', ['-I', inodeBytes]);
  // Two hours after the last change nothing is hot but what was not known before.
  const env = { ...clockAhead(2 * hourMs), CEPHBACKUP_PVC: `demo/${claim.name}` };
  const walks = async () => {
    const programs = new FaultyPrograms([], searchPath(), ['find']);
    const report = await scenario.run({ env, programs });
    expect(report.volume(claim).error).toBeNull();
    return programs.calls().filter((call) => / (-newerct|%C@)/.test(call)).length;
  };
  try {
    await whileMounted(mountImage(scenario.cluster, claim.image, 'ext4'), async (root) => {
      await commitTimes(root, '1');
      expect(await walks()).toBe(walksWhereHot);
      expect(await walks()).toBe(1);
    });
  } finally {
    clockAhead(0);
  }
});

test('the newest change is found among those that are later than the one that is known', async () => {
  const folder = await temporaryFolder('newest');
  await writeFile(path.join(folder, 'old'), '');
  const { ctimeMs: old } = await stat(path.join(folder, 'old'));
  await pause(20);
  await writeFile(path.join(folder, 'new'), '');
  const newest = Math.floor((await stat(path.join(folder, 'new'))).ctimeMs);
  const find = (known: number | null, until = Date.now()) =>
    findChanges(exec, folder, { known, until }, { namespace });
  expect(await find(null)).toEqual({ newest, latest: newest });
  expect(await find(Math.floor(old))).toEqual({ newest, latest: newest });
  expect(await find(newest)).toEqual({ newest, latest: newest });
  // What is dated after the snapshot tells nothing of the writer's clock, but is there.
  const before = await find(null, newest - 1);
  expect(before.newest).toBeLessThan(newest);
  expect(before.latest).toBe(newest);
  expect(await find(newest + 60_000)).toEqual({ newest: newest + 60_000, latest: newest + 60_000 });
});

test.each([
  ['of a right clock', 100, 99, 50, 99],
  ['of a clock that is ahead', 100, 100, 50, 100],
  ['of a clock that is behind', 100, 10, 5, 10],
  ['nothing is known of the previous backup', 100, 10, null, 10],
  ['nothing changed since', 100, 10, 10, 100],
  ['nothing is there', 100, null, null, 100],
])(
  'hot is what was changed within an hour before the newest change: %s',
  (_, taken, newest, previous, by) => {
    const question = { taken: taken * hourMs, newest: newest && newest * hourMs };
    const since = hotSince({ ...question, previousNewest: previous && previous * hourMs });
    expect(since).toBe(by * hourMs - hotWindowMs);
  },
);
