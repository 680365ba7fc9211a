import { open, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, afterAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseConfig } from '../../lib/look/lvm/config.js';
import { logicalVolumes } from '../../lib/look/lvm/logical-volumes.js';
import { parsePartitions } from '../../lib/look/partitions.js';
import { attempt } from '../../sandbox/process.js';
import { temporaryFolder } from '../support/temporary.js';

const numRuns = Number(process.env.FUZZ_RUNS ?? 300);
const seed = process.env.FUZZ_SEED === undefined ? {} : { seed: Number(process.env.FUZZ_SEED) };
const options = { numRuns, ...seed };
const MiB = 1024 ** 2;
const sector = 512;

interface Range {
  offset: number;
  sizeBytes: number;
}
/** What is looked into lies within the disk, and nothing of it over anything else. */
function expectSound(ranges: readonly Range[], diskBytes: number): void {
  const sorted = ranges.toSorted((a, b) => a.offset - b.offset);
  for (const [index, { offset, sizeBytes }] of sorted.entries()) {
    expect(Number.isSafeInteger(offset) && offset >= 0 && sizeBytes >= sector).toBe(true);
    expect(offset + sizeBytes).toBeLessThanOrEqual(sorted[index + 1]?.offset ?? diskBytes);
  }
}

/** Numbers that tables are attacked with: small, those of a disk of 16 MiB, and the largest. */
const sectors = fc.oneof(
  fc.nat(64),
  fc.nat(40_000),
  fc.constantFrom(0, 1, 63, 2048, 32_767, 32_768, 2 ** 31, 2 ** 32 - 1),
);

describe('a table of partitions that was made to harm, read by the real partx', () => {
  let disk: FileHandle;
  let file = '';
  beforeAll(async () => {
    file = path.join(await temporaryFolder('tables'), 'disk');
    disk = await open(file, 'w+');
  });
  afterAll(() => disk.close());

  const type = fc.constantFrom(0x83, 0x05, 0x0f, 0x85, 0xee, 0x00, 0x82, 0xa5);
  const entry = fc.tuple(type, sectors, sectors);
  const table = fc.array(entry, { maxLength: 4 });
  /** Where extended tables may be found: they point at each other, and at themselves. */
  const tables = fc.array(fc.tuple(fc.oneof(fc.constant(0), sectors), table), { minLength: 1, maxLength: 6 });

  test('is read to an end, and what is looked into is sound', async () => {
    // Each one starts a program.
    const few = { ...options, numRuns: Math.max(40, numRuns / 5) };
    await fc.assert(
      fc.asyncProperty(tables, async (all) => {
        await disk.truncate(0);
        await disk.truncate(16 * MiB);
        for (const [at, entries] of all) {
          if (at >= 32_768) continue;
          const bytes = Buffer.alloc(66);
          entries.forEach(([kind, start, length], index) => {
            bytes.writeUInt8(kind, 16 * index + 4);
            bytes.writeUInt32LE(start, 16 * index + 8);
            bytes.writeUInt32LE(length, 16 * index + 12);
          });
          bytes.writeUInt16BE(0x55aa, 64);
          await disk.write(bytes, 0, 66, at * sector + 446);
        }
        const args = ['--raw', '--noheadings', '--output', 'NR,START,SECTORS,TYPE', '--', file];
        const { code, stdout } = await attempt('partx', args);
        expect(code).not.toBe(-1);
        const parts = parsePartitions(stdout, 16 * MiB);
        expect(parts.length).toBeLessThanOrEqual(128);
        expectSound(
          parts.filter(({ refused }) => refused === null),
          16 * MiB,
        );
      }),
      few,
    );
  });

  test('may have been printed by anything', () => {
    const line = fc.tuple(sectors, sectors, sectors).map((all) => all.join(' '));
    fc.assert(
      fc.property(fc.array(fc.oneof(line, fc.string()), { maxLength: 300 }), (lines) => {
        const parts = parsePartitions(lines.join('\n'), 16 * MiB);
        expectSound(
          parts.filter(({ refused }) => refused === null),
          16 * MiB,
        );
      }),
      options,
    );
  });
});

