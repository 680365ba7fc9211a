import { writeFile } from 'node:fs/promises';
import { imageClaim } from '../../sandbox/claims.js';
import type { PersistentVolume } from '../../lib/kube/types.js';
import type { Scene } from './scene.js';

/** The image of an encrypted claim with this metadata, which may be its wrapped key, and its claim. */
export async function seedEncryptedClaim(
  scene: Scene,
  name: string,
  content: Buffer,
  metadata: Record<string, string>,
): Promise<void> {
  const { cluster } = scene;
  const [file, image] = [scene.file(name), scene.image(name)];
  await writeFile(file, content);
  await cluster.run('rbd', ['import', '--no-progress', file, image]);
  for (const [key, value] of Object.entries(metadata))
    await cluster.rbd('image-meta', 'set', image, key, value);
  const objects = imageClaim(
    cluster,
    { namespace: 'app', name },
    { image, size: content.length, fsType: null },
  );
  for (const object of objects as PersistentVolume[]) {
    const attributes = object.spec?.csi?.volumeAttributes;
    if (attributes !== undefined)
      Object.assign(attributes, { encrypted: 'true', encryptionKMSID: 'metadata-kms' });
  }
  await scene.seed(...objects);
}
