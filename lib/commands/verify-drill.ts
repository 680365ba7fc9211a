import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { diskToFile } from '../restore/block/to-file.js';
import { filesToDirectory } from '../restore/files/to-directory.js';
import type { RestoreJob } from '../restore/job.js';
import { contentOf } from '../restore/method.js';
import { Scope } from '../run/scope.js';
import { startDaemon } from '../tools/daemon.js';
import { childEnvironment } from '../tools/environment.js';
import type { Restic } from '../tools/restic.js';
import type { ProofJob } from '../verify/prove-claims.js';
import type { Candidate } from '../verify/rotation.js';
import type { VerifyContext } from './verify-scope.js';

export interface DrillRequest {
  restic: Restic;
  candidate: Candidate;
  /** Of a disk, as the manifests tell it. Bytes. */
  exactSize: number | null;
  job: ProofJob;
}

/**
 * Restores a backup for real, as `restore` does: files into a directory, a disk into a sparse file, each read back and
 * compared with the backup. The place is a new folder among the temporary files (TMPDIR), which goes in the end.
 *
 * @throws CephbackupError RESTORE_FAILED, RESTORE_UNVERIFIED, TARGET_FULL, BACKUP_DAMAGED, REPOSITORY_…
 */
export async function drill(context: VerifyContext, request: DrillRequest): Promise<void> {
  const { restic, candidate, exactSize, job } = request;
  const scratch = await mkdtemp(path.join(tmpdir(), 'cephbackup-drill-'));
  const newScope = () => new Scope(context.hostname, job.log);
  const restoreJob: RestoreJob = {
    ...job,
    backup: candidate.backup,
    restic,
    exec: context.exec,
    force: false,
    scope: newScope(),
    newScope,
    leftovers: [],
    state: 'untouched',
  };
  try {
    if (contentOf(candidate.backup.kind) === 'disk') {
      await diskToFile(restoreJob, { path: path.join(scratch, 'disk'), format: 'raw' }, exactSize);
      return;
    }
    const tools = {
      startDaemon,
      env: childEnvironment(context.env),
      root: context.root,
    };
    await filesToDirectory(restoreJob, path.join(scratch, 'files'), null, tools);
  } finally {
    await restoreJob.scope.release();
    await rm(scratch, { recursive: true, force: true });
  }
}
