import { rm } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { attachImage } from '../../../sandbox/ceph.js';
import { run } from '../../../sandbox/process.js';
import { Random, seedOfRun } from '../../qcow2/random.js';
import { Rig } from './rig.js';

const mib = 1024 ** 2;
/** `RUNS=20 npm test -- in-use` takes its time. */
const runs = Number(process.env.RUNS ?? 2);

let rig: Rig;

beforeAll(async () => {
  rig = await Rig.create();
});

test('a disk with partitions and an ext4 that is in use and trimmed: each backup is its snapshot, and mounts', async () => {
  const random = new Random(seedOfRun());
  const claim = await rig.disk('in-use', 192 * mib);
  const { cluster } = rig.scenario;
  const attached = await attachImage(cluster, claim.image);
  const { namespace, file, folder } = attached;
  const root = path.join(folder, 'root');
  const read: number[] = [];
  try {
    await namespace.run('sh', ['-ec', 'printf "2048,131072\\n,\\n" | sfdisk --quiet --label gpt "$0"', file]);
    await namespace.run('mke2fs', ['-q', '-t', 'ext4', '-E', `offset=${mib}`, file, '64M']);
    await namespace.run('mount', ['-o', `loop,offset=${mib},sizelimit=${64 * mib},discard`, file, root]);
    for (let number = 0; number < runs; number++) {
      const work = Array.from({ length: random.integer(1, 6) }, () => {
        const name = `f${random.integer(0, 9)}`;
        return random.pick([
          `dd if=/dev/urandom of=${name} bs=4k count=${random.integer(1, 1500)} status=none`,
          `dd if=/dev/urandom of=${name} bs=4k count=1 seek=${random.integer(0, 1000)} conv=notrunc status=none`,
          `rm -f ${name}`,
        ]);
      });
      const trim = random.integer(0, 1) === 0 ? ['sync', 'fstrim .'] : ['sync'];
      await namespace.run('sh', ['-ec', ['cd "$0"', ...work, ...trim].join('\n'), root]);
      const backup = await rig.backUp('in-use');
      expect([number, backup.base]).toEqual([number, number === 0 ? 'first' : 'used']);
      read.push(Math.round((backup.bytesRead / backup.bytesTotal) * 100));
      await rig.expectEqualToBase(claim, backup.snapshot ?? '');
      const restored = path.join(rig.folder, 'restored.raw');
      const target = ['restore', 'in-use/disk', '--to-file', restored, '--format', 'raw'];
      const { code, stderr } = await rig.scenario.cephbackup(target);
      if (code !== 0) throw new Error(stderr);
      const [base = ''] = await rig.bases(claim);
      const exported = path.join(rig.folder, 'exported.raw');
      await cluster.rbd('export', '--no-progress', `${claim.image}@${base}`, exported);
      await run('cmp', [restored, exported]);
      const check = `sfdisk --quiet --verify "$0"
        dd if="$0" of="$0.ext4" bs=1M skip=1 count=64 conv=sparse status=none
        e2fsck -p "$0.ext4" || [ $? -eq 1 ] # its journal was replayed
        e2fsck -fn "$0.ext4"
        rm "$0.ext4"`;
      await run('sh', ['-ec', check, restored]);
      await Promise.all([rm(restored), rm(exported)]);
    }
    if (process.env.RUNS !== undefined)
      console.log(`percent read of what is in use, by run: ${read.join(' ')}`);
  } finally {
    await namespace.attempt('umount', [root]);
    await attached.detach();
  }
}, 3_600_000);
