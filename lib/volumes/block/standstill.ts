import { CephbackupError } from '../../errors/error.js';

/** librbd was seen to stand still for good, with all of Ceph idle; and a cluster that takes so long for an object is down. */
export const defaultStalledMs = 20 * 60_000;

/** @param where in the disk, e.g. `at byte 5` */
export function stalled(reader: string, afterMs: number, where: string): CephbackupError {
  const minutes = (afterMs / 60_000).toFixed(afterMs < 60_000 ? 2 : 0);
  return new CephbackupError('EXPORT_STALLED', `${reader}: nothing came for ${minutes} minutes, ${where}`);
}
