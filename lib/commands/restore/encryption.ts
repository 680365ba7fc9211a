import { CephbackupError } from '../../errors/error.js';
import type { Redactor } from '../../log/redactor.js';
import type { PlannedVolume } from '../../plan/types.js';
import type { ClaimManifest } from '../../repository/manifests.js';
import { hasWrappedKey } from '../../restore/block/image-metadata.js';

type Warn = (text: string) => void;

/** A wrapped key is half of what protects a volume: it is masked wherever this program would print it. */
export function concealKeys(redactor: Redactor, manifest: ClaimManifest | null): void {
  for (const value of Object.values(manifest?.image?.metadata ?? {})) {
    redactor.add(value);
    // As it stands in a line that escapes the quotes around it.
    for (const [part] of value.matchAll(/[A-Za-z0-9+/=_-]{16,}/g)) redactor.add(part);
  }
}

/**
 * A claim is opened as its volume says: ciphertext in one that is not encrypted can be read by nobody, and neither can
 * plain text in one that is.
 * @throws CephbackupError TARGET_UNSUITABLE
 */
export function refuseOtherEncryption(
  manifest: ClaimManifest | null,
  { namespace, pvc, details, claim }: PlannedVolume,
  warn: Warn,
): void {
  const encrypted = details?.encrypted === true;
  if (manifest === null) {
    if (encrypted)
      warn(
        'the volume is encrypted: what was backed up can be read only if its key is that of the backed up volume',
      );
    return;
  }
  const was = wasEncrypted(manifest);
  if (was !== encrypted) {
    const [backup, target] = was ? ['encrypted', 'is not'] : ['not encrypted', 'is'];
    const message = `the disk that was backed up is ${backup}, and the volume of ${namespace}/${pvc} ${target}: it could not be opened`;
    throw new CephbackupError('TARGET_UNSUITABLE', message);
  }
  if (was) warnOfHandle(manifest, claim.pv?.spec?.csi?.volumeHandle ?? '', warn);
}

/** A static volume's handle is the name of its image. */
export function warnOfNewImage(manifest: ClaimManifest | null, image: string, warn: Warn): void {
  if (manifest !== null && wasEncrypted(manifest)) warnOfHandle(manifest, image, warn);
}

export function wasEncrypted({ persistentVolume }: ClaimManifest): boolean {
  return persistentVolume?.spec?.csi?.volumeAttributes?.encrypted === 'true';
}

/** Keys are kept, or wrapped, under a volume's handle [ceph-csi, internal/kms]. */
function warnOfHandle({ persistentVolume, image }: ClaimManifest, handle: string, warn: Warn): void {
  const old = persistentVolume?.spec?.csi?.volumeHandle ?? '';
  if (old === handle) return;
  const what = hasWrappedKey(image?.metadata ?? {}) ? 'its wrapped key can be unwrapped' : 'its key is found';
  warn(
    `the disk is encrypted, and ${what} only under the volume handle ${old}: an image of that name, with a static volume, has it`,
  );
}
