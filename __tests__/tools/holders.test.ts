import { mkdir, open, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { holdersOf, takenByMultipath } from '../../lib/tools/node/holders.js';
import { temporaryFolder } from '../support/temporary.js';

/** What the kernel shows of two images that are mapped, of which multipathd took the first, and LVM the second. */
async function node() {
  const root = await temporaryFolder('holders');
  const folders = { sys: path.join(root, 'sys'), proc: path.join(root, 'proc') };
  const write = async (file: string, text: string) => {
    await mkdir(path.dirname(path.join(root, file)), { recursive: true });
    await writeFile(path.join(root, file), `${text}\n`);
  };
  await write('sys/block/rbd0/holders/dm-3', '');
  await write('sys/block/dm-3/dm/name', 'mpatha');
  await write('sys/block/dm-3/dm/uuid', 'mpath-0QEMU');
  await write('sys/block/rbd1/holders/dm-4', '');
  await write('sys/block/dm-4/dm/name', 'group-data');
  await write('sys/block/dm-4/dm/uuid', 'LVM-abc');
  await mkdir(path.join(root, 'sys/block/rbd2/holders'), { recursive: true });
  await write('proc/41/comm', 'backup-agent');
  await mkdir(path.join(root, 'proc/41/fd'));
  await symlink('/dev/rbd2', path.join(root, 'proc/41/fd/7'));
  await symlink('/dev/rbd22', path.join(root, 'proc/41/fd/8'));
  return folders;
}

test('who holds a device is told by what it is', async () => {
  const folders = await node();
  expect(await holdersOf('/dev/rbd0', folders)).toEqual(['multipathd (as mpatha, dm-3)']);
  expect(await holdersOf('/dev/rbd1', folders)).toEqual(['device mapper (group-data, dm-4)']);
  expect(await holdersOf('/dev/rbd2', folders)).toEqual(['process 41 (backup-agent)']);
  expect(await holdersOf('/dev/rbd9', folders)).toEqual([]);
  expect(await takenByMultipath(folders)).toEqual(['/dev/rbd0']);
});

test('a process of this machine is seen', async () => {
  const file = await open('/dev/null');
  try {
    const own = (await readFile('/proc/self/comm', 'utf8')).trim();
    expect(await holdersOf('/dev/null')).toContain(`process ${process.pid} (${own})`);
  } finally {
    await file.close();
  }
});
