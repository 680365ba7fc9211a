import type { EpochMs } from '../log/time.js';
interface Saved {
  id: string;
  time: EpochMs;
}

interface Span {
  from: number;
  to: number;
}

const hour = 3_600_000;
const day = 24 * hour;

/**
 * The manifests that backups made at `times` may need. Runs do not overlap, and each saves its manifests when it
 * begins: a backup's are the last ones before it, or, where the images took long to look at, among the first after it.
 * The shards of a run save one each, and a run may be narrowed to some claims; so everything of a day before and of an
 * hour after a backup is kept as well. The newest are always needed: claims that were never backed up are in them, too.
 */
export function neededManifests(
  saved: readonly Saved[],
  times: readonly number[],
  now: number,
): ReadonlySet<string> {
  const ordered = saved.toSorted((a, b) => a.time - b.time);
  const spans = [...new Set([...times, now])].map((time) => spanAround(time, ordered));
  const needed = new Set<string>();
  const merged = merge(spans);
  let at = 0;
  for (const { id, time } of ordered) {
    while (at < merged.length && (merged[at]?.to ?? 0) < time) at += 1;
    if ((merged[at]?.from ?? Infinity) <= time) needed.add(id);
  }
  return needed;
}

function spanAround(time: number, ordered: readonly Saved[]): Span {
  const after = firstAfter(time, ordered);
  const before = ordered[after - 1]?.time ?? time;
  return {
    from: Math.min(before, time - day) - hour,
    to: Math.max(ordered[after]?.time ?? time, time + hour),
  };
}

/** The index of the first that is later than `time`. */
function firstAfter(time: number, ordered: readonly Saved[]): number {
  let [low, high] = [0, ordered.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ordered[middle]?.time ?? 0) <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Overlapping spans joined, in order. */
function merge(spans: readonly Span[]): Span[] {
  const merged: Span[] = [];
  for (const span of spans.toSorted((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last !== undefined && span.from <= last.to) last.to = Math.max(last.to, span.to);
    else merged.push({ ...span });
  }
  return merged;
}
