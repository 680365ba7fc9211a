import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { run } from '../../sandbox/process.js';
import { runCephbackup } from '../support/cephbackup.js';
import { temporaryFolder } from '../support/temporary.js';
import { Library } from '../verify/library.js';

/** What a backup of segments says of its disk: the listing does at once, the file itself at the end. */
const MiB = 1024 ** 2;
const time = '2026-01-01 10:00:00';
const facts = { sizeBytes: 20 * MiB, segmentBytes: 4 * MiB };
let library: Library;
let folder: string;
let disk: string;

beforeAll(async () => {
  [library, folder] = await Promise.all([Library.create(), temporaryFolder('segments')]);
  disk = path.join(folder, 'disk');
  execFileSync(
    'sh',
    ['-c', 'truncate -s 20M "$0"; head -c 3M /dev/urandom | dd of="$0" conv=notrunc', disk],
    {
      stdio: 'ignore',
    },
  );
  await library.segments('1', time, disk, facts);
  await library.segments('2', time, disk);
  await library.segments('3', time, disk, { ...facts, sizeBytes: 12 * MiB });
  await library.segments('4', time, disk, { ...facts, sizeBytes: 2 * MiB });
});

async function restore(claim: string, ...format: string[]) {
  const file = path.join(folder, `${claim}${format.join('')}`);
  const env = { HOME: folder, ...library.repository.env };
  const args = [
    'restore',
    `app/${claim}`,
    '--snapshot',
    'latest',
    '--to-file',
    file,
    ...format,
    '-o',
    'json',
  ];
  return { ...(await runCephbackup(args, { env })), file };
}

test.each([
  ['where its time says the same', '1'],
  ['where it has another time', '2'],
  ['where its time speaks of a disk that its segments do not fit', '4'],
])('a disk comes back whole %s', async (_, claim) => {
  const { code, file, stderr } = await restore(claim, '--format', 'raw');
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  await run('cmp', [disk, file]);
});

test('what its time says is not believed against what the file says', async () => {
  for (const format of ['raw', 'qcow2']) {
    const { code, json, file } = await restore('3', '--format', format);
    expect([code, json]).toMatchObject([1, { error: { code: 'BACKUP_DAMAGED' } }]);
    expect(existsSync(file)).toBe(false);
  }
});
