import { CephbackupError } from '../../errors/error.js';
import type { PlannedVolume } from '../../plan/types.js';
import { filesToDirectory } from '../../restore/files/to-directory.js';
import type { RestoreJob, RestoreOutcome } from '../../restore/job.js';
import { describeTarget, type Content, type Target } from '../../restore/target.js';
import { startDaemon } from '../../tools/process/daemon.js';
import { childEnvironment } from '../../tools/process/environment.js';
import type { ResticSnapshot } from '../../tools/restic/snapshot.js';
import { diskIntoClaim, diskIntoFile, diskIntoNewImage } from './disk.js';
import { filesIntoClaim, filesIntoNewImage, filesIntoShare } from './files.js';
import { partitionIntoDirectory } from './partition.js';
import type { Place, RestoreContext } from './place.js';

export interface Request {
  content: Content;
  target: Target;
  /** Null where nothing of Ceph's is written. */
  place: Place | null;
  snapshots: readonly ResticSnapshot[];
}

/** Restores what the request says, in the way that fits content and target. @throws CephbackupError */
export async function perform(
  context: RestoreContext,
  job: RestoreJob,
  { content, target, place, snapshots }: Request,
): Promise<RestoreOutcome> {
  if (target.type === 'file') return diskIntoFile(job, snapshots, target);
  if (target.type === 'directory') {
    const tools = { startDaemon, env: childEnvironment(context.env), root: context.root };
    const { partition, path } = context.options;
    if (partition !== null) return partitionIntoDirectory({ context, job }, { partition, path }, target.path);
    return filesToDirectory(job, target.path, path, tools);
  }
  if (place === null) throw new CephbackupError('INTERNAL', `no Ceph for ${describeTarget(target)}`);
  const assignment = { context, job, snapshots, place };
  if (target.type === 'image') {
    return content === 'disk'
      ? diskIntoNewImage(assignment, target.image)
      : filesIntoNewImage(assignment, target.image);
  }
  const volume = claimedVolume(place, target);
  refuseKind(content, volume);
  if (content === 'disk') return diskIntoClaim(assignment, volume);
  return volume.kind === 'cephfs' ? filesIntoShare(assignment, volume) : filesIntoClaim(assignment, volume);
}

/** @throws CephbackupError TARGET_NOT_FOUND, TARGET_UNSUITABLE */
function claimedVolume(
  { volumes }: Place,
  { namespace, pvc }: Extract<Target, { type: 'pvc' }>,
): PlannedVolume {
  const volume = volumes.find((one) => one.namespace === namespace && one.pvc === pvc);
  const shown = `${namespace}/${pvc}`;
  if (volume === undefined) throw new CephbackupError('TARGET_NOT_FOUND', `there is no claim ${shown}`);
  if (volume.kind !== null && volume.pv !== null && volume.source !== null) return volume;
  const message = `${shown} is bound to no volume of Ceph's that can be written (${volume.reason})`;
  const details = volume.reason === 'not-bound' ? { guidance: howToBind(volume) } : {};
  throw new CephbackupError('TARGET_UNSUITABLE', message, details);
}

function howToBind({ namespace, pvc }: PlannedVolume): string {
  const annotate = `kubectl annotate pvc -n ${namespace} ${pvc} volume.kubernetes.io/selected-node=NODE`;
  return `Wait until the claim is bound. Where its class waits for the first consumer (WaitForFirstConsumer), name it a node: \`${annotate}\`. Start no pod for that: it would count as in use.`;
}

/** @throws CephbackupError TARGET_UNSUITABLE */
function refuseKind(content: Content, { kind, namespace, pvc }: PlannedVolume): void {
  const fits = content === 'disk' ? kind !== 'cephfs' : kind !== 'rbd-block';
  if (fits) return;
  const why =
    content === 'disk'
      ? 'this is a backup of a disk, and CephFS has no disks'
      : 'this is a backup of files, and the claim is a disk without a filesystem that this program may mount';
  throw new CephbackupError(
    'TARGET_UNSUITABLE',
    `${why}: ${namespace}/${pvc} is of kind ${kind ?? 'unknown'}`,
  );
}
