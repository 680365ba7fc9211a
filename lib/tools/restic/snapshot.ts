import { asObject, stringField } from '../process/json.js';
import { count } from './messages.js';

/** A snapshot as `restic snapshots --json` and `restic cat snapshot` print it; only what this program uses. */
export interface ResticSnapshot {
  /** Full, 64 hex digits; empty from `cat snapshot`, which does not print it. */
  id: string;
  /** RFC 3339, with restic's precision. */
  time: string;
  tree: string;
  paths: string[];
  hostname: string;
  tags: string[];
  /** Patterns that restic was given one by one, not those out of a file; among them notes of this program's own. */
  excludes?: string[];
  /** The id that it had before `restic tag`, `rewrite` or `copy` gave it another. */
  original?: string;
  summary: {
    filesProcessed: number;
    directories: number;
    bytesProcessed: number;
    /** What the repository grew by, compressed. */
    bytesAdded?: number;
  } | null;
}

export function toSnapshot(object: Record<string, unknown>): ResticSnapshot {
  const what = 'restic snapshot';
  const strings = (value: unknown) =>
    Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
  const summary =
    typeof object.summary === 'object' && object.summary !== null ? asObject(object.summary, what) : null;
  return {
    id: typeof object.id === 'string' ? object.id : '',
    time: stringField(object, 'time', what),
    tree: stringField(object, 'tree', what),
    paths: strings(object.paths),
    hostname: stringField(object, 'hostname', what),
    tags: strings(object.tags),
    excludes: strings(object.excludes),
    ...(typeof object.original === 'string' ? { original: object.original } : {}),
    summary: summary && {
      filesProcessed: count(summary.total_files_processed),
      directories: count(summary.dirs_new) + count(summary.dirs_changed) + count(summary.dirs_unmodified),
      bytesProcessed: count(summary.total_bytes_processed),
      bytesAdded: count(summary.data_added_packed ?? summary.data_added),
    },
  };
}
