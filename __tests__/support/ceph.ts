import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { CephCluster, startCeph } from '../../sandbox/ceph.js';
import { atEnd, temporaryFolder } from './temporary.js';

let cluster: Promise<CephCluster> | undefined;

/** The Ceph that `npm test` started for all test files; a test file that is run by itself gets one of its own. */
export function ceph(): Promise<CephCluster> {
  cluster ??= connectOrStart();
  return cluster;
}

async function connectOrStart(): Promise<CephCluster> {
  const shared = process.env.SANDBOX_CEPH;
  if (shared !== undefined) return CephCluster.in(shared);
  console.warn('SANDBOX_CEPH is not set: starting a Ceph for this test file alone (`npm test` shares one)');
  const own = await startCeph({ dir: path.join(await temporaryFolder('ceph'), 'ceph') });
  atEnd(() => own.stop());
  return own.cluster;
}

/** A RADOS namespace of the pool `rbd` for this test file alone, as `rbd/NAMESPACE`. */
export async function freshNamespace(): Promise<string> {
  const connected = await ceph();
  const namespace = `rbd/test-${randomBytes(4).toString('hex')}`;
  await connected.rbd('namespace', 'create', namespace);
  return namespace;
}

/** A pool for this test file alone; slower than a namespace, for tests that need the pool's own settings. */
export async function freshPool(options: Parameters<CephCluster['createPool']>[1] = {}): Promise<string> {
  const connected = await ceph();
  const pool = `test-${randomBytes(4).toString('hex')}`;
  await connected.createPool(pool, options);
  atEnd(() => connected.deletePool(pool));
  return pool;
}

/** The name of a group of subvolumes for this test file alone. */
export function freshGroup(): string {
  return `test-${randomBytes(4).toString('hex')}`;
}
