import { asCephbackupError, CephbackupError } from '../errors/error.js';
import type { KubeApi, RequestOptions } from './api.js';
import { hasStatus } from './errors.js';
import { persistentVolumeClaimPath, persistentVolumePath } from './paths.js';
import type { PersistentVolume, PersistentVolumeClaim } from './types.js';

/** The volume to be annotated, and the claim that it must still belong to. */
export interface MarkTarget {
  /** Name of the PersistentVolume. */
  pv: string;
  /** UID of the claim that was backed up. */
  claimUid: string;
  /** Prefix of the annotations' keys, without the slash. */
  prefix: string;
}

/** `claim-gone`: the volume does not exist any more, or it belongs to another claim; nothing was written. */
export type MarkResult = 'marked' | 'claim-gone';

/** Annotations without their prefix; null removes one. */
type Changes = Record<string, string | null>;

interface Operation {
  op: 'test' | 'add' | 'remove';
  path: string;
  value?: unknown;
}

/** Where the caller names none. */
const defaultPatienceMs = 60_000;
/** Rounds of reading and patching, where somebody else changes the volume at the same time. */
const rounds = 5;

/**
 * Says on the volume that its claim has a backup. Times are RFC 3339, UTC.
 *
 * @throws CephbackupError PV_NOT_MARKED, whatever kept it from being written
 */
export async function markBackup(
  api: KubeApi,
  mark: MarkTarget & { lastBackup: string; snapshotId: string; attempt: string },
  options: RequestOptions = {},
): Promise<MarkResult> {
  const changes = {
    'last-backup': mark.lastBackup,
    'last-snapshot': mark.snapshotId,
    'last-backup-claim': mark.claimUid,
    'last-attempt': mark.attempt,
    'last-error': null,
  };
  try {
    return await annotate(api, mark, changes, options);
  } catch (thrown) {
    const { message, retryable } = asCephbackupError(thrown);
    throw new CephbackupError('PV_NOT_MARKED', message, { cause: thrown, retryable });
  }
}

/** Says on the volume that the last attempt failed; `code` is an error's code, and nothing else of it. @throws as KubeApi */
export function markFailure(
  api: KubeApi,
  mark: MarkTarget & { attempt: string; code: string },
  options: RequestOptions = {},
): Promise<MarkResult> {
  return annotate(api, mark, { 'last-attempt': mark.attempt, 'last-error': mark.code }, options);
}

/** Says on the volume that this backup of its claim was read and found sound, at `verified`. @throws as KubeApi */
export function markVerified(
  api: KubeApi,
  mark: MarkTarget & { verified: string; snapshotId: string },
  options: RequestOptions = {},
): Promise<MarkResult> {
  const changes = {
    'last-verified': mark.verified,
    'last-verified-snapshot': mark.snapshotId,
    'last-verified-claim': mark.claimUid,
  };
  return annotate(api, mark, changes, options);
}

/** Whether the claim is gone, or its volume is, or is another claim's by now. @throws as KubeApi */
export async function claimIsGone(
  api: KubeApi,
  claim: { namespace: string; name: string; claimUid: string; pv: string },
  options: RequestOptions = {},
): Promise<boolean> {
  const [found, volume] = await Promise.all([
    readIfAny<PersistentVolumeClaim>(api, persistentVolumeClaimPath(claim.namespace, claim.name), options),
    readIfAny<PersistentVolume>(api, persistentVolumePath(claim.pv), options),
  ]);
  return found?.metadata?.uid !== claim.claimUid || volume?.spec?.claimRef?.uid !== claim.claimUid;
}

/** One patch, which the server refuses as a whole if the volume belongs to another claim by then. */
async function annotate(
  api: KubeApi,
  { pv, claimUid, prefix }: MarkTarget,
  changes: Changes,
  options: RequestOptions,
): Promise<MarkResult> {
  const path = persistentVolumePath(pv);
  const guard: Operation = { op: 'test', path: '/spec/claimRef/uid', value: claimUid };
  const edits = Object.entries(changes).flatMap(([name, value]) => edit(`${prefix}/${name}`, value));
  const started = performance.now();
  const patienceMs = options.patienceMs ?? defaultPatienceMs;
  // One patience for all rounds together.
  const rest = () => ({ ...options, patienceMs: Math.max(0, patienceMs - (performance.now() - started)) });
  let first: Operation[] = [];
  for (let round = 1; ; round += 1) {
    try {
      const patch = [guard, ...first, ...edits];
      // Twice the same comes to the same.
      await api.patch(path, patch, 'application/json-patch+json', { ...rest(), repeatable: true });
      return 'marked';
    } catch (thrown) {
      if (hasStatus(thrown, 404)) return 'claim-gone';
      // 422: a test failed, or the volume has no annotations at all, to which one could be added.
      if (!hasStatus(thrown, 409, 422) || round >= rounds) throw thrown;
    }
    const volume = await readIfAny<PersistentVolume>(api, path, rest());
    if (volume?.spec?.claimRef?.uid !== claimUid) return 'claim-gone';
    first = volume.metadata?.annotations === undefined ? beginAnnotations(volume) : [];
  }
}

async function readIfAny<T extends PersistentVolume | PersistentVolumeClaim>(
  api: KubeApi,
  path: string,
  options: RequestOptions,
): Promise<T | null> {
  try {
    return await api.get<T>(path, options);
  } catch (thrown) {
    if (hasStatus(thrown, 404)) return null;
    throw thrown;
  }
}

/** An empty map would replace one that somebody made in the meantime, so it is bound to this version of the volume. */
function beginAnnotations({ metadata }: PersistentVolume): Operation[] {
  return [
    { op: 'test', path: '/metadata/resourceVersion', value: metadata?.resourceVersion },
    { op: 'add', path: '/metadata/annotations', value: {} },
  ];
}

function edit(key: string, value: string | null): Operation[] {
  const path = `/metadata/annotations/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  if (value !== null) return [{ op: 'add', path, value }];
  // What does not exist cannot be removed, so it is made to exist.
  return [
    { op: 'add', path, value: '' },
    { op: 'remove', path },
  ];
}
