import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { CephbackupError } from '../../errors/error.js';
import { diskToFile } from '../../restore/block/to-file.js';
import { compareFiles } from '../../restore/files/compare-files.js';
import { examineImage } from '../../restore/files/examine-image.js';
import { compareRoot } from '../../restore/files/root-directory.js';
import { filesToDirectory } from '../../restore/files/to-directory.js';
import { filesToImage } from '../../restore/files/to-image.js';
import type { RestoreJob } from '../../restore/job.js';
import { toldBy } from '../../repository/told.js';
import { contentOf, type Content } from '../../restore/target.js';
import { removeScratch } from '../../restore/scratch.js';
import { Scope } from '../../ownership/scope.js';
import { startDaemon } from '../../tools/process/daemon.js';
import { childEnvironment } from '../../tools/process/environment.js';
import { formatImage } from '../../tools/rbd/image-spec.js';
import type { Restic } from '../../tools/restic/restic.js';
import type { ResticSnapshot } from '../../tools/restic/snapshot.js';
import type { ProofJob } from '../../verify/prove-claims.js';
import type { DrillTarget } from '../../verify/report.js';
import type { Candidate } from '../../verify/rotation.js';
import { locateImage } from '../../volumes/rbd/image.js';
import { diskIntoNewImage } from '../restore/disk.js';
import { newFilesTarget } from '../restore/files.js';
import type { DrillGround, DrillVolume } from './ground.js';
import type { VerifyContext } from './scope.js';
import { makeScratchFolder } from './scratch-folder.js';

export interface DrillRequest {
  ground: DrillGround;
  restic: Restic;
  snapshots: readonly ResticSnapshot[];
  candidate: Candidate;
  /** Of a disk, as the manifests tell it. Bytes. */
  exactSize: number | null;
  job: ProofJob;
}

interface Drill extends Omit<DrillRequest, 'job'> {
  context: VerifyContext;
  content: Content;
  job: RestoreJob;
}

/**
 * Restores a backup for real, as `restore` does, compares what came with the backup, and removes it. An image's goes into
 * a new image in the same pool; what else there is, into a folder among the temporary files (TMPDIR).
 *
 * @throws CephbackupError RESTORE_FAILED, RESTORE_UNVERIFIED, TARGET_FULL, BACKUP_DAMAGED, REPOSITORY_…
 */
export async function drill(context: VerifyContext, request: DrillRequest): Promise<DrillTarget> {
  const { ground, restic, candidate, job } = request;
  const newScope = () => new Scope(context.hostname, job.log);
  const restoreJob: RestoreJob = {
    ...job,
    id: randomBytes(4).toString('hex'),
    backup: candidate.backup,
    ...toldBy(request.snapshots, candidate.backup.id),
    restic,
    exec: context.exec,
    force: false,
    scope: newScope(),
    newScope,
    leftovers: [],
    state: 'untouched',
  };
  const content = contentOf(candidate.backup.kind);
  const volume = ground.volumeOf(candidate);
  try {
    const drilled = { ...request, context, content, job: restoreJob };
    if (typeof volume === 'string') {
      job.log.info('restoring into a folder', { reason: volume });
      await intoFolder(drilled);
      return content === 'disk' ? 'file' : 'directory';
    }
    await intoImage(drilled, volume);
    return 'image';
  } finally {
    ground.leftovers.push(...restoreJob.leftovers, ...(await restoreJob.scope.release()));
  }
}

async function intoImage(
  { context, snapshots, content, job }: Drill,
  { place, volume, name }: DrillVolume,
): Promise<void> {
  if (!place.lease.healthy()) {
    throw new CephbackupError('LEASE_LOST', 'no image was made: the lease has not been renewed for a while');
  }
  const { rbd, image: source, cluster } = await locateImage(place.clientsFor)(volume, job.signal);
  const image = { ...source, image: name };
  const clients = place.clientsFor(volume.details?.monitors ?? null);
  job.scope.add({ kind: 'image', name: formatImage(image), cluster }, () => removeScratch(rbd, image));
  const assignment = { context, job, snapshots, place };
  if (content === 'disk') {
    await diskIntoNewImage(assignment, image, clients);
    return;
  }
  const target = await newFilesTarget(assignment, image, clients);
  await filesToImage(job, target, null);
  await examineImage(job, target);
}

async function intoFolder({ context, content, exactSize, job }: Drill): Promise<void> {
  const scratch = await makeScratchFolder();
  try {
    if (content === 'disk') {
      await diskToFile(job, { path: path.join(scratch, 'disk'), format: 'raw' }, { exactSize });
      return;
    }
    const directory = path.join(scratch, 'files');
    const { env, root } = context;
    await filesToDirectory(job, directory, null, { startDaemon, env: childEnvironment(env), root });
    job.step(`comparing ${directory} with the backup`);
    await compareFiles(job, { namespace: null, path: directory }, root);
    if (root) await compareRoot(job, { namespace: null, path: directory });
  } finally {
    await job.scope.release();
    await rm(scratch, { recursive: true, force: true });
  }
}
