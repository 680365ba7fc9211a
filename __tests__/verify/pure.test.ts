import { describe, expect, test } from '@jest/globals';
import { damageIn } from '../../lib/verify/damage/damage.js';
import { withinBytes, type Candidate } from '../../lib/verify/rotation.js';
import { TarReader } from '../../lib/restore/tar.js';

const block = 512;

/** A header as POSIX.1-2001 has it. */
function header(name: string, size: number, type: string): Buffer {
  const bytes = Buffer.alloc(block);
  bytes.write(name, 0);
  if (size < 8 ** 11) bytes.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  else {
    bytes[124] = 0x80;
    bytes.writeBigUInt64BE(BigInt(size), 128);
  }
  bytes.write(type, 156);
  bytes.fill(0x20, 148, 156);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return bytes;
}

function padded(text: string): Buffer {
  return Buffer.concat([Buffer.from(text), Buffer.alloc((block - (text.length % block)) % block)]);
}

const end = Buffer.alloc(2 * block);
const archive = Buffer.concat([
  header('folder/', 0, '5'),
  header('folder/a', 1000, '0'),
  padded('a'.repeat(1000)),
  header('link', 0, '2'),
  // Its own header cannot say its size.
  header('pax', 12, 'x'),
  padded('12 size=700\n'),
  header('b', 0, '0'),
  padded('b'.repeat(700)),
  end,
]);

function read(bytes: Buffer, pieces: number) {
  const reader = new TarReader();
  for (let at = 0; at < bytes.length; at += pieces) reader.push(bytes.subarray(at, at + pieces));
  return reader.finish();
}

describe('an archive', () => {
  test.each([1, 7, 512, 700, 65_536])('is read in pieces of %i bytes', (pieces) => {
    expect(read(archive, pieces)).toEqual({ files: 2, directories: 1, bytes: 1700 });
  });

  test('may have a file of more than 8 GiB', () => {
    const reader = new TarReader();
    const size = 9 * 2 ** 30;
    reader.push(header('large', size, '0'));
    const chunk = Buffer.alloc(2 ** 26);
    for (let at = 0; at < size; at += chunk.length) reader.push(chunk);
    reader.push(end);
    expect(reader.finish()).toEqual({ files: 1, directories: 0, bytes: size });
  });

  test('that ends anywhere but at its end is broken', () => {
    for (let length = 0; length < archive.length; length += 100) {
      expect(() => read(archive.subarray(0, length), 4096)).toThrow('ends too early');
    }
  });

  test('with a header that was changed is broken', () => {
    for (const at of [0, 124, 130, 156, 512 + 124]) {
      const changed = Buffer.from(archive);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => read(changed, 4096)).toThrow('broken');
    }
  });
});

const pack = '582ee913f77601fc49912d1ca6c0dc1b263a91e8444e26dee7eeb567adffd053';
const tree = '8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4';

/** As restic 0.19 prints it. */
test.each([
  [
    `Fatal: cannot dump file: decrypting blob <data/6544e931> from pack ${pack} failed: ciphertext verification failed`,
    { object: 'blob', type: 'data', id: '6544e931', pack },
  ],
  [
    `Fatal: cannot dump file: decrypting blob <tree/362ad7c3> from pack ${pack} failed: ciphertext verification failed`,
    { object: 'blob', type: 'tree', id: '362ad7c3', pack },
  ],
  [
    'Fatal: cannot dump file: ReadFull(<data/582ee913f7>): file is too short',
    { object: 'pack', id: '582ee913f7', missing: false },
  ],
  [
    `Fatal: cannot dump file: ReadFull(<data/582ee913f7>): open /r/data/58/${pack}: no such file or directory`,
    { object: 'pack', id: '582ee913f7', missing: true },
  ],
  [
    'Fatal: cannot dump file: ReadFull(<data/582ee913f7>): The specified key does not exist.',
    { object: 'pack', id: '582ee913f7', missing: true },
  ],
  ['LoadRaw(<index/1f87ebe901>): invalid data returned', { object: 'index', id: '1f87ebe901' }],
  [
    `Fatal: cannot dump file: id ${tree} not found in repository`,
    { object: 'blob', type: null, id: tree, pack: null },
  ],
  [
    'Fatal: failed to find snapshot: failed to load snapshot e1f200c2: LoadRaw(<snapshot/e1f200c29d>): invalid data returned',
    { object: 'snapshot', id: 'e1f200c29d' },
  ],
  // A storage that does not answer has damaged nothing.
  ['Fatal: cannot dump file: ReadFull(<data/582ee913f7>): dial tcp 192.0.2.1:443: i/o timeout', null],
  ['Fatal: cannot dump file: ReadFull(<data/582ee913f7>): Access Denied.', null],
  ['Fatal: unable to open repository at /r: no such file or directory', null],
])('%s', (message, expected) => {
  expect(damageIn(message)).toEqual(expected);
});

test.each([
  [[10, 10, 10], 20, 2],
  [[10, 10, 10], 19, 1],
  [[10, 10, 10], 1, 1],
  [[10, 10, 10], 1000, 3],
  [[5, 100, 5], 50, 1],
  [[], 50, 0],
])('of claims with %j bytes a budget of %i takes %i', (sizes, budget, expected) => {
  const candidates = sizes.map((sizeBytes) => ({ backup: { sizeBytes } })) as Candidate[];
  expect(withinBytes(candidates, budget)).toBe(expected);
});
