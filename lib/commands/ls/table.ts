import path from 'node:path';
import { formatTable } from '../../cli/output/table.js';
import type { Entry } from './entry.js';

/** A path as it was from one snapshot on; null: it was not there. */
export interface Version {
  snapshot: string;
  time: string;
  entry: Entry | null;
}

const halfYearMs = 182 * 86_400_000;

/** As `ls -l`, in UTC; names that are no text for a terminal are made visible. */
export function entryTable(entries: readonly Entry[], nowMs: number): string {
  if (entries.length === 0) return 'Empty.\n';
  return formatTable(
    ['MODE', 'UID', 'GID', 'SIZE', 'MODIFIED', 'NAME'],
    entries.map((entry) => [...columns(entry, nowMs), path.posix.basename(entry.path)]),
  );
}

export function versionTable(versions: readonly Version[], width: number | null = null): string {
  return formatTable(
    ['SINCE', 'SNAPSHOT', 'MODE', 'SIZE', 'MODIFIED'],
    versions.map(({ time, snapshot, entry }) => [
      time,
      snapshot.slice(0, 8),
      entry?.mode ?? '<gone>',
      entry === null ? '' : String(entry.sizeBytes ?? ''),
      entry === null ? '' : entry.modified,
    ]),
    { width, givesWay: ['MODE', 'SIZE'] },
  );
}

function columns({ mode, uid, gid, sizeBytes, modified }: Entry, nowMs: number): string[] {
  return [
    mode,
    String(uid),
    String(gid),
    sizeBytes === null ? '-' : String(sizeBytes),
    when(modified, nowMs),
  ];
}

/** The time of day where it is recent, else the year. */
function when(modified: string, nowMs: number): string {
  const time = Date.parse(modified);
  if (Number.isNaN(time)) return '<unknown>';
  const text = new Date(time).toISOString();
  const recent = time <= nowMs + 86_400_000 && nowMs - time < halfYearMs;
  return recent ? text.slice(0, 16).replace('T', ' ') : text.slice(0, 10);
}
