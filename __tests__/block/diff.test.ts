import { describe, expect, test } from '@jest/globals';
import { CephbackupError } from '../../lib/errors/error.js';
import { DiffParser, WholeObjects } from '../../lib/volumes/block/diff.js';
import { withSeeds, type Random } from '../qcow2/random.js';
import { codeOf } from './code-of.js';

function parse(text: string | Buffer, chunk = 65_536) {
  const parser = new DiffParser();
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += chunk) parser.push(bytes.subarray(at, at + chunk));
  return [...parser.end()];
}

describe('DiffParser', () => {
  test.each<[string, string, { start: number; length: number }[]]>([
    ['no extents', '[]', []],
    ['no extents, with space', ' [ \n ]\n', []],
    [
      'exists as a string',
      '[{"offset":0,"length":512,"exists":"true"},{"offset":1024,"length":1,"exists":"false"}]\n',
      [
        { start: 0, length: 512 },
        { start: 1024, length: 1 },
      ],
    ],
    ['exists as a boolean', '[{"offset":4096,"length":512,"exists":true}]', [{ start: 4096, length: 512 }]],
    [
      'pretty text, another order, further fields',
      '[\n  {\n "exists": "true", "length": 7,\n "offset": 9007199254740000, "new": null }\n ,\n{"offset":9007199254740009,"length":1,"exists":"true"} ]',
      [
        { start: 9007199254740000, length: 7 },
        { start: 9007199254740009, length: 1 },
      ],
    ],
  ])('reads %s', (_, text, expected) => {
    for (const chunk of [1, 2, 13, 65_536]) expect(parse(text, chunk)).toEqual(expected);
  });

  test.each([
    ['nothing', ''],
    ['no end', '[{"offset":0,"length":512,"exists":"true"}'],
    ['half an entry', '[{"offset":0,"len'],
    ['an end without a beginning', ']'],
    ['an error instead', 'rbd: error opening image'],
    ['an entry that is none', '[{"offset":0}]'],
    ['a null', '[null,{"offset":0,"length":1,"exists":"true"}]'],
    ['nesting', '[[{"offset":0,"length":1,"exists":"true"}]]'],
    ['an existence that is none', '[{"offset":0,"length":1,"exists":"maybe"}]'],
    ['a negative offset', '[{"offset":-1,"length":1,"exists":"true"}]'],
    ['a fraction', '[{"offset":0.5,"length":1,"exists":"true"}]'],
    ['too large a number', '[{"offset":18446744073709551615,"length":1,"exists":"true"}]'],
    ['an overflow', '[{"offset":9007199254740991,"length":9007199254740991,"exists":"true"}]'],
    ['an empty extent', '[{"offset":0,"length":0,"exists":"true"}]'],
    ['overlaps', '[{"offset":0,"length":9,"exists":"true"},{"offset":8,"length":9,"exists":"true"}]'],
    ['disorder', '[{"offset":9,"length":1,"exists":"true"},{"offset":0,"length":1,"exists":"true"}]'],
    ['two lists', '[][{"offset":0,"length":1,"exists":"true"}]'],
    ['something behind the list', '[{"offset":0,"length":1,"exists":"true"}] x'],
    [
      'an entry behind the list',
      '[{"offset":0,"length":1,"exists":"true"}],{"offset":4,"length":1,"exists":"true"}',
    ],
    ['no comma', '[{"offset":0,"length":1,"exists":"true"}{"offset":4,"length":1,"exists":"true"}]'],
  ])('refuses %s', (_, text) => {
    for (const chunk of [1, 5, 65_536]) {
      expect(codeOf(() => parse(text, chunk))).toBe('COMMAND_OUTPUT_INVALID');
    }
  });

  test('keeps no more than it needs of an entry that does not end', () => {
    const parser = new DiffParser();
    const push = () => {
      for (let i = 0; i < 100; i++) parser.push(Buffer.alloc(10_000, '['));
    };
    expect(push).toThrow('does not end');
  });

  test('a million extents', () => {
    const parser = new DiffParser();
    const entries = Array.from({ length: 1000 }, (_, i) => i);
    for (let block = 0; block < 1000; block++) {
      const text = entries.map(
        (i) => `{"offset":${(block * 1000 + i) * 8192},"length":4096,"exists":"true"}`,
      );
      parser.push(Buffer.from((block === 0 ? '[' : ',') + text.join(',')));
    }
    parser.push(Buffer.from(']'));
    expect(parser.end().count).toBe(1_000_000);
  });

  test('more extents than can be remembered become the objects that they lie in', () => {
    const entries = (count: number, apart: number) =>
      JSON.stringify(
        Array.from({ length: count }, (_, i) => ({ offset: i * apart, length: 10, exists: 'true' })),
      );
    const parser = (text: string, most: number) => {
      const own = new DiffParser({ size: 995, objectSize: 100 }, most);
      own.push(Buffer.from(text));
      return own.end();
    };
    // 5 in each object, of which the last is not whole.
    expect([...parser(entries(50, 20), 49)]).toEqual([{ start: 0, length: 995 }]);
    expect(parser(entries(50, 20), 50)).not.toBeInstanceOf(WholeObjects);
    const apart = parser(entries(4, 250), 2);
    expect(apart).toBeInstanceOf(WholeObjects);
    expect([...apart]).toEqual([0, 200, 500, 700].map((start) => ({ start, length: 100 })));
    // A list that goes on behind the image is none of its extents.
    expect(codeOf(() => parser(entries(5, 250), 2))).toBe('COMMAND_OUTPUT_INVALID');
  });

  test('survives whatever comes', async () => {
    await withSeeds(3000, (random) => {
      const text = damage(generate(random), random);
      try {
        parse(text, random.integer(1, 100));
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(CephbackupError);
      }
    });
  });
});

function generate(random: Random): string {
  let end = 0;
  const entries = Array.from({ length: random.integer(0, 8) }, () => {
    const offset = end + random.integer(0, 10_000);
    const length = random.integer(1, 10_000);
    end = offset + length;
    return { offset, length, exists: random.pick([true, 'true', 'false']) };
  });
  return JSON.stringify(entries);
}

function damage(text: string, random: Random): Buffer {
  const bytes = Buffer.from(text);
  for (let i = random.integer(0, 4); i > 0; i--) {
    bytes[random.integer(0, bytes.length - 1)] = random.pick([
      ...Buffer.from('[]{},:"0-e.\\\n'),
      0,
      0x80,
      0xff,
    ]);
  }
  return bytes.subarray(0, random.pick([bytes.length, random.integer(0, bytes.length)]));
}
