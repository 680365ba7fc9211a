import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { silent } from '../../../lib/log/logger.js';
import { Redactor } from '../../../lib/log/redactor.js';
import { Scope } from '../../../lib/ownership/scope.js';
import type { PlannedVolume } from '../../../lib/plan/types.js';
import { nothingExcluded } from '../../../lib/repository/excludes.js';
import type { Attempt } from '../../../lib/run/volume/attempt.js';
import { save } from '../../../lib/run/volume/save.js';
import { startDaemon, type StartDaemon } from '../../../lib/tools/process/daemon.js';
import { childEnvironment } from '../../../lib/tools/process/environment.js';
import { createExec } from '../../../lib/tools/process/exec.js';
import { imageSpec } from '../../../lib/tools/rbd/image-spec.js';
import { Rbd } from '../../../lib/tools/rbd/images.js';
import { Restic } from '../../../lib/tools/restic/restic.js';
import { RbdBlockDriver } from '../../../lib/volumes/block/driver.js';
import { serveViewCommand } from '../../../lib/volumes/block/internal-command.js';
import { SegmentsDriver } from '../../../lib/volumes/block/segments/driver.js';
import { fuse } from '../../../lib/volumes/mappers/fuse.js';
import { cephbackupProgram } from '../../../sandbox/tools.js';
import { ceph, freshNamespace } from '../../support/ceph.js';
import { freshRepository } from '../../support/repository.js';
import { qemuIo } from '../block-volume.js';

// librbd answers nothing, and does not end when it is told to; or it is gone.
test.each([
  [
    'gives nothing any more',
    'SIGSTOP',
    'EXPORT_STALLED',
    /^the mapped clone: nothing came for 0\.05 minutes, at byte \d+ of the disk$/,
  ],
  ['is gone', 'SIGKILL', 'VIEW_FAILED', /^the view of the disk: the clone cannot be read: /],
] as const)(
  'a mapped clone that %s fails the volume, and nothing of it is left',
  async (_, signalOfMapper, code, message) => {
    const [cluster, place, repository] = await Promise.all([ceph(), freshNamespace(), freshRepository()]);
    const image = `${place}/disk`;
    await cluster.createImage(image, '16M');
    qemuIo(cluster, image, 'write -P 1 0 12M');
    const env = childEnvironment({ ...process.env, ...repository.env });
    const exec = createExec({ env, log: silent, redactor: new Redactor() });
    const rbd = new Rbd(exec, { conf: cluster.conf, user: null, keyring: null, monitors: null });
    const restic = new Restic(exec, { ...env, ...repository.env }, { upload: null, download: null });
    const locate = () =>
      Promise.resolve({ rbd, image: imageSpec('rbd', place.split('/')[1] ?? '', 'disk'), cluster: null });
    const started = new Map<string, number>();
    const starting: StartDaemon = (program, args, options) => {
      const daemon = startDaemon(program, args, options);
      const all = [program, ...args].join(' ');
      started.set(all.includes('qemu-storage-daemon') ? 'mapper' : all, daemon.pid);
      return daemon;
    };
    const tools = { exec, startDaemon: starting, env, locate };
    const driver = new SegmentsDriver({
      ...tools,
      mapper: fuse(tools),
      restic,
      server: [process.execPath, cephbackupProgram, serveViewCommand],
      stream: new RbdBlockDriver({ locate, producer: [], temporary: '/tmp' }),
      fullEveryMs: 0,
      stalledMs: 3_000,
    });
    const scope = new Scope('node', silent);
    const ignore = () => undefined;
    const { signal } = new AbortController();
    const source = await driver.prepare({
      volume: { details: null } as unknown as PlannedVolume,
      name: 'cephbackup-00000000-11111111-1',
      scope,
      signal,
      log: silent,
      step: ignore,
      warn: ignore,
      pointInTime: () => 0,
      takeSnapshot: async (ask) => ask(Date.now, signal).then(Date.now),
      shares: true,
      failedLast: false,
      parent: () => Promise.resolve(null),
    });
    process.kill(-(started.get('mapper') ?? NaN), signalOfMapper);
    const strays: string[] = [];
    const attempt = {
      tools: { exec, restic, temporary: '/tmp' },
      volume: { host: 'tests' },
      time: Date.now(),
      activity: { reached: ignore },
      warn: ignore,
      stray: (id: string) => strays.push(id),
      log: silent,
    } as unknown as Attempt;
    const saved = save(attempt, { source, tags: ['uid=1'], rules: nothingExcluded, parent: null }, signal);
    await expect(saved).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    // For as long as Ceph remembers the mapper, which had to be killed, its clone cannot be removed.
    const left = await scope.release();
    expect(left.map(({ kind }) => kind)).toEqual(['clone', 'snapshot']);
    while ((await scope.release()).length > 0) await sleep(1000);
    // restic is stopped at its first error; where it was faster, what it saved is told.
    expect((await repository.snapshots()).map(({ id }) => id)).toEqual(strays);
    expect(await cluster.rbd('ls', place)).toBe('disk\n');
    expect(await cluster.json('rbd', ['snap', 'ls', image])).toEqual([]);
    for (const pid of started.values()) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  },
  300_000,
);
