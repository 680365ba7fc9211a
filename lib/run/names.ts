import { createHash, randomBytes } from 'node:crypto';

/** Who this program is to a cluster: 8 hex digits that tell one installation's objects in Ceph from another's. */
export function installationId(clusterUid: string, leaseNamespace: string, annotationPrefix: string): string {
  const identity = `${clusterUid}/${leaseNamespace}/${annotationPrefix}`;
  return createHash('sha256').update(identity).digest('hex').slice(0, 8);
}

export function newRunId(): string {
  return randomBytes(4).toString('hex');
}

/** The name of a volume's snapshot and clone; `n` is unique within the run, over all shards. */
export function objectName(installation: string, run: string, n: number): string {
  return `cephbackup-${installation}-${run}-${n}`;
}

export interface ObjectOwner {
  installation: string;
  run: string;
}

/** Whose an object is, or null where its name is not one of this program's. */
export function ownerOf(name: string): ObjectOwner | null {
  const match = /^cephbackup-([0-9a-f]{8})-([0-9a-f]{8})-\d+$/.exec(name);
  return match?.[1] === undefined || match[2] === undefined
    ? null
    : { installation: match[1], run: match[2] };
}

/** Numbers for `objectName`: shard I of N counts I + 1, I + 1 + N, …; `start` keeps a restarted shard off its old names. */
export function* objectNumbers(shard: { index: number; count: number } | null, start = 0): Generator<number> {
  const { index, count } = shard ?? { index: 0, count: 1 };
  for (let n = start; ; n += 1) yield n * count + index + 1;
}
