import { mkdir, writeFile } from 'node:fs/promises';
import { run } from '../process.js';
import { randomBytesOf } from './random.js';

/** Fills a folder like a shop's upload directory: pictures by month, thumbnails, names as customers give them. */
export async function writeUploads(root: string): Promise<void> {
  const names = [
    'Grüße aus Köln.jpg',
    'receipt (2).pdf',
    '発注書.pdf',
    "it's fine.txt",
    '-draft.md',
    'a\nb.csv',
  ];
  for (let month = 1; month <= 12; month++) {
    const folder = `${root}/2024/${String(month).padStart(2, '0')}`;
    await mkdir(`${folder}/thumbnails`, { recursive: true });
    for (let picture = 0; picture < 8; picture++) {
      const seed = month * 100 + picture;
      await writeFile(`${folder}/IMG_${seed}.jpg`, randomBytesOf(seed, 60_000 + seed * 13));
      await writeFile(`${folder}/thumbnails/IMG_${seed}.jpg`, randomBytesOf(seed + 10_000, 3_000));
    }
    const name = names[month % names.length] ?? 'file';
    await writeFile(`${folder}/${name}`, `${name}\n`.repeat(200));
  }
  await writeFile(Buffer.concat([Buffer.from(`${root}/caf`), Buffer.from([0xe9])]), 'named on an old PC\n');
  await run('chown', ['-R', '33:33', root]);
}

/** Fills a folder like a database's data directory: table files, some of them sparse, and strict modes. */
export async function writeTables(root: string): Promise<void> {
  await mkdir(`${root}/base`, { mode: 0o700 });
  for (let table = 1; table <= 12; table++) {
    await writeFile(`${root}/base/${16_384 + table}`, randomBytesOf(table, 8192 * 16 * table), {
      mode: 0o600,
    });
  }
  await run('truncate', ['--size', '24M', `${root}/base/preallocated`]);
  await writeFile(`${root}/PG_VERSION`, '17\n', { mode: 0o600 });
  await writeFile(`${root}/postgresql.conf`, 'shared_buffers = 128MB\n', { mode: 0o640 });
  await run('setfacl', ['-m', 'u:65534:r', `${root}/postgresql.conf`]);
  await run('setfattr', ['-n', 'user.owner', '-v', 'shop team', `${root}/postgresql.conf`]);
  await run('chown', ['-R', '999:999', root]);
}
