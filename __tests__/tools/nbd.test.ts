import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { silent } from '../../lib/log/logger.js';
import { Redactor } from '../../lib/log/redactor.js';
import { Scope } from '../../lib/ownership/scope.js';
import { startDaemon } from '../../lib/tools/process/daemon.js';
import { childEnvironment } from '../../lib/tools/process/environment.js';
import { createExec } from '../../lib/tools/process/exec.js';
import { Rbd } from '../../lib/tools/rbd/images.js';
import { nbd } from '../../lib/volumes/mappers/nbd.js';
import { searchPath } from '../../sandbox/tools.js';
import { atEnd, temporaryFolder } from '../support/temporary.js';

test('an rbd-nbd that does not map is not waited for by a volume that is to end, and dies with it', async () => {
  const folder = await temporaryFolder('nbd');
  const program = path.join(folder, 'rbd-nbd');
  await writeFile(program, '#!/bin/sh\nexec sleep 1000\n');
  await chmod(program, 0o755);
  const env = childEnvironment({ PATH: `${folder}:${searchPath()}` });
  const exec = createExec({ env, log: silent, redactor: new Redactor() });
  const rbd = new Rbd(exec, { conf: null, user: null, keyring: null, monitors: null });
  const scope = new Scope('node', silent);
  const stop = new AbortController();
  const pids: number[] = [];
  const mapped = nbd({
    exec,
    env,
    startDaemon: (...request) => {
      const daemon = startDaemon(...request);
      pids.push(daemon.pid);
      // Where the test fails, too: jest would wait for it.
      atEnd(() => daemon.stop());
      setTimeout(() => {
        stop.abort(new Error('told to end'));
      }, 100);
      return daemon;
    },
  }).map({
    image: { pool: 'p', namespace: null, image: 'i' },
    rbd,
    namespace: { pid: process.pid },
    scope,
    cluster: null,
    signal: stop.signal,
    log: silent,
    mapOptions: [],
  } as never);
  // By itself it would take a minute, and another reason.
  await expect(mapped).rejects.toThrow('told to end');
  expect(await scope.release()).toEqual([]);
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
}, 120_000);
