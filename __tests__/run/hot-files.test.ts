import { open, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { silent } from '../../lib/log/logger.js';
import { Redactor } from '../../lib/log/redactor.js';
import { createExec } from '../../lib/tools/process/exec.js';
import { hotSince, hotWindowMs, markHotFiles, newestChange } from '../../lib/volumes/rbd/hot-files.js';
import { formatImage, mountImage, whileMounted } from '../../sandbox/ceph.js';
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
    expect(await markHotFiles(exec, root, ctimeMs - hotWindowMs, { namespace })).toBe(1);
    expect((await stat(file)).ctimeMs).toBeGreaterThan(ctimeMs);
  });
});

test('the newest change is found among those that are later than the one that is known', async () => {
  const folder = await temporaryFolder('newest');
  await writeFile(path.join(folder, 'old'), '');
  const { ctimeMs: old } = await stat(path.join(folder, 'old'));
  await pause(20);
  await writeFile(path.join(folder, 'new'), '');
  const newest = Math.floor((await stat(path.join(folder, 'new'))).ctimeMs);
  const find = (known: number | null, until = Date.now()) =>
    newestChange(exec, folder, { known, until }, { namespace });
  expect(await find(null)).toBe(newest);
  expect(await find(Math.floor(old))).toBe(newest);
  expect(await find(newest)).toBe(newest);
  // What is dated after the snapshot tells nothing of the time.
  expect(await find(null, newest - 1)).toBeLessThan(newest);
  expect(await find(newest + 60_000)).toBe(newest + 60_000);
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
