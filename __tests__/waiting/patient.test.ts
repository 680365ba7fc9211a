import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { CephbackupError } from '../../lib/errors/error.js';
import { silent } from '../../lib/log/logger.js';
import { Redactor } from '../../lib/log/redactor.js';
import { createExec, type CommandOptions } from '../../lib/tools/process/exec.js';
import { patientExec } from '../../lib/tools/process/patient.js';
import { Ceph } from '../../lib/tools/ceph/ceph.js';
import { CephFs } from '../../lib/tools/ceph/fs.js';
import { Rbd } from '../../lib/tools/rbd/images.js';
import { Restic } from '../../lib/tools/restic/restic.js';
import { Waits } from '../../lib/waiting/waits.js';

/** Programs of this shell text on PATH; `n` in it is the number of the call. */
function rig(programs: Record<string, string>) {
  const folder = mkdtempSync(path.join(tmpdir(), 'cephbackup-patient-'));
  const counter = path.join(folder, 'count');
  for (const [name, text] of Object.entries(programs)) {
    const lines = ['#!/bin/bash', `echo "$*" >> ${counter}`, `n=$(wc -l < ${counter})`, text, ''];
    writeFileSync(path.join(folder, name), lines.join('\n'), { mode: 0o755 });
  }
  const waits = new Waits(silent);
  const PATH = `${folder}:${process.env.PATH ?? ''}`;
  const once = createExec({ env: { PATH }, log: silent, redactor: new Redactor() });
  const exec = patientExec(once, waits, () => ({ patienceMs: 30_000, intervalMs: 1, longestIntervalMs: 1 }));
  return { exec, waits, env: { PATH } };
}

const connection = { conf: null, user: null, keyring: null, monitors: null };
const image = { pool: 'p', namespace: null, image: 'i' };
const clone = { pool: 'p', namespace: null, image: 'c' };
const options: CommandOptions = { deadlineMs: 10_000, patience: {} };
const fsMap = (state: string) =>
  JSON.stringify({ filesystems: [{ id: 1, mdsmap: { fs_name: 'a', in: [0], info: { x: { state } } } }] });
const busy = 'echo "rbd: error: image still has watchers" >&2; exit 16';

describe('a command whose answer passes by itself', () => {
  test('is tried again, and that is told once', async () => {
    const { exec, waits } = rig({ rbd: `[ $n -le 3 ] && { ${busy}; }; echo done` });
    const result = await exec('rbd', ['rm', 'p/c'], options);
    expect(result).toMatchObject({ exitCode: 0, stdout: 'done\n', attempts: 4 });
    expect(waits.warnings()).toEqual([
      expect.stringMatching(/^waited \d+ s: a client that is gone.*still has watchers/),
    ]);
  });

  test('is tried once where it may not be repeated, or where there is no patience', async () => {
    const { exec, waits } = rig({ rbd: busy });
    expect(await exec('rbd', [], { deadlineMs: 10_000 })).toMatchObject({ exitCode: 16 });
    expect(await exec('rbd', [], { deadlineMs: 10_000, patience: { patienceMs: 0 } })).toMatchObject({
      attempts: 1,
    });
    expect(waits.warnings()).toEqual([]);
  });

  test('gives the last answer when patience ends', async () => {
    const { exec } = rig({ rbd: `[ $n -ge 4 ] && { echo other >&2; exit 5; }; ${busy}` });
    expect(await exec('rbd', [], options)).toMatchObject({ exitCode: 5, stderr: 'other\n' });
  });

  test('that dies is started three times at most', async () => {
    const { exec } = rig({ rbd: 'kill -ABRT $$' });
    let attempts = 0;
    const running = exec('rbd', ['ls'], { ...options, beforeAttempt: () => (attempts += 1) });
    await expect(running).rejects.toThrow(/was killed by SIGABRT/);
    expect(attempts).toBe(3);
  });

  test('ends with its signal', async () => {
    const { exec } = rig({ rbd: busy });
    const abort = new AbortController();
    const running = exec('rbd', [], {
      ...options,
      patience: { intervalMs: 60_000, longestIntervalMs: 60_000 },
      signal: abort.signal,
    });
    setTimeout(() => {
      abort.abort(new Error('stopped'));
    }, 300);
    await expect(running).rejects.toThrow('stopped');
  });
});

