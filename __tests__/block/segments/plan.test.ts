import { describe, expect, test } from '@jest/globals';
import { ExtentList } from '../../../lib/qcow2/index.js';
import {
  factsOfTime,
  factsTime,
  formatFacts,
  parseFacts,
  sameTime,
  segmentBytesFor,
  segmentIndex,
  segmentLength,
  segmentPath,
  type DiskFacts,
  type Time,
} from '../../../lib/volumes/block/segments/format.js';
import { planSegments, type KnownSegment, type Segment } from '../../../lib/volumes/block/segments/plan.js';
import { withSeeds, type Random } from '../../qcow2/random.js';

const mib = 1024 ** 2;

function extentsOf(random: Random, sizeBytes: number, most: number): ExtentList {
  const list = new ExtentList();
  for (let at = 0, left = random.integer(0, most); left > 0; left--) {
    const start = at + random.integer(0, Math.floor(sizeBytes / 4));
    const length = random.integer(1, 2 ** random.integer(0, 24));
    if (start + length > sizeBytes) break;
    list.push(start, length);
    at = start + length;
  }
  return list;
}

function diskOf(random: Random): DiskFacts {
  const sizeBytes = random.integer(1, 64 * mib);
  return { sizeBytes, segmentBytes: segmentBytesFor(sizeBytes, 2 ** random.integer(12, 25)) };
}

function touches(extents: ExtentList, { sizeBytes, segmentBytes }: DiskFacts, index: number): boolean {
  const end = Math.min((index + 1) * segmentBytes, sizeBytes);
  return [...extents].some(({ start, length }) => start < end && start + length > index * segmentBytes);
}

test('a segment is in the plan if it has data, and read if anything speaks for a change', async () => {
  await withSeeds(150, (random) => {
    const facts = diskOf(random);
    const [extents, changes] = [
      extentsOf(random, facts.sizeBytes, 12),
      extentsOf(random, facts.sizeBytes, 6),
    ];
    const count = Math.ceil(facts.sizeBytes / facts.segmentBytes);
    const time: Time = { seconds: random.integer(0, 5), nanoseconds: 0 };
    const parent = new Map<number, KnownSegment>();
    for (let index = 0; index < count + 2; index++) {
      if (random.integer(0, 3) === 0) continue;
      const sizeBytes = Math.max(0, segmentLength(facts, index) - random.pick([0, 0, 0, 512]));
      parent.set(index, {
        sizeBytes,
        mtime: { seconds: random.integer(0, 5), nanoseconds: random.pick([0, 1]) },
      });
    }
    const plan = planSegments({ facts, extents, changes, time, parent });
    const planned = new Map(plan.map((segment) => [segment.index, segment]));
    expect([...planned.keys()]).toEqual([...planned.keys()].sort((a, b) => a - b));
    for (let index = 0; index < count + 2; index++) {
      const segment = planned.get(index);
      expect([index, segment !== undefined]).toEqual([
        index,
        index < count && touches(extents, facts, index),
      ]);
      if (segment === undefined) continue;
      const known = parent.get(index);
      const sizeBytes = segmentLength(facts, index);
      const read = known?.sizeBytes !== sizeBytes || touches(changes, facts, index);
      expect(segment).toMatchObject({ sizeBytes, read });
      // restic reads what has another time than in the parent, and nothing else.
      expect(known !== undefined && sameTime(known.mtime, segment.mtime)).toBe(!read);
    }
    expect(planSegments({ facts, extents, changes, time, parent: null }).every(({ read }) => read)).toBe(
      true,
    );
  });
});

/** A disk of letters, one a sector; a space was never written. */
class Disk {
  constructor(
    readonly facts: DiskFacts,
    readonly sectors: string[],
  ) {}

  segment(index: number): string {
    const each = this.facts.segmentBytes / sector;
    return this.sectors.slice(index * each, (index + 1) * each).join('');
  }

  extents(): ExtentList {
    return ExtentList.of(
      this.sectors.flatMap((letter, at) => (letter === ' ' ? [] : [[at * sector, sector] as const])),
    );
  }

  changesTo(next: Disk): ExtentList {
    const most = Math.max(this.sectors.length, next.sectors.length);
    const differing = Array.from({ length: most }, (_, at) => at).filter(
      (at) => (this.sectors[at] ?? ' ') !== (next.sectors[at] ?? ' '),
    );
    return ExtentList.of(differing.map((at) => [at * sector, sector] as const));
  }
}

const sector = mib;

interface Saved extends KnownSegment {
  content: string;
}

