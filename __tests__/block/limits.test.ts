import { describe, expect, test } from '@jest/globals';
import { silent } from '../../lib/log/logger.js';
import { Scope } from '../../lib/ownership/scope.js';
import type { Exec } from '../../lib/tools/process/exec.js';
import { Rbd } from '../../lib/tools/rbd/images.js';
import { RbdBlockDriver } from '../../lib/volumes/block/driver.js';
import { readPlanFile } from '../../lib/volumes/block/plan-file.js';
import { endless, minuteMs, whereLimitsLet, type Lasting } from '../support/lasting.js';
import { temporaryFolder } from '../support/temporary.js';

const mib = 1024 * 1024;
const tib = mib * mib;
const objectSize = 4 * mib;
const image = { pool: 'p', namespace: null, image: 'i' };

interface Disk {
  size: number;
  /** Where it has data. */
  offsets: number[];
  /** How long it takes to list that: all is said at the end, as rbd does. */
  listing?: Lasting;
}

/** What is planned for the export of a disk. */
async function plan({ size, offsets, listing = { silentMs: 0, times: 1 } }: Disk) {
  const listed = offsets.map((offset) => ({ offset, length: objectSize, exists: 'true' }));
  const exec: Exec = async (_, args, options) => {
    await options.beforeAttempt?.();
    expect(args).toContain('diff');
    const result = whereLimitsLet(listing, options);
    options.onStdout?.(Buffer.from(JSON.stringify(listed)), () => undefined);
    return result;
  };
  const rbd = new Rbd(exec, { conf: '/x', user: null, keyring: null, monitors: null });
  const driver = new RbdBlockDriver({
    locate: () => Promise.reject(new Error('it is here')),
    producer: ['producer'],
    temporary: await temporaryFolder('plans'),
  });
  const scope = new Scope('node', silent);
  const job = { name: 's', scope, signal: new AbortController().signal };
  const facts = { size, objectSize, fastDiff: false };
  const taken = { rbd, image, imageId: 'id', cluster: null, snapshotId: 4, facts, snapshots: [] };
  try {
    const { command } = await driver.stream(job as never, taken);
    return readPlanFile(command.at(-1) ?? '');
  } finally {
    await scope.release();
  }
}

describe('the list of what a disk has', () => {
  test('is waited for as long as a slow cluster takes: 10 TiB without an object map were seen to take an hour', async () => {
    const listing = { silentMs: 61 * minuteMs, times: 1 };
    expect((await plan({ size: 10 * tib, offsets: [0], listing })).extents.count).toBe(1);
    // Nor is a small one given up after a moment.
    await plan({ size: mib, offsets: [], listing: { silentMs: 9 * minuteMs, times: 1 } });
  });

  test.each([mib, 10 * tib])('is given up where it never comes, of a disk of %d bytes', async (size) => {
    await expect(plan({ size, offsets: [0], listing: endless })).rejects.toMatchObject({
      code: 'COMMAND_TIMEOUT',
    });
  });
});

describe('an export is ended after 20 minutes without a byte', () => {
  const limit = async (disk: Disk) => (await plan(disk)).silenceMs / minuteMs;

  test.each([8 * mib, 40 * 1024 * mib])('however large it is: %d bytes', async (size) => {
    const offsets = Array.from({ length: size / objectSize }, (_, i) => i * objectSize);
    expect(await limit({ size, offsets })).toBe(20);
  });

  test('and where it has to ask for what is not there, later by what that takes', async () => {
    const minutes = await limit({ size: 10 * tib, offsets: [0, 10 * tib - objectSize] });
    // Ten objects are asked for at a time; a disk under load answers after 100 to 200 ms.
    const objects = (10 * tib) / objectSize;
    expect(minutes).toBeGreaterThan(20 + (objects / 10) * (100 / minuteMs));
    expect(minutes).toBeLessThan(20 + (objects / 10) * (400 / minuteMs));
  });
});
