import { CephbackupError } from '../../errors/error.js';

/** Where the snapshot of a volume is taken, and what of it is the volume's. */
export interface Place {
  /** The directory whose `.snap` gets the snapshot; it becomes the root of the mount. */
  root: string;
  /** The volume's directory relative to the snapshot's; empty where it is all of it. */
  below: string;
  /** Whether Ceph's manager takes the snapshot (`ceph fs subvolume snapshot`) or a mkdir in `.snap`. */
  by: 'manager' | 'mkdir';
}

/** Where Ceph keeps subvolumes: `/volumes/<group>/<subvolume>/<uuid>`. */
export const subvolumesDirectory = '/volumes';
/** Stands for "no group" in paths. */
export const noGroup = '_nogroup';
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function isUuid(name: string): boolean {
  return uuid.test(name);
}

/**
 * The only level at which Ceph takes a snapshot of a path: a subvolume's own directory for everything in it (below, it
 * is EPERM), and the directory itself for every other. A directory of old, whose path has no uuid, may or may not be a
 * subvolume; a mkdir works for both, and the manager would first convert what is none.
 *
 * @param path absolute within the filesystem @throws CephbackupError SOURCE_NAME_INVALID
 */
export function placeOf(path: string): Place {
  const steps = stepsOf(path);
  const [top, group, subvolume, ...below] = steps;
  if (`/${top ?? ''}` !== subvolumesDirectory || group === undefined || subvolume === undefined) {
    return { root: `/${steps.join('/')}`, below: '', by: 'mkdir' };
  }
  const inSubvolume = below[0] !== undefined && isUuid(below[0]);
  return {
    root: `${subvolumesDirectory}/${group}/${subvolume}`,
    below: below.join('/'),
    by: inSubvolume ? 'manager' : 'mkdir',
  };
}

function stepsOf(path: string): string[] {
  const steps = path.split('/').filter((step) => step !== '');
  // `$` is a variable in the options of Ceph's programs, and a control character the end of a log line.
  const usable = path.startsWith('/') && !steps.includes('..') && !steps.includes('.');

  if (usable && !/[\u0000-\u001f\u007f$]/.test(path)) return steps;
  throw new CephbackupError(
    'SOURCE_NAME_INVALID',
    `not a directory that can be mounted: ${JSON.stringify(path)}`,
  );
}
