import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import {
  createSubvolume,
  formatImage,
  mountImage,
  mountShare,
  startCeph,
  writeFilesystem,
  type CephCluster,
} from '../../sandbox/ceph.js';
import { ceph, freshGroup, freshNamespace } from '../support/ceph.js';
import { temporaryFolder } from '../support/temporary.js';

let cluster: CephCluster;
let namespace: string;
beforeAll(async () => {
  cluster = await ceph();
  namespace = await freshNamespace();
});

describe('a Ceph of the sandbox', () => {
  test('serves users with no more than their capabilities', async () => {
    await cluster.createImage(`${namespace}/guarded`, '8M');
    const { id, keyring } = await cluster.createUser('reader', {
      mon: 'profile rbd',
      osd: 'profile rbd-read-only pool=rbd',
    });
    const as = ['--id', id, '--keyring', keyring];
    expect(await cluster.run('rbd', [...as, 'ls', namespace])).toContain('guarded');
    expect((await cluster.attempt('rbd', [...as, 'rm', `${namespace}/guarded`])).code).not.toBe(0);
  });

  test('answers at the addresses that it is known by', async () => {
    const { code } = await cluster.attempt('rbd', ['-m', cluster.monitors.join(','), 'ls', namespace]);
    expect(code).toBe(0);
  });

  test('tells when one of several commands fails', async () => {
    await expect(cluster.ceph('osd pool ls', 'osd pool get nowhere size', 'osd pool ls')).rejects.toThrow(
      'nowhere',
    );
  });

  test('leaves nothing when it stops, and two of them do not meet', async () => {
    const dir = path.join(await temporaryFolder(), 'second');
    const second = await startCeph({ dir, filesystems: [], pools: ['only-here'] });
    try {
      expect(second.cluster.fsid).not.toBe(cluster.fsid);
      expect(await cluster.ceph('osd pool ls')).not.toContain('only-here');
    } finally {
      await second.stop();
    }
    expect(existsSync(dir)).toBe(false);
    expect(await processesOf(dir)).toEqual([]);
  });

  test('leaves nothing when it cannot start', async () => {
    const dir = path.join(await temporaryFolder(), 'broken');
    await expect(startCeph({ dir, filesystems: [], pools: ['bad name here'] })).rejects.toThrow();
    expect(existsSync(dir)).toBe(false);
    expect(await processesOf(dir)).toEqual([]);
  });
});

describe('a volume in use', () => {
  test.each(['ext4', 'xfs', 'btrfs'] as const)('keeps what was written to %s', async (type) => {
    const image = `${namespace}/${type}`;
    await cluster.createImage(image, '320M');
    await writeFilesystem(cluster, image, type, (root) => writeFile(`${root}/greeting`, type));
    const volume = await mountImage(cluster, image, type);
    try {
      expect(await readFile(`${volume.path}/greeting`, 'utf8')).toBe(type);
      expect(await cluster.rbd('status', image)).toContain('watcher=');
      await cluster.rbd('snap', 'create', `${image}@while-in-use`, '--no-progress');
    } finally {
      await volume.unmount();
    }
    expect(await cluster.rbd('status', image)).toContain('Watchers: none');
  });

  test('is refused with what the tool said, and let go', async () => {
    const image = `${namespace}/tiny`;
    await cluster.createImage(image, '1M');
    await expect(formatImage(cluster, image, 'xfs')).rejects.toThrow(/mkfs.xfs.*exit code/s);
    expect(await cluster.rbd('status', image)).toContain('Watchers: none');
  });

  test('can be a CephFS subvolume', async () => {
    const subvolume = { filesystem: 'cephfs', group: freshGroup(), name: 'share' };
    const where = await createSubvolume(cluster, subvolume, 64 * 1024 ** 2);
    const first = await mountShare(cluster, 'cephfs', where);
    await writeFile(`${first.path}/greeting`, 'hello');
    await first.unmount();
    const second = await mountShare(cluster, 'cephfs', where);
    try {
      expect(await readFile(`${second.path}/greeting`, 'utf8')).toBe('hello');
    } finally {
      await second.unmount();
    }
  });
});

/** Command lines that mention `text`, of any process. */
async function processesOf(text: string): Promise<string[]> {
  const output = await cluster.run('ps', ['-eo', 'args']);
  return output.split('\n').filter((line) => line.includes(text));
}