describe('a volume group that was made to harm', () => {
  const odd = fc.constantFrom(-1, 0, 2 ** 31, 2 ** 53 - 1, 2 ** 53, 1e300);
  /** Mostly what a sound group has: what is refused at once attacks nothing behind it. */
  const mostly = (sound: fc.Arbitrary<number>) =>
    fc.oneof({ weight: 12, arbitrary: sound }, { weight: 1, arbitrary: odd });
  const name = fc.oneof(
    { weight: 8, arbitrary: fc.stringMatching(/^[A-Za-z0-9+_][A-Za-z0-9+_.-]{0,7}$/) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        ...['..', '.', '-f', '../../etc', 'a/b', '__proto__', 'constructor', 'x'.repeat(200)],
      ),
    },
  );
  const segment = fc.record({
    start: mostly(fc.constant(0)),
    count: mostly(fc.integer({ min: 1, max: 6 })),
    stripes: mostly(fc.constant(1)),
    pv: fc.constantFrom('pv0', 'pv1', 'pv0', 'pv1', '__proto__'),
    at: mostly(fc.nat(12)),
  });
  const volume = fc.record({
    name,
    segments: fc.array(segment, { minLength: 1, maxLength: 2 }),
    count: fc.oneof({ weight: 12, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: odd }),
  });
  const group = fc.record({
    name,
    // Up to 1 MiB each.
    extent: mostly(fc.integer({ min: 1, max: 2048 })),
    start: fc.tuple(mostly(fc.constant(2048)), mostly(fc.constant(2048))),
    volumes: fc.array(volume, { maxLength: 8 }),
  });
  const text = group.map(({ name: called, extent, start, volumes }) => {
    const physical = start.map((first, index) => `pv${index} { id = "p-${index}" pe_start = ${first} }`);
    const logical = volumes.map(({ name: one, segments, count }) => {
      const all = segments.map(
        ({ start: from, count: extents, stripes, pv, at }, index) =>
          `segment${index + 1} { start_extent = ${from} extent_count = ${extents} type = "striped" stripe_count = ${stripes} stripes = ["${pv}", ${at}] }`,
      );
      return `${one} { status = ["READ", "VISIBLE"] segment_count = ${count ?? segments.length} ${all.join('\n')} }`;
    });
    return `${called} { extent_size = ${extent} physical_volumes { ${physical.join('\n')} }
      logical_volumes { ${logical.join('\n')} } }`;
  });

  test('has volumes within its disk, over nothing else, with names that stay where they are', () => {
    const placed = new Map([
      ['p0', { offset: MiB, sizeBytes: 8 * MiB }],
      ['p1', { offset: 12 * MiB, sizeBytes: 4 * MiB }],
    ]);
    fc.assert(
      fc.property(text, (made) => {
        let volumes: ReturnType<typeof logicalVolumes>;
        try {
          volumes = logicalVolumes(parseConfig(made), placed);
        } catch (thrown) {
          expect(String(thrown)).toMatch(/^Error: /);
          return;
        }
        expectSound(
          volumes.flatMap(({ ranges }) => ranges),
          16 * MiB,
        );
        for (const one of volumes) {
          expect(one.name).toMatch(/^[A-Za-z0-9+_.][A-Za-z0-9+_.-]*\/[A-Za-z0-9+_.][A-Za-z0-9+_.-]*$/);
          expect(one.name.split('/')).not.toContain('..');
          expect(one.refused === null).toBe(one.ranges.length > 0);
        }
      }),
      options,
    );
  });

  test('is described by anything: it is that, or an error', () => {
    const part = fc.oneof(
      fc.string(),
      fc.constantFrom('{', '}', '[', ']', '=', ',', '"', '\\', '#', '\n', 'a = 1', 'a {'),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
        try {
          expect(parseConfig(parts.join(' '))).toBeInstanceOf(Map);
        } catch (thrown) {
          expect(String(thrown)).toMatch(/^Error: /);
        }
      }),
      options,
    );
  });

  test.each([
    ['sections in each other', 'a {'.repeat(1_000_000)],
    ['lists in each other', `a = ${'['.repeat(1_000_000)}`],
    ['a string without an end', `a = "${'x'.repeat(4_000_000)}`],
    ['a string of escapes without an end', `a = "${'\\"'.repeat(2_000_000)}`],
  ])('has %s: it is refused', (_, text) => {
    expect(() => parseConfig(text)).toThrow();
  });
});
