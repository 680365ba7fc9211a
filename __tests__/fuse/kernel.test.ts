import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { mountedServer } from '../../lib/fuse/mount.js';
import { attempt, run } from '../../sandbox/process.js';
import { Random } from '../qcow2/random.js';
import { temporaryFolder } from '../support/temporary.js';
import { contents, mountTree, treeOf, type TestFile } from './mounted.js';

const random = new Random(19);
const large = random.bytes(5 * 1024 ** 2 + 17);

const endless: TestFile = { sizeBytes: 4 * 1024 ** 2, read: () => new Promise(() => undefined) };
const broken: TestFile = { sizeBytes: 4096, read: () => Promise.reject(new Error('no data')) };
const short: TestFile = { sizeBytes: 4096, read: () => Promise.resolve([Buffer.alloc(10)]) };

describe('a mounted tree', () => {
  test('is read as any other: by its names, in order, from anywhere, by many', async () => {
    const copy = path.join(await temporaryFolder(), 'copy');
    await writeFile(copy, large);
    const tree = treeOf({ d: { large: contents(large), empty: contents(Buffer.alloc(0)) }, e: {} });
    const { path: root, unmount, ended } = await mountTree(tree);
    const sh = (script: string) => run('sh', ['-ec', `cd "$0"; ${script}`, root], { env: { LC_ALL: 'C' } });

    expect(await sh('ls -A; ls -A d e')).toBe('d\ne\nd:\nempty\nlarge\n\ne:\n');
    expect(await sh("stat --format '%A %s %Y %n' d d/large")).toBe(
      `dr-xr-xr-x 0 1700000000 d\n-r--r--r-- ${large.length} 1700000000 d/large\n`,
    );
    expect(await sh("find d/large -printf '%T+ %l'")).toContain('.1234567890');
    await run('cmp', [copy, path.join(root, 'd/large')]);
    await sh('seq 8 | xargs -P 8 -I{} cmp d/large ' + copy);
    for (let i = 0; i < 30; i++) {
      const [skip, count] = [random.integer(0, large.length + 10), random.integer(1, 2_000_000)];
      const dd = `dd if=d/large bs=${count} skip=${skip} count=1 iflag=skip_bytes,fullblock status=none | sha256sum`;
      const expected = `tail -c +${skip + 1} ${copy} | head -c ${count} | sha256sum`;
      expect([skip, count, await sh(dd)]).toEqual([skip, count, await sh(expected)]);
    }
    expect(await sh('cat d/empty; df -P . | tail -1')).toContain(root);
    await sh('cp -a d /dev/shm/fuse-copy.$$ && rm -r /dev/shm/fuse-copy.$$');
    expect((await attempt('getfattr', ['-d', path.join(root, 'd/large')])).stderr).toContain('not supported');

    expect((await unmount()).code).toBe(0);
    expect(await ended).toBeNull();
  });

  test.each([
    ['touch d/new', 'Read-only file system'],
    ['echo x >>d/large', 'Read-only file system'],
    ['rm d/large', 'Read-only file system'],
    ['chmod 600 d/large', 'Read-only file system'],
    ['cat d', 'Is a directory'],
    ['cat d/none', 'No such file or directory'],
    ['ls d/large/x', 'Not a directory'],
    ['mkfifo d/x', 'Read-only file system'],
    ['cat d/broken', 'Input/output error'],
    ['cat d/short', 'Input/output error'],
  ])('answers %s with: %s', async (command, message) => {
    const tree = treeOf({ d: { large: contents(large), broken, short } });
    const { path: root } = await mountTree(tree);
    const { code, stderr } = await attempt('sh', ['-c', `cd "$0"; ${command}`, root], {
      env: { LC_ALL: 'C' },
    });
    expect([code === 0, stderr]).toEqual([false, expect.stringContaining(message)]);
  });

  test('of 65,536 files is listed, each with its size', async () => {
    const hex = (n: number) => n.toString(16).padStart(8, '0');
    const file = contents(Buffer.from('x'));
    const folders = Array.from({ length: 256 }, (_, folder) => [
      hex(folder),
      Object.fromEntries(Array.from({ length: 256 }, (_, i) => [hex(folder * 256 + i), file])),
    ]);
    const { path: root } = await mountTree(
      treeOf(Object.fromEntries(folders) as Record<string, Record<string, TestFile>>),
    );
    const listed = await run('find', [root, '-type', 'f', '-size', '1c', '-printf', '%f\n']);
    const expected = Array.from({ length: 65_536 }, (_, i) => hex(i));
    expect(listed.trimEnd().split('\n').sort()).toEqual(expected);
  });

  test('lets go of a reader that is killed, while the device does not answer', async () => {
    const {
      path: root,
      unmount,
      ended,
    } = await mountTree(treeOf({ d: { endless, large: contents(large) } }));
    const reader = execa('cat', [path.join(root, 'd/endless')], { reject: false });
    await sleep(100);
    // Others are served meanwhile.
    await run('cat', [path.join(root, 'd/large')], { encoding: 'latin1' });
    reader.kill('SIGKILL');
    expect((await reader).signal).toBe('SIGKILL');
    expect((await unmount()).code).toBe(0);
    expect(await ended).toBeNull();
  });

  test('can be unmounted under load: what is open is read to its end, and then the server ends', async () => {
    const { path: root, unmount, ended } = await mountTree(treeOf({ d: { large: contents(large) } }));
    const reader = execa('sh', ['-c', 'exec 3<"$0/d/large"; echo open; read go; cat <&3 | wc -c', root], {
      reject: false,
    });
    for await (const line of reader) {
      if (line !== 'open') {
        expect(line).toBe(String(large.length));
        break;
      }
      expect((await unmount()).stderr).toContain('busy');
      expect((await unmount('--lazy')).code).toBe(0);
      reader.stdin.end('go\n');
    }
    expect(await ended).toBeNull();
  });

  test('whose server dies fails every read, also one that waits', async () => {
    const folder = await temporaryFolder('fuse-dies');
    const script = path.join(folder, 'serve.mjs');
    const server = path.resolve('dist/lib/fuse/server.js');
    // One folder as the root, in which every name is an endless file.
    await writeFile(
      script,
      `import { serve } from ${JSON.stringify(server)};
       const mtime = { seconds: 0, nanoseconds: 0 };
       await serve(3, {
         attributes: (node) => ({ type: node === 1 ? 'directory' : 'file', mode: 0o555, sizeBytes: 4096, mtime }),
         lookup: () => 2,
         entries: () => [],
         read: () => { console.log('asked'); return new Promise(() => undefined); },
       });`,
    );
    const mountPoint = path.join(folder, 'mounted');
    await run('mkdir', [mountPoint]);
    const [program, args] = mountedServer(mountPoint, [process.execPath, script]);
    const served = execa(program, args, { reject: false });
    try {
      for (let mounts = ''; !mounts.includes(mountPoint);) mounts = await readFile('/proc/mounts', 'utf8');
      const reader = attempt('cat', [path.join(mountPoint, 'x')], { env: { LC_ALL: 'C' } });
      await once(served.stdout, 'data');
      served.kill('SIGKILL');
      expect(await reader).toMatchObject({ code: 1, stderr: expect.stringMatching(/aborted|not connected/) });
      const later = await attempt('cat', [path.join(mountPoint, 'x')], { env: { LC_ALL: 'C' } });
      expect(later.stderr).toContain('not connected');
    } finally {
      served.kill('SIGKILL');
      await attempt('umount', ['--lazy', mountPoint]);
    }
  });
});
