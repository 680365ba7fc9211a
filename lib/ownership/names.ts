import { createHash } from 'node:crypto';

/** Who this program is to a cluster: 8 hex digits that tell one installation's objects in Ceph from another's. */
export function installationId(clusterUid: string, leaseNamespace: string, annotationPrefix: string): string {
  const identity = `${clusterUid}/${leaseNamespace}/${annotationPrefix}`;
  return createHash('sha256').update(identity).digest('hex').slice(0, 8);
}

/** The name of a volume's snapshot and clone; `n` is unique within the run, over all shards. */
export function objectName(installation: string, run: string, n: number): string {
  return `cephbackup-${installation}-${run}-${n}`;
}

/**
 * The name of an image that a drill restores to. It has no parent by which it could be told from somebody else's, so that
 * its name alone says that it may go.
 */
export function scratchName(installation: string, run: string, n: number): string {
  return `${objectName(installation, run, n)}-scratch`;
}

export function isScratchName(name: string): boolean {
  return ownerOf(name) !== null && name.endsWith('-scratch');
}

/** The name of the snapshot that a backup was made of, and that the next one is compared with. */
export function baseName(installation: string, resticSnapshot: string): string {
  return `cephbackup-${installation}-base-${resticSnapshot.slice(0, 16)}`;
}

/** The installation that a base belongs to, or null where the name is not a base's. */
export function baseOwner(name: string): string | null {
  return /^cephbackup-([0-9a-f]{8})-base-[0-9a-f]{16}$/.exec(name)?.[1] ?? null;
}

export interface ObjectOwner {
  installation: string;
  run: string;
}

/** Whose an object is, or null where its name is not one of this program's. */
export function ownerOf(name: string): ObjectOwner | null {
  const match = /^cephbackup-([0-9a-f]{8})-([0-9a-f]{8})-\d+(-scratch)?$/.exec(name);
  return match?.[1] === undefined || match[2] === undefined
    ? null
    : { installation: match[1], run: match[2] };
}

/** The name of one of this program's objects in a text that tells of it, e.g. `pool/image@NAME (id 3)`; null where there is none. */
export function ownNameIn(text: string): string | null {
  const names = text.match(/cephbackup-[0-9a-f]{8}-(base-[0-9a-f]{16}|[0-9a-f]{8}-\d+(-scratch)?)/g);
  return names?.at(-1) ?? null;
}

/** More volumes than one member of a run ever backs up. */
const numbersPerMember = 1_000_000;

/** Numbers for `objectName`: 1, 2, 3 … for the run's first member, and others for each further one. */
export function* objectNumbers(ordinal: number): Generator<number, never> {
  for (let n = ordinal * numbersPerMember + 1; ; n += 1) yield n;
}