describe('what has an effect, and is taken for failed after it', () => {
  const late = 'echo "rbd: timed out" >&2; exit 110';

  test('a snapshot that the second attempt finds is the first one’s', async () => {
    const { exec } = rig({ rbd: `[ $n -eq 1 ] && { ${late}; }; echo "File exists" >&2; exit 17` });
    expect(await new Rbd(exec, connection).snapshots.create(image, 's')).toBe(1);
  });

  test('a snapshot that the second attempt makes is its own', async () => {
    const { exec } = rig({ rbd: `[ $n -eq 1 ] && { ${late}; }; exit 0` });
    expect(await new Rbd(exec, connection).snapshots.create(image, 's')).toBe(2);
  });

  test('a snapshot that the first attempt finds is somebody else’s', async () => {
    const { exec } = rig({ rbd: 'echo "File exists" >&2; exit 17' });
    await expect(new Rbd(exec, connection).snapshots.create(image, 's')).rejects.toMatchObject({
      code: 'SNAPSHOT_FAILED',
    });
  });

  test('a clone that is there is taken only if it has its parent; half of one is made anew', async () => {
    const exists = 'echo "File exists" >&2; exit 17';
    const parent = '{"parent":{"pool":"p","image":"i","snapshot":"s"}}';
    const whole = rig({
      rbd: `case "$*" in *" clone "*) [ $n -eq 1 ] && { ${late}; }; ${exists};; *info*) echo '${parent}';; *) exit 5;; esac`,
    });
    await new Rbd(whole.exec, connection).clone(image, 's', clone, {
      features: ['layering'],
      dataPool: null,
    });
    const half = rig({
      rbd: `case "$*" in *" clone "*) [ $n -eq 1 ] && { ${late}; }; [ -e "$0.rm" ] || { ${exists}; };; *info*) echo '{}';; *" rm "*) touch "$0.rm";; esac`,
    });
    await new Rbd(half.exec, connection).clone(image, 's', clone, { features: ['layering'], dataPool: null });
  });
});

describe('restic tries again by itself', () => {
  const retry = 'echo "Stat(<config/>) returned error, retrying after 1s: connect: connection refused" >&2';

  test('which is told, and ends when it has helped', async () => {
    const { exec, waits, env } = rig({
      restic: `${retry}; echo "Stat(<config/>) operation successful after 1 retries" >&2; echo '[]'`,
    });
    expect(await new Restic(exec, env, { upload: null, download: null }).snapshots([])).toEqual([]);
    expect(waits.warnings()).toEqual([expect.stringContaining('connection refused')]);
  });

  test('and a query that is not answered in its time is told by the last reason', async () => {
    const { exec, env } = rig({
      restic: `${retry}; trap 'echo context canceled >&2; exit 1' TERM; sleep 100 & wait`,
    });
    const restic = new Restic(exec, env, { upload: null, download: null });
    const error = (await restic
      .snapshots([], { deadlineMs: 1_000 })
      .catch((thrown: unknown) => thrown)) as CephbackupError;
    expect(error).toMatchObject({ code: 'REPOSITORY_UNREACHABLE', kind: 'unusable' });
    expect(error.message).toBe('restic snapshots: connect: connection refused');
  });
});

describe('a filesystem whose metadata server fails over', () => {
  const dumps = `[ $n -le 4 ] && echo '${fsMap('up:replay')}' || echo '${fsMap('up:active')}'`;

  test('is waited for, once for all volumes that need it', async () => {
    const { exec, waits } = rig({ ceph: dumps });
    const cephFs = new CephFs(exec, new Ceph(exec, connection));
    expect(await Promise.all([1, 2, 3].map(() => cephFs.available('a')))).toEqual([true, true, true]);
    expect(waits.warnings()).toEqual([
      expect.stringMatching(/^waited \d+ s: the filesystem a has no metadata server that is active: /),
    ]);
  });

  test('and does not come back is waited for in vain once, and then looked at', async () => {
    const { exec } = rig({ ceph: dumps });
    const cephFs = new CephFs(
      (program, args, given) =>
        exec(
          program,
          args,
          given.patience === undefined ? given : { ...given, patience: { ...given.patience, patienceMs: 0 } },
        ),
      new Ceph(exec, connection),
    );
    // Each of the first two asks twice at most: the third sees that it is there again.
    expect([await cephFs.available('a'), await cephFs.available('a')]).toEqual([false, false]);
    expect([await cephFs.available('a'), await cephFs.available('a')]).toEqual([false, true]);
  });
});
