import { describe, expect, test } from '@jest/globals';
import { CephbackupError } from '../../lib/errors/error.js';
import { ExportDiffParser, type ExportPart } from '../../lib/volumes/block/export-diff.js';
import { withSeeds } from '../qcow2/random.js';
import { banner, data, end, size, snapshot, zeros } from './records.js';
import { codeOf } from './code-of.js';

/** All parts, with the data of one record joined again. */
function parse(stream: Buffer, chunk = 65_536): ExportPart[] {
  const parser = new ExportDiffParser();
  const parts: ExportPart[] = [];
  for (let at = 0; at < stream.length; at += chunk) {
    for (const part of parser.push(stream.subarray(at, at + chunk))) {
      const last = parts.at(-1);
      if (part.type === 'data' && last?.type === 'data' && part.offset === last.offset + last.bytes.length) {
        last.bytes = Buffer.concat([last.bytes, part.bytes]);
      } else parts.push(part.type === 'data' ? { ...part, bytes: Buffer.from(part.bytes) } : part);
    }
  }
  parser.finish();
  return parts;
}

const good = Buffer.concat([
  banner,
  snapshot('cephbackup-1-2-3'),
  size(1_000_001),
  data(512, Buffer.from('hello')),
  zeros(4096, 2 ** 40),
  data(2 ** 41, Buffer.alloc(300, 7)),
  end,
]);

describe('ExportDiffParser', () => {
  test.each([1, 2, 7, 64, 65_536])('reads a stream in chunks of %d', (chunk) => {
    expect(parse(good, chunk)).toEqual([
      { type: 'snapshot', name: 'cephbackup-1-2-3' },
      { type: 'size', size: 1_000_001 },
      { type: 'data', offset: 512, bytes: Buffer.from('hello') },
      { type: 'zeros', offset: 4096, length: 2 ** 40 },
      { type: 'data', offset: 2 ** 41, bytes: Buffer.alloc(300, 7) },
      { type: 'end' },
    ]);
  });

  test('does not copy data', () => {
    const [, , part] = [...new ExportDiffParser().push(good)];
    expect(part?.type === 'data' && part.bytes.buffer === good.buffer).toBe(true);
  });

  test('finds every truncation', () => {
    for (let length = 0; length < good.length; length++) {
      expect(codeOf(() => parse(good.subarray(0, length)))).toBe('EXPORT_INVALID');
    }
  });

  test.each<[string, Buffer[]]>([
    ['another version', [Buffer.from('rbd diff v2\n')]],
    ['text', [Buffer.from('rbd: error opening image foo: (2) No such file or directory\n')]],
    ['an unknown record', [banner, Buffer.from('x')]],
    ['a difference to an earlier snapshot', [banner, Buffer.from('f\u0001\u0000\u0000\u0000a')]],
    ['an endless name', [banner, Buffer.from([0x74, 0xff, 0xff, 0xff, 0xff])]],
    ['an empty name', [banner, Buffer.from([0x74, 0, 0, 0, 0])]],
    ['a size beyond 2^53', [banner, size(2n ** 63n)]],
    ['an offset beyond 2^53', [banner, zeros(2n ** 64n - 1n, 1)]],
    ['a length beyond 2^53', [banner, data(0, Buffer.alloc(0), 2n ** 63n)]],
    ['an empty record', [banner, data(0, Buffer.alloc(0))]],
    ['a record behind the end', [banner, end, zeros(0, 1)]],
    ['a byte behind the end', [banner, end, Buffer.from('\n')]],
  ])('refuses %s', (_, pieces) => {
    for (const chunk of [1, 1000]) {
      expect(codeOf(() => parse(Buffer.concat(pieces), chunk))).toBe('EXPORT_INVALID');
    }
  });

  test('survives whatever comes', async () => {
    await withSeeds(3000, (random) => {
      const stream = Buffer.from(good);
      for (let i = random.integer(1, 6); i > 0; i--) {
        const at = random.pick([random.integer(12, 60), random.integer(0, stream.length - 1)]);
        stream[at] = random.pick([...Buffer.from('ftswze'), 0, 0xff, random.integer(0, 255)]);
      }
      try {
        parse(stream.subarray(0, random.integer(0, stream.length)), random.integer(1, 50));
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(CephbackupError);
      }
    });
  });
});
