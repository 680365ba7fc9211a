import { describe, expect, test } from '@jest/globals';
import { ContentDigest, firstDifference } from '../../lib/restore/block/content-digest.js';

const MiB = 1024 * 1024;

/** A disk with data here and there, at odd offsets. */
function disk(): Buffer {
  const bytes = Buffer.alloc(130 * MiB);
  for (const [offset, length] of [
    [0, 100],
    [65_530, 12],
    [3 * MiB + 7, 200_000],
    [64 * MiB - 5, 10],
    [129 * MiB + 1, MiB - 1],
  ] as const) {
    for (let i = 0; i < length; i++) bytes[offset + i] = (i % 251) + 1;
  }
  return bytes;
}

/** The digest of a disk given in pieces of such sizes, in turn. */
function digest(bytes: Buffer, sizes: number[]): ReadonlyMap<number, string> {
  const digest = new ContentDigest();
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    digest.push(at, bytes.subarray(at, at + size));
    at += size;
  }
  return digest.finish();
}

describe('the digest of a disk', () => {
  const bytes = disk();
  const whole = digest(bytes, [bytes.length]);

  test('does not depend on the pieces', () => {
    for (const sizes of [[65_536], [4096], [1, 65_535, 70_001, 3], [MiB + 1]]) {
      expect(firstDifference(digest(bytes, sizes), whole)).toBeNull();
    }
  });

  test('does not depend on zeros that are left out', () => {
    const sparse = new ContentDigest();
    sparse.push(0, bytes.subarray(0, 300_000));
    sparse.push(3 * MiB, bytes.subarray(3 * MiB, 4 * MiB));
    sparse.push(64 * MiB - 4096, bytes.subarray(64 * MiB - 4096, 64 * MiB + 4096));
    sparse.push(129 * MiB, bytes.subarray(129 * MiB));
    expect(firstDifference(sparse.finish(), whole)).toBeNull();
    expect(whole.size).toBe(3);
  });

  test.each([0, 65_541, 64 * MiB, 130 * MiB - 1])('changes with the byte at %d', (offset) => {
    const other = Buffer.from(bytes);
    other[offset] = (other[offset] ?? 0) ^ 1;
    expect(firstDifference(digest(other, [65_536]), whole)).toBe(Math.floor(offset / (64 * MiB)) * 64 * MiB);
  });

  test('notices data that moved, vanished or appeared', () => {
    const moved = Buffer.alloc(bytes.length);
    bytes.copy(moved, 65_536, 0, 60_000);
    bytes.copy(moved, MiB, MiB);
    expect(firstDifference(digest(moved, [65_536]), whole)).toBe(0);
    const shorter = Buffer.from(bytes).fill(0, 129 * MiB);
    expect(firstDifference(digest(shorter, [65_536]), whole)).toBe(128 * MiB);
    expect(firstDifference(whole, digest(Buffer.alloc(10), [10]))).toBe(0);
  });
});
