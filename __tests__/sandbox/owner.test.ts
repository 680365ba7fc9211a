import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { expect, test } from '@jest/globals';
import { checkout } from '../../sandbox/checkout.js';

const built = (file: string) => JSON.stringify(pathToFileURL(path.join(checkout, 'dist/sandbox', file)).href);

/** Owns a Ceph with an image and a share that are mounted and written to, and says so. */
const program = `
const { own } = await import(${built('owner.js')});
const { createSubvolume, mountImage, mountShare, startCeph, writeFilesystem } = await import(${built('ceph.js')});
const { keepCommitting } = await import(${built('workload/writer.js')});
await own(async ({ folder }) => {
  const { cluster } = await startCeph({ dir: folder + '/ceph' });
  await cluster.createImage('rbd/volume', '64M');
  await writeFilesystem(cluster, 'rbd/volume', 'ext4', async () => undefined);
  const where = await createSubvolume(cluster, { filesystem: 'cephfs', group: 'csi', name: 'share' });
  for (const volume of [await mountImage(cluster, 'rbd/volume', 'ext4'), await mountShare(cluster, 'cephfs', where)]) {
    keepCommitting(volume.path, 5);
  }
  console.log(folder);
  setTimeout(() => undefined, 100_000);
  return new Promise(() => undefined);
});
`;

async function startOwner() {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [folder] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
  return { child, folder: folder.trim() };
}

/** Processes and loop devices that have to do with `folder`. */
async function traces(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const [command, mounts] = await Promise.all(
      ['cmdline', 'mounts'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')),
    );
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    if ([command, mounts, environment].some((text) => text?.includes(folder) === true)) {
      found.push(`${pid} ${command ?? ''}`);
    }
  }
  return found;
}

async function expectNoTraces(folder: string): Promise<void> {
  for (let tries = 0; tries < 20 && (await traces(folder)).length > 0; tries++) await sleep(500);
  expect(await traces(folder)).toEqual([]);
}

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s takes down daemons, mounts and the folder', async (signal, expected) => {
  const { child, folder } = await startOwner();
  expect((await traces(folder)).length).toBeGreaterThan(6);
  const closed = once(child, 'exit');
  // Twice, as a terminal and npm together send it.
  child.kill(signal);
  setTimeout(() => child.kill(signal), 5);
  const [code] = (await closed) as [number];
  expect(code).toBe(expected);
  expect(existsSync(folder)).toBe(false);
  await expectNoTraces(folder);
});

test('what SIGKILL leaves is a folder, which the next owner removes', async () => {
  const { child, folder } = await startOwner();
  const closed = once(child, 'exit');
  child.kill('SIGKILL');
  await closed;
  await expectNoTraces(folder);
  const next = await startOwner();
  expect(existsSync(folder)).toBe(false);
  const end = once(next.child, 'exit');
  next.child.kill('SIGTERM');
  await end;
});
