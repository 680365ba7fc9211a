import type { EpochMs } from '../log/time.js';
import { CephbackupError, messageOf } from '../errors/error.js';
import { manifestsFile, manifestsHost, type ClaimManifest, type Manifests } from './manifests.js';
import { tagValue } from './tags.js';
import { allBytes } from '../tools/process/flow.js';
import type { Restic } from '../tools/restic/restic.js';
import type { ResticSnapshot } from '../tools/restic/snapshot.js';

/** A snapshot that holds the manifests of a run. */
export interface SavedManifests {
  id: string;
  time: EpochMs;
  cluster: string;
}

export interface FoundManifest {
  /** Where it was found. */
  saved: SavedManifests;
  claim: ClaimManifest;
}

export function savedManifests(snapshots: readonly ResticSnapshot[]): SavedManifests[] {
  return snapshots.flatMap(({ id, time, hostname, tags }) => {
    const cluster = tagValue(tags, 'cluster');
    const isOne = hostname === manifestsHost && tagValue(tags, 'kind') === 'manifests';
    return isOne && cluster !== null ? [{ id, time: Date.parse(time), cluster }] : [];
  });
}

/**
 * Those that the run of a backup of this time saved come first: a run dates its manifests shortly before its first backup,
 * and those that it saves again for a resized image with that backup's own time. So the last ones before count most, then
 * the first ones after.
 */
export function nearestFirst(saved: readonly SavedManifests[], time: number): SavedManifests[] {
  const before = saved.filter((one) => one.time <= time);
  const after = saved.filter((one) => one.time > time);
  return [...newestFirst(before), ...newestFirst(after).toReversed()];
}

export function newestFirst(saved: readonly SavedManifests[]): SavedManifests[] {
  return saved.toSorted((a, b) => b.time - a.time);
}

/** A run that was narrowed saves the manifests of its own claims alone, so that the first ones may lack a claim. */
export const mostRuns = 20;
/** Each restic takes a second, most of it waiting. */
const atOnce = 4;

/**
 * The first claim that `isMeant` in these manifests, in their order; null where it is in none of the first 20 runs. Each
 * shard of a run saves one, with the images of its own claims only: of a run with 1,000 shards all are looked at.
 * @throws CephbackupError MANIFESTS_INVALID, REPOSITORY_…, RESTIC_FAILED
 */
export async function findManifest(
  restic: Restic,
  ordered: readonly SavedManifests[],
  isMeant: (claim: ClaimManifest) => boolean,
  signal: AbortSignal,
): Promise<FoundManifest | null> {
  const runs = new Set<string>();
  for (const batch of batches(ordered)) {
    const read = async (saved: SavedManifests) => ({
      saved,
      ...(await readManifests(restic, saved.id, signal)),
    });
    for (const { saved, run, claims } of await Promise.all(batch.map(read))) {
      if (runs.add(run).size > mostRuns) return null;
      const claim = claims.find(isMeant);
      if (claim !== undefined) return { saved, claim };
    }
  }
  return null;
}

/** The first one alone, because it is most often the right one. */
function* batches(ordered: readonly SavedManifests[]): Generator<readonly SavedManifests[]> {
  yield ordered.slice(0, 1);
  for (let at = 1; at < ordered.length; at += atOnce) yield ordered.slice(at, at + atOnce);
}

/** @throws CephbackupError MANIFESTS_INVALID, REPOSITORY_…, RESTIC_FAILED */
export async function readManifests(restic: Restic, id: string, signal: AbortSignal): Promise<Manifests> {
  let text = '';
  const collect = async (stream: AsyncIterable<Uint8Array>) => {
    text = (await allBytes(stream)).toString();
  };
  await restic.dump(id, manifestsFile, collect, { signal });
  try {
    const manifests = JSON.parse(text) as Partial<Manifests> | null;
    if (manifests?.version !== 1 || !Array.isArray(manifests.claims)) throw new Error('not of version 1');
    return manifests as Manifests;
  } catch (cause) {
    const why = messageOf(cause);
    throw new CephbackupError('MANIFESTS_INVALID', `snapshot ${id.slice(0, 8)} holds no manifests: ${why}`, {
      cause,
    });
  }
}