/** What restic does: a file with the parent's time and size is taken from there, any other is read. */
function save(
  disk: Disk,
  segments: readonly Segment[],
  parent: ReadonlyMap<number, Saved>,
): Map<number, Saved> {
  return new Map(
    segments.map(({ index, sizeBytes, mtime }) => {
      const known = parent.get(index);
      const same = known?.sizeBytes === sizeBytes && sameTime(known.mtime, mtime);
      return [index, { sizeBytes, mtime, content: same ? known.content : disk.segment(index) }];
    }),
  );
}

test('whatever happens to a disk, each backup has its segments, whatever the clock says', async () => {
  await withSeeds(40, (random) => {
    const letters = '  abcdef'.split(/(?:)/);
    const make = (count: number, old: readonly string[] = []) => {
      const sizeBytes = count * sector;
      const sectors = Array.from({ length: count }, (_, at) =>
        old[at] === undefined || random.integer(0, 19) === 0 ? random.pick(letters) : old[at],
      );
      return new Disk({ sizeBytes, segmentBytes: segmentBytesFor(sizeBytes, 4 * mib) }, sectors);
    };
    let disk = make(40);
    let backup = new Map<number, Saved>();
    for (let run = 0; run < 12; run++) {
      const next = make(
        random.integer(0, 4) === 0 ? random.integer(1, 60) : disk.sectors.length,
        disk.sectors,
      );
      const segments = planSegments({
        facts: next.facts,
        extents: next.extents(),
        changes: disk.changesTo(next),
        parent: run === 0 ? null : backup,
        // It stands still, and goes back.
        time: { seconds: random.integer(100, 103), nanoseconds: 0 },
      });
      backup = save(next, segments, backup);
      disk = next;
      const blank = Array.from({ length: 4 }, () => ' ').join('');
      for (let index = 0; index * 4 < disk.sectors.length; index++)
        expect([
          run,
          index,
          backup.get(index)?.content ?? blank.slice(0, disk.segment(index).length),
        ]).toEqual([run, index, disk.segment(index)]);
    }
  });
});

describe('the format', () => {
  test('has the least segments of a power of two times the objects, at most 65,536 of 4 MiB or more', async () => {
    await withSeeds(500, (random) => {
      const object = 2 ** random.integer(12, 25);
      const size = Math.floor(2 ** (random.next() * 52));
      const segment = segmentBytesFor(size, object);
      const fits = (bytes: number) => bytes >= 4 * mib && Math.ceil(size / bytes) <= 65_536;
      expect([object, size, fits(segment), Math.log2(segment / object) % 1]).toEqual([object, size, true, 0]);
      expect([object, size, segment / 2 >= object && fits(segment / 2)]).toEqual([object, size, false]);
    });
  });

  test('names each segment by its number, and nothing else is a segment', async () => {
    await withSeeds(500, (random) => {
      const index = Math.floor(2 ** (random.next() * 32));
      expect(segmentIndex(segmentPath(index))).toBe(index);
      const path = segmentPath(index).split(/(?:)/);
      path[random.integer(0, 7)] = random.pick('0123456789abcdefgA/.'.split(/(?:)/));
      const other = segmentIndex(path.join(''));
      expect(other === null || other === index).toBe(true);
    });
    for (const none of [
      'image.json',
      '00000000',
      '00000000/',
      '0/0',
      '../../etc/passwd',
      '00000000/00000100',
    ])
      expect([none, segmentIndex(none)]).toEqual([none, null]);
  });

  test('tells the size of the image and of its segments, and by a time, too', async () => {
    const times = new Map<string, string>();
    await withSeeds(500, (random) => {
      const sizeBytes = Math.floor(2 ** (random.next() * 52));
      const facts = { sizeBytes, segmentBytes: 2 ** random.integer(22, 36) };
      expect(parseFacts(formatFacts(facts))).toEqual(facts);
      const { seconds, nanoseconds } = factsTime(facts);
      expect(factsOfTime({ seconds, nanoseconds })).toEqual(facts);
      expect(nanoseconds).toBeLessThan(1e9);
      const time = `${seconds}.${nanoseconds}`;
      expect(times.get(time) ?? formatFacts(facts)).toBe(formatFacts(facts));
      times.set(time, formatFacts(facts));
    });
  });

  test.each(['', '{}', 'null', '[]', '{"format":3,"size":1,"segmentSize":1}', '{"format":2,"size":1}'])(
    'is not %j',
    (text) => {
      expect(() => parseFacts(text)).toThrow();
    },
  );

  test.each([
    { format: 2, size: -1, segmentSize: 4096 },
    { format: 2, size: 1, segmentSize: 0 },
    { format: 2, size: 1.5, segmentSize: 4096 },
    { format: 2, size: '1', segmentSize: 4096 },
    { format: 2, size: 1, segmentSize: 5 },
    { format: 2, size: 2 ** 53, segmentSize: 4096 },
  ])('is not %j', (facts) => {
    expect(() => parseFacts(JSON.stringify(facts))).toThrow();
  });
});
