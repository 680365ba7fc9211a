import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { doctorOptions } from '../../lib/commands/doctor/options.js';
import { resolveOptions } from '../../lib/cli/options.js';
import { doctor } from '../../lib/commands/doctor/doctor.js';
import type { DoctorReport } from '../../lib/commands/doctor/table.js';
import { silent } from '../../lib/log/logger.js';
import { logView } from '../../lib/log/progress/view.js';
import { Redactor } from '../../lib/log/redactor.js';
import { childEnvironment } from '../../lib/tools/process/environment.js';
import { Waits } from '../../lib/waiting/waits.js';
import { createExec } from '../../lib/tools/process/exec.js';
import { waitFor } from '../../sandbox/process.js';
import type { Repository } from '../../sandbox/repository.js';
import { resticProgram, searchPath } from '../../sandbox/tools.js';
import { makeBed, type Bed } from './bed.js';

/** `doctor` within this process, on a node whose clock is wrong by so many milliseconds. */
async function examineWith(bed: Bed, ahead: number): Promise<DoctorReport> {
  const env = { PATH: searchPath(), HOME: bed.folder, ...bed.env };
  const redactor = new Redactor();
  const { document } = await doctor({
    options: resolveOptions(doctorOptions, {}, env).values,
    operands: [],
    env,
    stdin: Readable.from([]),
    hostname: 'node',
    root: true,
    signal: new AbortController().signal,
    endedBy: () => null,
    clock: () => Date.now() + ahead,
    log: silent,
    redactor,
    waits: new Waits(silent),
    exec: createExec({ env: childEnvironment(env), log: silent, redactor }),
    tell: () => undefined,
    progress: () => logView(silent),
  });
  return document as DoctorReport;
}

/** An exclusive lock of a restic that is dead. */
async function leaveLock(repository: Repository, folder: string): Promise<number> {
  const file = path.join(folder, 'random');
  writeFileSync(file, randomBytes(300_000));
  await repository.restic('backup', '--quiet', file);
  // So slow that it does not end before it is killed.
  const args = ['check', '--read-data', '--limit-download', '1'];
  const restic = spawn(resticProgram, args, { env: { ...process.env, ...repository.env }, stdio: 'ignore' });
  await waitFor('the lock', 60_000, async () => (await repository.locks()).length > 0);
  restic.kill('SIGKILL');
  await once(restic, 'exit');
  return restic.pid ?? 0;
}

test('wrong clocks and stale locks are named', async () => {
  const bed = await makeBed();
  const pid = await leaveLock(bed.repository, bed.folder);
  const ofNow = await examineWith(bed, 0);
  expect(ofNow.checks.filter(({ name }) => name === 'repository-locks')).toMatchObject([
    { status: 'warning', message: expect.stringContaining(`locked exclusively by process ${pid} on `) },
  ]);
  expect(ofNow.checks.filter(({ status }) => status !== 'ok').map(({ name }) => name)).toEqual([
    'repository-locks',
  ]);

  const later = await examineWith(bed, 40 * 60_000);
  expect(later.checks.filter(({ status }) => status !== 'ok')).toMatchObject([
    {
      name: 'clock-kubernetes',
      status: 'failed',
      message: expect.stringMatching(/this clock is (2399|24\d\d) s ahead of/),
      fix: expect.stringContaining('chronyc'),
    },
    {
      name: 'repository-locks',
      status: 'failed',
      message: expect.stringContaining('stale, no run can back up'),
      fix: expect.stringMatching(/once no restic runs on \S+: `restic unlock` on a machine of another name/),
    },
    { name: 'clock-ceph', status: 'failed', message: expect.stringMatching(/differ by (2[34]\d\d) s/) },
  ]);
  expect(
    (await examineWith(bed, -10 * 60_000)).checks.find(({ name }) => name === 'clock-kubernetes'),
  ).toMatchObject({
    status: 'failed',
    message: expect.stringMatching(/(600|59\d) s behind/),
  });
  // Neither a lock nor a cache of its own was made.
  expect(await bed.repository.locks()).toHaveLength(1);
});
