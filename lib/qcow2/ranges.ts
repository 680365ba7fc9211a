/** A range of bytes, clusters or tables, by number. */
export interface Range {
  start: number;
  length: number;
}

/**
 * The groups of `size` that ascending ranges touch, as ranges themselves; those that touch each other become one.
 * Bytes grouped by the cluster size are clusters; clusters grouped by the entries of a table are tables.
 */
export function* groupRanges(ranges: Iterable<Range>, size: number): Generator<Range, void> {
  let start = 0;
  let end = 0;
  for (const range of ranges) {
    const from = Math.floor(range.start / size);
    if (from > end) {
      if (end > start) yield { start, length: end - start };
      start = from;
    }
    end = Math.ceil((range.start + range.length) / size);
  }
  if (end > start) yield { start, length: end - start };
}
