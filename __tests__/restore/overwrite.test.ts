import { mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { formattingKey, markerIn, markerValue } from '../../lib/restore/formatting-marker.js';
import { decide, type Decision, type Found, type Situation } from '../../lib/restore/overwrite.js';
import { recognise, type Superblock } from '../../lib/tools/node/superblock.js';
import { run } from '../../sandbox/process.js';

const ours = { restore: '0123abcd', time: '2026-01-31T12:00:00Z' };
const short = (decision: Decision) => (typeof decision === 'string' ? decision : decision.refuse);

/** What is decided: [without a mark], [with one], each without and with --force. */
type Row = readonly [
  target: Situation['target'],
  content: Situation['content'],
  found: Found,
  plain: string,
  forced: string,
  markedPlain?: string,
  markedForced?: string,
];

const exists = 'TARGET_EXISTS';
const missing = 'TARGET_NOT_FOUND';
const mismatch = 'FILESYSTEM_MISMATCH';

const rows: readonly Row[] = [
  ['claim', 'files', 'nothing', missing, missing],
  ['claim', 'files', 'something', 'look', 'look'],
  ['claim', 'files', 'blank', 'format', 'format'],
  ['claim', 'files', 'unfinished', mismatch, mismatch, exists, 'format'],
  ['claim', 'files', 'empty', 'fill', 'fill'],
  ['claim', 'files', 'content', exists, 'fill'],
  ['claim', 'files', 'unclean', exists, 'fill'],
  ['claim', 'files', 'foreign', mismatch, mismatch],

  ['image', 'files', 'nothing', 'create', 'create'],
  ['image', 'files', 'something', exists, 'look'],
  ['image', 'files', 'blank', exists, 'format'],
  ['image', 'files', 'unfinished', exists, mismatch, exists, 'format'],
  ['image', 'files', 'empty', exists, 'fill'],
  ['image', 'files', 'content', exists, 'fill'],
  ['image', 'files', 'unclean', exists, 'fill'],
  ['image', 'files', 'foreign', exists, mismatch],

  ['claim', 'disk', 'nothing', missing, missing],
  ['claim', 'disk', 'something', 'look', 'replace'],
  ['claim', 'disk', 'blank', 'replace', 'replace'],
  ['claim', 'disk', 'unfinished', exists, 'replace'],
  ['claim', 'disk', 'empty', exists, 'replace'],
  ['claim', 'disk', 'content', exists, 'replace'],
  ['claim', 'disk', 'unclean', exists, 'replace'],
  ['claim', 'disk', 'foreign', exists, 'replace'],

  ['image', 'disk', 'nothing', 'create', 'create'],
  ['image', 'disk', 'something', exists, 'replace'],
  ['image', 'disk', 'blank', exists, 'replace'],
  ['image', 'disk', 'content', exists, 'replace'],
  ['image', 'disk', 'foreign', exists, 'replace'],

  ['share', 'files', 'nothing', missing, missing],
  ['share', 'files', 'empty', 'fill', 'fill'],
  ['share', 'files', 'content', exists, 'fill'],

  ['directory', 'files', 'nothing', 'create', 'create'],
  ['directory', 'files', 'empty', 'fill', 'fill'],
  ['directory', 'files', 'content', exists, 'fill'],

  ['file', 'disk', 'nothing', 'create', 'create'],
  ['file', 'disk', 'something', exists, 'replace'],
];

describe('what a restore may format or overwrite', () => {
  test.each(rows)('%s, %s, %s: %s, with --force %s', (target, content, found, ...expected) => {
    const [plain, forced, markedPlain = plain, markedForced = forced] = expected;
    const decided = [null, ours].flatMap((marker) =>
      [false, true].map((force) => short(decide({ target, content, found, marker, force }))),
    );
    expect(decided).toEqual([plain, forced, markedPlain, markedForced]);
  });

  test('without --force nothing but zeros is formatted or overwritten, and files are added only where there are none', () => {
    const targets = ['claim', 'image', 'share', 'directory', 'file'] as const;
    const all: Found[] = ['nothing', 'something', 'blank', 'empty', 'content'];
    const founds: Found[] = [...all, 'unclean', 'unfinished', 'foreign'];
    for (const target of targets) {
      for (const content of ['files', 'disk'] as const) {
        for (const found of founds) {
          for (const marker of [null, ours, { restore: null, time: null }]) {
            const [plain, forced] = [false, true].map((force) =>
              decide({ target, content, found, marker, force }),
            );
            const situation = `${target} ${content} ${found}`;
            if (plain === 'format' || plain === 'replace')
              expect([situation, found]).toEqual([situation, 'blank']);
            if (plain === 'fill') expect([situation, found]).toEqual([situation, 'empty']);
            // Whatever is forced: files never cost a filesystem that is there.
            if (forced === 'format') expect(['blank', 'unfinished']).toContain(found);
          }
        }
      }
    }
  });

  test('a mark tells who left it; one of an older version, that somebody did', () => {
    expect(markerIn({})).toBeNull();
    expect(markerIn({ [formattingKey]: markerValue(ours) })).toEqual(ours);
    expect(markerIn({ [formattingKey]: 'true' })).toEqual({ restore: null, time: null });
    const refused = decide({
      target: 'claim',
      content: 'files',
      found: 'unfinished',
      marker: ours,
      force: false,
    });
    expect(JSON.stringify(refused)).toContain(`restore ${ours.restore} of ${ours.time}`);
  });
});

describe('what the first bytes of a device say', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'superblock-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const device = () => path.join(folder, 'device');
  const MiB = 1024 * 1024;

  async function found(...make: (string[] | (() => Promise<unknown>))[]): Promise<Superblock> {
    await rm(device(), { force: true });
    await writeFile(device(), '');
    await truncate(device(), 320 * MiB);
    for (const step of make) {
      if (typeof step === 'function') await step();
      else await run(step[0] ?? '', [...step.slice(1), device()]);
    }
    const file = await open(device());
    try {
      const bytes = Buffer.alloc(68 * 1024);
      await file.read(bytes, 0, bytes.length, 0);
      return recognise(bytes);
    } finally {
      await file.close();
    }
  }

  async function put(offset: number, bytes: Uint8Array): Promise<void> {
    const file = await open(device(), 'r+');
    await file.write(bytes, 0, bytes.length, offset);
    await file.close();
  }

  test('nothing, zeros that were written, data without a name', async () => {
    expect(await found()).toEqual({ type: 'zeros' });
    expect(await found(['mkfs.ext4', '-q'], () => put(0, Buffer.alloc(68 * 1024)))).toEqual({
      type: 'zeros',
    });
    expect(await found(() => put(4096, Buffer.alloc(1000, 7)))).toEqual({ type: 'unknown' });
  });

  test('the header of an encrypted disk', async () => {
    const luks = await found(() => put(0, Buffer.from('LUKS\xba\xbe\0\x02', 'latin1')));
    expect(luks).toEqual({ type: 'foreign', name: 'an encrypted disk (LUKS)' });
  });

  test('filesystems: whole, not unmounted cleanly, unfinished', async () => {
    expect(await found(['mkfs.ext4', '-q'])).toEqual({ type: 'ext', unclean: false });
    const dirty = ['debugfs', '-w', '-R', 'feature needs_recovery'];
    expect(await found(['mkfs.ext4', '-q'], dirty)).toEqual({ type: 'ext', unclean: true });
    expect(await found(['mkfs.xfs', '-q'])).toEqual({ type: 'xfs', unfinished: false });
    const unfinished = ['xfs_db', '-x', '-c', 'sb 0', '-c', 'write -d inprogress 1'];
    expect(await found(['mkfs.xfs', '-q'], unfinished)).toEqual({ type: 'xfs', unfinished: true });
  });

  test.each([
    ['GPT', ['bash', '-c', 'echo ",,L" | sfdisk -q --label gpt "$1"', '-']],
    ['partition table', ['bash', '-c', 'echo ",,L" | sfdisk -q --label dos "$1"', '-']],
    ['btrfs', ['mkfs.btrfs', '-q', '-f']],
    ['swap', ['mkswap', '-q']],
  ])('%s', async (name, command) => {
    const superblock = await found(command);
    expect(superblock).toMatchObject({ type: 'foreign', name: expect.stringContaining(name) as unknown });
  });
});
