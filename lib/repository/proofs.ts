import type { EpochMs } from '../log/time.js';
import { manifestsHost, recordNote } from './manifests.js';
import { areManifestTags, tagValue } from './tags.js';
import type { ResticSnapshot } from '../tools/restic/snapshot.js';

/**
 * What is known of a claim's snapshot:
 *
 * - `proven`: a record in the repository, or a mark on a PersistentVolume, names it.
 * - `untold`: it was made by a release that kept no record. It counts, as it always did.
 * - `unproven`: records were kept when it was made, and none names it; or one names it as no backup.
 * - `image`: the bytes of a volume whose filesystem could not be mended (`--on-corrupt image`): complete, and no backup of
 *   its files.
 * - `changed`: what was proven was another tree (`restic rewrite`, `restic repair snapshots`).
 */
export type Proof = 'proven' | 'untold' | 'unproven' | 'image' | 'changed';

/** Whether a snapshot holds all that it says, be it files or the disk below them. */
export function isComplete(proof: Proof): boolean {
  return counts(proof) || proof === 'image';
}

/** Whether a snapshot is a backup for all commands, unless it is named. */
export function counts(proof: Proof): boolean {
  return proof === 'proven' || proof === 'untold';
}

/** What the PersistentVolumes of one cluster say. */
export interface Marks {
  /** The tag `cluster=` of its backups. */
  cluster: string;
  /** Full ids that they name as their claims' proven backups, past claims' as well. */
  ids: ReadonlySet<string>;
}

export type Judge = (snapshot: ResticSnapshot) => Proof;

export const proofsHost = 'k8s-proofs';
export const proofsFile = '/proofs.txt';

export function proofTags(cluster: string): string[] {
  return [`cluster=${cluster}`, 'kind=proofs'];
}

/** What a record says of one snapshot. The tree's first 16 digits tell whether the snapshot was changed since. */
export function proofNote(proof: Recorded, { id, tree }: { id: string; tree: string }): string {
  return `${proof} ${id} ${tree.slice(0, 16)}`;
}

/** Whether a snapshot is a record of proofs, with the tags of one and no other. */
export function isRecord({ hostname, tags }: ResticSnapshot): boolean {
  return hostname === proofsHost && areManifestTags(tags) && tagValue(tags, 'kind') === 'proofs';
}

/** What a record can say of a snapshot. Releases that do not know `image` take such a snapshot for unproven. */
type Recorded = 'proven' | 'unproven' | 'image';

interface Entry {
  proof: Recorded;
  /** The first 16 digits. */
  tree: string;
}

/** Entries of a record, by the snapshot's id. */
export function entriesOf({ excludes = [] }: ResticSnapshot): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  for (const note of excludes) {
    const [, word, id, tree] = /^(proven|unproven|image) ([0-9a-f]{64}) ([0-9a-f]{16})$/.exec(note) ?? [];
    if (id !== undefined && tree !== undefined) entries.set(id, { proof: word as Recorded, tree });
  }
  return entries;
}

/**
 * The one home of what was proven: all commands ask this function, most of them through `backupsOf`.
 *
 * @param snapshots all of the repository, or at least all of the clusters that are asked about
 * @param marks of the cluster that this program speaks with; null without a Kubernetes API
 */
export function judge(snapshots: readonly ResticSnapshot[], marks: Marks | null): Judge {
  const clusters = new Map<string, ClusterRecord>();
  const recordOf = (cluster: string) => {
    const known = clusters.get(cluster) ?? new ClusterRecord();
    clusters.set(cluster, known);
    return known;
  };
  for (const snapshot of snapshots) {
    const cluster = tagValue(snapshot.tags, 'cluster');
    if (cluster !== null) recordOf(cluster).read(snapshot);
  }
  if (marks !== null) {
    const own = snapshots.filter(({ tags }) => tagValue(tags, 'cluster') === marks.cluster);
    recordOf(marks.cluster).mark(own, marks.ids);
  }
  for (const record of clusters.values()) record.close();
  return (snapshot) => recordOf(tagValue(snapshot.tags, 'cluster') ?? '').judge(snapshot);
}

/** What the snapshots of one cluster tell, and its marks. @param own all of them, and no others */
export function readRecord(own: readonly ResticSnapshot[], { ids }: Marks): ClusterRecord {
  const record = new ClusterRecord();
  for (const snapshot of own) record.read(snapshot);
  record.mark(own, ids);
  record.close();
  return record;
}

/** What is recorded of one cluster's snapshots. */
export class ClusterRecord {
  readonly #entries = new Map<string, Entry>();
  readonly #marked = new Set<string>();
  /** By the claim's UID, when its newest marked backup was made. */
  readonly #markedTimes = new Map<string, EpochMs>();
  /** Each run saves its manifests when it begins, oldest first once closed. */
  readonly #runs: { time: number; records: boolean }[] = [];

  read(snapshot: ResticSnapshot): void {
    const { hostname, tags, excludes = [], time } = snapshot;
    if (isRecord(snapshot)) {
      for (const [id, entry] of entriesOf(snapshot)) {
        // Once proven, always proven.
        if (this.#entries.get(id)?.proof !== 'proven') this.#entries.set(id, entry);
      }
    } else if (hostname === manifestsHost && tagValue(tags, 'kind') === 'manifests') {
      this.#runs.push({ time: Date.parse(time), records: excludes.includes(recordNote) });
    }
  }

  mark(own: readonly ResticSnapshot[], ids: ReadonlySet<string>): void {
    for (const { id, original, tags, time } of own) {
      if (!ids.has(id) && !ids.has(original ?? '')) continue;
      this.#marked.add(id);
      const uid = tagValue(tags, 'uid') ?? '';
      this.#markedTimes.set(uid, Math.max(this.#markedTimes.get(uid) ?? 0, Date.parse(time)));
    }
  }

  close(): void {
    // Of two at one time, the one of the run that keeps a record comes last.
    this.#runs.sort((a, b) => a.time - b.time || Number(a.records) - Number(b.records));
  }

  judge(snapshot: ResticSnapshot): Proof {
    return this.#judge(snapshot, true);
  }

  /** The same without the marks: what the repository tells everybody. */
  judgeUnmarked(snapshot: ResticSnapshot): Proof {
    return this.#judge(snapshot, false);
  }

  #judge({ id, original, tags, tree, time }: ResticSnapshot, byMarks: boolean): Proof {
    const entry = this.#entries.get(id) ?? this.#entries.get(original ?? '');
    if (entry?.proof === 'proven') return tree.startsWith(entry.tree) ? 'proven' : 'changed';
    if (byMarks && this.#marked.has(id)) return 'proven';
    if (entry?.proof === 'image') return tree.startsWith(entry.tree) ? 'image' : 'changed';
    if (entry !== undefined) return 'unproven';
    const at = Date.parse(time);
    if (this.keptAt(at)) return 'unproven';
    // Releases that kept no record marked each proven backup at once: what is newer than the mark was not proven.
    const marked = byMarks ? this.#markedTimes.get(tagValue(tags, 'uid') ?? '') : undefined;
    return marked !== undefined && at > marked ? 'unproven' : 'untold';
  }

  /**
   * Whether the run that was in progress at this time kept a record, so that what it saved counts only if it is recorded:
   * the last one that began before.
   */
  keptAt(time: EpochMs): boolean {
    let [low, high] = [0, this.#runs.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#runs[middle]?.time ?? 0) <= time) low = middle + 1;
      else high = middle;
    }
    return this.#runs[low - 1]?.records ?? false;
  }
}
