import type { ErrorCode } from './catalogue.js';
import type { CephbackupError } from './error.js';

/**
 * What the owner of a claim can do about a failed backup. Events are read by tenants, so these texts name nothing of
 * the infrastructure below the claim.
 */
const texts: Partial<Record<ErrorCode, string>> = {
  FILESYSTEM_MISSING:
    'The volume was never formatted: start a pod that uses it, or opt the claim out of backups.',
  FILESYSTEM_CORRUPT:
    'The filesystem has errors: stop the pods that use the claim and ask an administrator for a full check.',
  FILESYSTEM_MISMATCH:
    'The volume contains another filesystem than its PersistentVolume says: ask an administrator.',
  FILESYSTEM_UNSUPPORTED:
    'The filesystem of the volume cannot be backed up file by file: ask an administrator for `mode: image`.',
  READ_INCOMPLETE:
    'Some files could not be read, so no backup was kept; look for damaged files, leave them out (annotation `exclude`), or ask an administrator.',
  VOLUME_UNSUPPORTED:
    'This kind of volume cannot be backed up; set the annotation `backup: "false"` to accept that.',
  HOST_COLLISION: 'Another claim has the same name in backups: rename one of them, or opt one of them out.',
  HOOK_FAILED:
    'A hook of a pod that uses the claim failed, so no backup was kept; look at the pod: it may still be held.',
  GROUP_FAILED: 'Another claim of the same group could not be backed up, so no backup was kept of this one.',
  EXCLUDES_ALL: 'The annotation `exclude` leaves out every file, so no backup was kept.',
  VOLUME_TIMEOUT:
    'The backup took too long and was stopped; less data or fewer files in this claim would help.',
};

/** The text of the Event `BackupFailed`. */
export function tenantText(error: CephbackupError): string {
  const text =
    texts[error.code] ??
    'The backup failed for a reason outside this claim: ask the administrator of the backups.';
  return `${text} (${error.code})`;
}
