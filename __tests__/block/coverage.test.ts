import { describe, expect, test } from '@jest/globals';
import { ExtentList } from '../../lib/qcow2/index.js';
import { Coverage } from '../../lib/volumes/block/coverage.js';
import { ExportDiffParser } from '../../lib/volumes/block/export-diff.js';
import { banner, data, end, size, snapshot, zeros } from './records.js';
import { codeOf } from './code-of.js';

const extents = ExtentList.of([
  [512, 100],
  [4096, 1_000_000],
]);
const content = Buffer.alloc(1_000_100, 'abcdefg');

/** What the planned extents contain, according to the stream. */
function cover(records: Buffer[], chunk = 4096): Buffer {
  const stream = Buffer.concat([banner, ...records]);
  const parser = new ExportDiffParser();
  const coverage = new Coverage({ snapshot: 'snap', sizeBytes: 2_000_001, extents });
  const found: Buffer[] = [];
  for (let at = 0; at < stream.length; at += chunk) {
    for (const part of parser.push(stream.subarray(at, at + chunk))) {
      for (const bytes of coverage.bytesOf(part)) found.push(Buffer.from(bytes));
    }
  }
  parser.finish();
  return Buffer.concat(found);
}

const head = [snapshot('snap'), size(2_000_001)];
const first = data(512, content.subarray(0, 100));
const second = data(4096, content.subarray(100));

describe('Coverage', () => {
  test('gives the bytes of the extents', () => {
    expect(cover([...head, first, second, end]).equals(content)).toBe(true);
  });

  test('takes zeros for data, and an extent in several records', () => {
    const records = [first, zeros(4096, 600_000), data(604_096, content.subarray(600_100)), end];
    const expected = Buffer.from(content).fill(0, 100, 600_100);
    expect(cover([...head, ...records]).equals(expected)).toBe(true);
  });

  test.each<[string, Buffer[]]>([
    ['a missing extent', [...head, first, end]],
    ['a missing first extent', [...head, second, end]],
    ['nothing at all', [...head, end]],
    ['half an extent', [...head, first, data(4096, content.subarray(0, 500_000)), end]],
    ['an extent that was not planned', [...head, first, zeros(700, 1), second, end]],
    ['an extent behind all others', [...head, first, second, zeros(1_500_000, 1), end]],
    ['an extent that is too long', [...head, data(512, content.subarray(0, 101)), second, end]],
    ['an extent that begins too early', [...head, data(511, content.subarray(0, 100)), second, end]],
    ['zeros that are too long', [...head, first, zeros(4096, 1_000_001), end]],
    ['disorder', [...head, second, first, end]],
    ['the same twice', [...head, first, first, second, end]],
    ['another size', [snapshot('snap'), size(2_000_000), first, second, end]],
    ['no size', [snapshot('snap'), first, second, end]],
    ['no snapshot, but the live image', [size(2_000_001), first, second, end]],
    ['another snapshot', [snapshot('snop'), size(2_000_001), first, second, end]],
  ])('refuses %s', (_, records) => {
    for (const chunk of [100, 10_000_000]) {
      expect(codeOf(() => cover(records, chunk))).toBe('EXPORT_INVALID');
    }
  });
});
