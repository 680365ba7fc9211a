import { writeFile } from 'node:fs/promises';
import { beforeAll, expect, test } from '@jest/globals';
import { freshGroup } from '../support/ceph.js';
import { FaultyPrograms, type Fault } from '../support/faults.js';
import { scene } from './scene.js';

const MiB = 1024 ** 2;
const here = scene();
const group = freshGroup();

beforeAll(async () => {
  await here.current.shareClaim('share', group, 64 * MiB, (root) => writeFile(`${root}/file`, 'content'));
  await here.current.run();
});

async function restoreWith(faults: (where: string) => Fault[], name: string) {
  const { current } = here;
  const where = await current.shareClaim(name, group, 64 * MiB);
  const env = { ...current.env, PATH: new FaultyPrograms(faults(where), current.env.PATH).path };
  return current.command(['restore', 'app/share', '--to-pvc', `app/${name}`], env);
}

test('a ceph-fuse that ends by itself has written everything', async () => {
  expect(await restoreWith(() => [], 'ends')).toMatchObject({ code: 0 });
});

// What a client of CephFS was given it has written when it has ended: where its end is another, not all is there.
test.each<[string, (where: string) => Fault, RegExp]>([
  [
    'dies after it was unmounted',
    (where) => ({
      program: 'umount',
      when: '--no-canonicalize -- /run/cephbackup/cephfs',
      mode: 'then',
      command: `pkill -KILL -f "^ceph-fuse.*--client_mountpoint=${where}"`,
    }),
    /ceph-fuse died/,
  ],
  [
    // It wants to where the server asks it to let go of something, and crashes or hangs at its end.
    'cannot remount itself',
    () => ({ program: 'mount', when: '-i -o remount*', mode: 'fail' }),
    /ceph-fuse (died|had to be ended by force)/,
  ],
])('a ceph-fuse that %s may not have written everything', async (name, fault, why) => {
  const answer = await restoreWith((where) => [fault(where)], name.replaceAll(' ', '-'));
  expect(answer).toMatchObject({ code: 1, json: { error: { code: 'RESTORE_FAILED' } } });
  expect(answer.json.error?.message).toContain('not all may have reached the filesystem: ');
  expect(answer.json.error?.message).toMatch(why);
});
