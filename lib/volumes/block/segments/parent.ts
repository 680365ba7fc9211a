import type { Restic } from '../../../tools/restic/restic.js';
import { readError } from '../../../tools/restic/errors.js';
import { parseMessage } from '../../../tools/restic/messages.js';
import { diskFolder, imageFile, segmentIndex, type Time } from './format.js';
import type { ParentDisk } from './base.js';
import type { KnownSegment } from './plan.js';

/** For a list of 65,536 files. */
const listDeadlineMs = 600_000;

/** Sizes and times of a backup's segments; `other` where it is not of this format. @throws CephbackupError REPOSITORY_… */
export async function readParent(
  restic: Restic,
  id: string,
  signal: AbortSignal,
): Promise<ParentDisk | 'other'> {
  const segments = new Map<number, KnownSegment>();
  const seen: { factsTime: Time | null; imageTime: Time | null } = { factsTime: null, imageTime: null };
  const result = await restic.list(id, null, {
    signal,
    deadlineMs: listDeadlineMs,
    onStdoutLine: (line) => {
      const node = parseMessage(line);
      if (typeof node?.path !== 'string') return;
      const mtime = parseTime(node.mtime);
      if (node.type === 'dir' && node.path === `/${diskFolder}`) seen.imageTime = mtime;
      if (node.type !== 'file' || mtime === null || !node.path.startsWith(`/${diskFolder}/`)) return;
      const path = node.path.slice(diskFolder.length + 2);
      if (path === imageFile) seen.factsTime = mtime;
      const index = segmentIndex(path);
      // A list leaves out the size of what is empty.
      if (index !== null) segments.set(index, { sizeBytes: Number(node.size ?? 0), mtime });
    },
  });
  if (result.exitCode !== 0) throw readError(`restic ls ${id.slice(0, 8)}`, result);
  const { factsTime, imageTime } = seen;
  return factsTime === null || imageTime === null ? 'other' : { factsTime, imageTime, segments };
}

/** RFC 3339 with up to nine digits below the second. */
export function parseTime(text: unknown): Time | null {
  const match = /^([^.Z+]+?)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(typeof text === 'string' ? text : '');
  if (match === null) return null;
  const seconds = Date.parse(`${match[1] ?? ''}${match[3] ?? ''}`) / 1000;
  return Number.isFinite(seconds) ? { seconds, nanoseconds: Number((match[2] ?? '').padEnd(9, '0')) } : null;
}
