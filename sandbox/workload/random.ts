import { createCipheriv } from 'node:crypto';

/** `length` bytes that look random and cannot be compressed, the same for the same seed. */
export function randomBytesOf(seed: number, length: number): Buffer {
  const key = Buffer.alloc(16);
  key.writeUInt32BE(seed);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}
