import { describe, expect, test } from '@jest/globals';
import { parseContent } from '../../lib/look/filesystem.js';
import { parsePartitions } from '../../lib/look/partitions.js';

const MiB = 2 ** 20;
const refusals = (output: string) =>
  parsePartitions(output, 64 * MiB).map(({ number, refused }) => [number, refused]);

describe('a table of partitions', () => {
  test('is read in bytes; what only contains others is none', () => {
    expect(parsePartitions('1 2048 63488 0x83\n2 65536 32768 0xf\n5 67584 2048 0x83\n', 64 * MiB)).toEqual([
      { number: 1, offset: MiB, sizeBytes: 31 * MiB, refused: null },
      { number: 5, offset: 33 * MiB, sizeBytes: MiB, refused: null },
    ]);
  });
  test('may reach beyond the disk: that partition is not looked into', () => {
    expect(
      refusals('1 2048 131072 0x83\n2 18446744073709551615 1 0x83\n3 9007199254740991 9007199254740991 0x83'),
    ).toEqual([
      [1, 'it reaches beyond the end of the disk'],
      [3, 'it reaches beyond the end of the disk'],
    ]);
  });
  test('may have partitions over each other, and over the table', () => {
    expect(refusals('1 2048 4096 0x83\n2 4096 4096 0x83\n3 0 2048 0x83\n4 9000 0 0x83')).toEqual([
      [1, 'it overlaps partition 2'],
      [2, 'it overlaps partition 1'],
      [3, 'it lies over the partition table'],
      [4, 'it is empty'],
    ]);
  });
  test('may have any number of them: 128 are looked at', () => {
    const lines = Array.from({ length: 5000 }, (_, index) => `${index + 1} ${2048 + index} 1 0x83`);
    expect(parsePartitions(lines.join('\n'), 64 * MiB)).toHaveLength(128);
  });
  test('may be no table', () => {
    expect(parsePartitions('partx: disk: failed to read partition table\n\n; rm -rf /', 64 * MiB)).toEqual(
      [],
    );
  });
});

describe('what is in a partition', () => {
  test.each([
    [0, 'TYPE=ext4\nUSAGE=filesystem\nUUID=12\n', 'ext4', 'ext4'],
    [0, 'TYPE=ntfs\nUSAGE=filesystem\n', 'ntfs3', 'ntfs'],
    [0, 'TYPE=LVM2_member\nUSAGE=raid\n', null, 'LVM2_member'],
    [0, 'TYPE=crypto_LUKS\nUSAGE=crypto\n', null, 'crypto_LUKS'],
    [0, 'TYPE=constructor\nUSAGE=filesystem\n', null, 'constructor'],
    [2, '', null, 'nothing that is known'],
    [8, 'TYPE=ext4\n', null, 'more than one filesystem in one place'],
  ])('%d %j', (exitCode, output, type, name) => {
    expect(parseContent(exitCode, output)).toMatchObject({ type, name });
  });
});
