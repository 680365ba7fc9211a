import { CephbackupError } from '../errors/error.js';
import type { Ceph } from '../tools/ceph/ceph.js';
import { asObject, parseJson } from '../tools/process/json.js';
import type { ImageSpec } from '../tools/rbd/image-spec.js';
import type { Rbd } from '../tools/rbd/images.js';

/**
 * Refuses to write more into a pool than it has room for. Ceph does not fail writes to a full pool: it lets them wait
 * for ever, and every other writer of the pool with them.
 *
 * @throws CephbackupError TARGET_FULL, CEPH_…
 */
async function requireRoom(
  ceph: Ceph,
  pool: string,
  bytes: number,
  signal: AbortSignal,
  usage: Promise<PoolUsage>,
): Promise<void> {
  const free = await freeBytes(ceph, pool, signal, usage);
  if (free === null || bytes <= free) return;
  throw new CephbackupError(
    'TARGET_FULL',
    `the pool ${pool} has room for ${free} bytes, ${bytes} are needed`,
  );
}

/** The same for the pool that holds an image's data. @throws CephbackupError TARGET_FULL, CEPH_… */
export async function requireRoomOfImage(
  { rbd, ceph }: { rbd: Rbd; ceph: Ceph },
  image: ImageSpec,
  bytes: number,
  signal: AbortSignal,
  usage: Promise<PoolUsage> = poolUsage(ceph, signal),
): Promise<void> {
  const { data_pool: pool } = await rbd.info(image, { signal });
  await requireRoom(ceph, typeof pool === 'string' ? pool : image.pool, bytes, signal, usage);
}

/** What `ceph df` says of each pool. */
export type PoolUsage = Record<string, unknown>[];

/** Asked for before it is known of which pool: `ceph` takes a while. @throws CephbackupError CEPH_… */
export function poolUsage(ceph: Ceph, signal: AbortSignal): Promise<PoolUsage> {
  const usage = ceph.json(['df'], { signal }).then((text) => {
    const { pools } = asObject(parseJson(text, 'ceph df'), 'ceph df');
    return Array.isArray(pools) ? pools.map((one) => asObject(one, 'ceph df')) : [];
  });
  // Whoever needs it hears of it.
  usage.catch(() => undefined);
  return usage;
}

/** What a pool still takes, by its space and its quota; null where Ceph does not say. Bytes of data, not of copies. */
async function freeBytes(
  ceph: Ceph,
  pool: string,
  signal: AbortSignal,
  usage: Promise<PoolUsage>,
): Promise<number | null> {
  const [found, quota] = await Promise.all([
    usage,
    ceph.json(['osd', 'pool', 'get-quota', pool], { signal }),
  ]);
  const { stats } = found.find(({ name }) => name === pool) ?? {};
  const { max_avail: available, stored } = (stats ?? {}) as Record<string, unknown>;
  const { quota_max_bytes: most } = asObject(parseJson(quota, 'ceph osd pool get-quota'), 'get-quota');
  const limits = [
    ...(typeof available === 'number' ? [available] : []),
    // A pool that was made a moment ago has a quota, and no statistics yet: nothing is in it.
    ...(typeof most === 'number' && most > 0
      ? [Math.max(0, most - (typeof stored === 'number' ? stored : 0))]
      : []),
  ];
  return limits.length === 0 ? null : Math.min(...limits);
}
