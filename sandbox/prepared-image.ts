import process from 'node:process';
import type { PlannedVolume } from '../lib/plan/types.js';
import { silent } from '../lib/log/logger.js';
import { Redactor } from '../lib/log/redactor.js';
import { Scope } from '../lib/ownership/scope.js';
import { childEnvironment } from '../lib/tools/process/environment.js';
import { createExec } from '../lib/tools/process/exec.js';
import { imageSpec } from '../lib/tools/rbd/image-spec.js';
import { Rbd } from '../lib/tools/rbd/images.js';
import type { StreamSource } from '../lib/repository/source.js';
import { RbdBlockDriver } from '../lib/volumes/block/driver.js';
import type { CephCluster } from './ceph.js';
import { cephbackupProgram } from './tools.js';

/** A prepared backup of one image: the snapshot is there, the producer not started. */
export interface Prepared {
  /** The snapshot's name. */
  name: string;
  source: StreamSource;
  scope: Scope;
}

let count = 0;

/**
 * Prepares a backup of `POOL[/NAMESPACE]/IMAGE`, as a run would.
 * @param searchPath instead of PATH
 * @param stalledMs instead of the driver's own
 */
export async function prepare(
  cluster: CephCluster,
  image: string,
  { searchPath = process.env.PATH ?? '', stalledMs }: { searchPath?: string; stalledMs?: number } = {},
): Promise<Prepared> {
  const env: NodeJS.ProcessEnv = { ...process.env, PATH: searchPath };
  const exec = createExec({ env: childEnvironment(env), log: silent, redactor: new Redactor() });
  const rbd = new Rbd(exec, { conf: cluster.conf, user: null, keyring: null, monitors: null });
  const parts = image.split('/');
  const spec = imageSpec(parts[0] ?? '', parts.length === 3 ? (parts[1] ?? '') : null, parts.at(-1) ?? '');
  const driver = new RbdBlockDriver({
    locate: () => Promise.resolve({ rbd, image: spec, cluster: null }),
    producer: [process.execPath, cephbackupProgram, 'internal-export-image'],
    temporary: env.TMPDIR ?? '/tmp',
    ...(stalledMs === undefined ? {} : { stalledMs }),
  });
  const scope = new Scope('node', silent);
  const name = `cephbackup-test-${process.pid}-${++count}`;
  const ignore = () => undefined;
  try {
    const source = await driver.prepare({
      volume: {} as PlannedVolume,
      name,
      scope,
      signal: new AbortController().signal,
      log: silent,
      step: ignore,
      warn: ignore,
      pointInTime: () => 0,
      takeSnapshot: async (ask) => ask(Date.now, new AbortController().signal).then(Date.now),
      shares: true,
      failedLast: false,
      parent: () => Promise.resolve(null),
    });
    return { name, source, scope };
  } catch (thrown) {
    await scope.release();
    throw thrown;
  }
}
