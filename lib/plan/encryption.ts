import { quote } from './warnings.js';

/** Types of key management of which the id often bears the name [ceph-csi internal/kms]. */
const telling: readonly (readonly [RegExp, string])[] = [
  [/vault/i, 'Vault'],
  [/azure/i, 'Azure'],
  [/metadata|kmip|key-?protect|aws/i, 'of a type that keeps its keys in the metadata of images'],
];

/**
 * What to know about the backup of an encrypted image: where its key is, and whether that outlives the claim. A
 * PersistentVolume has only the id of the key management, chosen by the administrator, and not its type.
 */
export function encryptionNote(kmsId: string | null): string {
  const what = 'it is encrypted, so its backup is an image of ciphertext that only its key can read';
  // ceph-csi's default: one passphrase for all volumes of a storage class.
  if (kmsId === null || kmsId === 'default') {
    return `${what}: keep the passphrase in the Secret of its storage class`;
  }
  const lost = 'its key is destroyed with the claim, and this backup cannot be read after that';
  const type = telling.find(([pattern]) => pattern.test(kmsId))?.[1];
  return type === undefined
    ? `${what}; if the KMS ${quote(kmsId)} is Vault, Azure or of a type that keeps its keys in the metadata of images, ${lost}`
    : `${what}; the KMS ${quote(kmsId)} seems to be ${type}: ${lost}`;
}
