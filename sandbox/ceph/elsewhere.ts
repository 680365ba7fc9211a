import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { RunningCeph } from '../ceph.js';
import { checkout } from '../checkout.js';
import { Daemon } from '../process.js';
import { built, inUserland, userlands, type Userland } from '../vm/machine.js';
import { CephCluster } from './cluster.js';

/**
 * A Ceph of another Debian than this process has, for its clients: `forky`, or `forky:aes,aes256k` with the types of keys
 * that it takes.
 *
 * @param dir a folder of the checkout that does not exist yet
 */
export async function startCephElsewhere(which: string, dir: string): Promise<RunningCeph> {
  const { userland, types } = parseElsewhere(which);
  const alone = path.join(checkout, 'dist/sandbox/ceph/alone.js');
  const [program = '', ...args] = inUserland(userland, ['node', alone, dir, ...types]);
  const log = `${dir}.log`;
  const daemon = new Daemon(`Ceph of ${userland}`, program, args, log);
  const stop = async () => {
    await daemon.stop();
    await Promise.all([dir, log].map((place) => rm(place, { recursive: true, force: true })));
  };
  try {
    await daemon.until(async () => /^ready$/m.test(await readFile(log, 'utf8')), 120_000);
    return { cluster: await CephCluster.in(dir), stop };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}

/** `NAME` or `NAME:KEYTYPE,KEYTYPE`, of a userland that was built. */
export function parseElsewhere(which: string): { userland: Userland; types: string[] } {
  const [name, types = ''] = which.split(':');
  const userland = userlands.find((known) => known === name);
  if (userland === undefined || !existsSync(path.join(built(userland), 'complete')))
    throw new Error(`no userland ${which}: sandbox/vm/build.sh makes ${userlands.join(', ')}`);
  return { userland, types: types.split(',').filter((type) => type !== '') };
}
