import { CephbackupError } from '../../errors/error.js';
import { formatImage, type ImageSpec } from '../../tools/rbd/image-spec.js';
import type { Rbd } from '../../tools/rbd/images.js';
import type { RbdWriter } from '../../tools/rbd/write.js';

/**
 * How ceph-csi opens an encrypted image: its state, and, with a KMS of type metadata, its wrapped key; older releases
 * wrote both with a leading dot [ceph-csi, internal/rbd/encryption.go].
 */
const encryptionKey = /^\.?rbd\.csi\.ceph\.com\/(encrypted|dek)$/;
/** What this program noted is not part of what was backed up. */
const ownPrefix = 'cephbackup.';

export interface MetadataPlan {
  set: [key: string, value: string][];
  remove: string[];
}

/**
 * What an image must know once a whole disk was written into it: how the disk that it holds now is opened, and nothing
 * of how the one before was. A claim's own image keeps what else it has: it says whose it is.
 *
 * @param saved with the backup @param current of the image
 */
export function planMetadata(
  kind: 'claim' | 'image',
  saved: Readonly<Record<string, string>>,
  current: Readonly<Record<string, string>>,
): MetadataPlan {
  const wanted = Object.entries(saved).filter(
    ([key]) => !key.startsWith(ownPrefix) && (kind === 'image' || encryptionKey.test(key)),
  );
  const stale = (key: string) => (encryptionKey.test(key) && !(key in saved)) || key.startsWith(ownPrefix);
  return {
    set: wanted.filter(([key, value]) => current[key] !== value),
    remove: Object.keys(current).filter(stale),
  };
}

/** Whether a wrapped key is among the metadata: only under the volume handle that it was made for can it be unwrapped. */
export function hasWrappedKey(metadata: Readonly<Record<string, string>>): boolean {
  return Object.keys(metadata).some((key) => encryptionKey.test(key) && key.endsWith('/dek'));
}

/**
 * Does what the plan says, and looks whether it is done: without its key a disk is lost. Repeated, it changes nothing.
 * @throws CephbackupError COMMAND_FAILED, CEPH_…
 */
export async function applyMetadata(
  { rbd, writer }: { rbd: Rbd; writer: RbdWriter },
  image: ImageSpec,
  { set, remove }: MetadataPlan,
  signal: AbortSignal,
): Promise<void> {
  for (const key of remove) await writer.removeMetadata(image, key, { signal });
  for (const [key, value] of set) await writer.setMetadata(image, key, value, { signal });
  if (set.length + remove.length === 0) return;
  const now = await rbd.metadata(image, { signal });
  const wrong = [
    ...remove.filter((key) => key in now),
    ...set.flatMap(([key, value]) => (now[key] === value ? [] : [key])),
  ];
  if (wrong.length === 0) return;
  throw new CephbackupError(
    'COMMAND_FAILED',
    `rbd image-meta says that it has changed ${wrong.join(', ')} of ${formatImage(image)}, and has not`,
  );
}
