import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { attachImage, mountImage, mountShare, whileMounted } from '../../sandbox/ceph.js';
import { imageClaim, shareClaim } from '../../sandbox/claims.js';
import { run } from '../../sandbox/process.js';
import { randomBytesOf } from '../../sandbox/workload/random.js';
import { freshGroup, freshPool } from '../support/ceph.js';
import { describeTree, differences, expectSameTree, makeHostileTree } from '../support/tree.js';
import { scene, type Answer } from './scene.js';

const MiB = 1024 * 1024;
const here = scene();
const group = freshGroup();
let tree = '';
const disk = randomBytesOf(7, 5 * MiB);

const except = (file: string) => file === 'lost+found';
const restore = (claim: string, ...args: string[]): Promise<Answer> =>
  here.current.command(['restore', `app/${claim}`, ...args]);

/** Looks at the filesystem of an image as a pod's node would: writable, with its journal. */
const inside = <T>(image: string, type: 'ext4' | 'xfs', look: (root: string) => Promise<T>) =>
  whileMounted(mountImage(here.current.cluster, here.current.image(image), type), look);

/** An image that nobody ever formatted, and its claim. */
async function emptyClaim(name: string, size: number, fsType: string | null): Promise<void> {
  await here.current.cluster.createImage(here.current.image(name), size);
  await here.current.claim(name, name, { size, fsType });
}

const newShare = (name: string) => here.current.shareClaim(name, group, 64 * MiB);

/** Fills a share, or reads it. */
const inShare = <T>(directory: string, look: (root: string) => Promise<T>) =>
  whileMounted(mountShare(here.current.cluster, 'cephfs', directory), look);

const copyTree = async (root: string) => {
  await run('cp', ['--archive', '--sparse=always', `${tree}/.`, root]);
};

beforeAll(async () => {
  const { current } = here;
  tree = current.file('tree');
  await mkdir(tree);
  await makeHostileTree(tree);
  await current.filesystemClaim('ext4', 96 * MiB, 'ext4', copyTree);
  await current.filesystemClaim('xfs', 320 * MiB, 'xfs', async (root) => {
    await writeFile(`${root}/data`, disk);
    await run('chown', ['-R', '999:998', root]);
  });
  await current.blockClaim('block', disk);
  await inShare(await newShare('share'), async (root) => {
    await mkdir(`${root}/uploads`);
    await writeFile(`${root}/uploads/picture`, disk);
    await run('setfattr', ['-n', 'user.note', '-v', 'x', `${root}/uploads`]);
    await run('chown', ['-R', '33:33', `${root}/uploads`]);
  });
  await current.run();
});

describe('files to a new image', () => {
  test('ext4: as large as the volume was, the same in every respect, and nothing keeps it open', async () => {
    const { current } = here;
    const answer = await restore('ext4', '--to-image', current.image('new-ext4'));
    expect(answer).toMatchObject({ code: 0, json: { verified: true, error: null } });
    expect(answer.json.target.state).toBe('complete');
    const info = JSON.parse(
      await current.cluster.rbd('info', '--format', 'json', current.image('new-ext4')),
    ) as {
      size: number;
    };
    expect(info.size).toBe(96 * MiB);
    expect(await current.cluster.rbd('status', current.image('new-ext4'))).toContain('Watchers: none');
    expect(await current.cluster.rbd('image-meta', 'ls', current.image('new-ext4'))).not.toContain(
      'cephbackup',
    );
    await inside('new-ext4', 'ext4', (root) => expectSameTree(tree, root, { except, sparse: true }));
  });

  test("xfs: the filesystem's type is the backup's; the root directory has the owner that it had", async () => {
    const answer = await restore('xfs', '--to-image', here.current.image('new-xfs'));
    expect(answer).toMatchObject({ code: 0, json: { warnings: [] } });
    await inside('new-xfs', 'xfs', async (root) => {
      expect((await readFile(`${root}/data`)).equals(disk)).toBe(true);
      expect(await stat(root)).toMatchObject({ uid: 999, gid: 998 });
    });
  });

  test('a part of a share becomes an ext4', async () => {
    const args = ['--to-image', here.current.image('from-share'), '--path', '/uploads/picture'];
    expect(await restore('share', ...args)).toMatchObject({ code: 0 });
    await inside('from-share', 'ext4', async (root) => {
      expect((await readFile(`${root}/uploads/picture`)).equals(disk)).toBe(true);
    });
  });

  test('that exists: refused, and with --force written over, with nothing deleted', async () => {
    const { current } = here;
    await current.cluster.createImage(current.image('existing'), 96 * MiB);
    const { writeFilesystem } = await import('../../sandbox/ceph.js');
    await writeFilesystem(current.cluster, current.image('existing'), 'ext4', async (root) => {
      await writeFile(`${root}/of-somebody-else`, 'stays');
    });
    const refused = await restore('ext4', '--to-image', current.image('existing'));
    expect(refused).toMatchObject({ code: 1, json: { error: { code: 'TARGET_EXISTS' } } });
    expect(await restore('ext4', '--to-image', current.image('existing'), '--force')).toMatchObject({
      code: 0,
    });
    await inside('existing', 'ext4', async (root) => {
      expect(await readFile(`${root}/of-somebody-else`, 'utf8')).toBe('stays');
      const found = differences(await describeTree(tree), await describeTree(root), {
        except: (file) => except(file) || file === 'of-somebody-else',
      });
      expect(found).toEqual([]);
    });
  });
});

test('the data of a new image go to the pool that the volume had for them, if there is one', async () => {
  const { current } = here;
  const { repository, cluster } = current;
  const dataPool = await freshPool();
  for (const [name, pool] of [
    ['pooled', dataPool],
    ['unpooled', 'no-such-pool'],
  ] as const) {
    await cluster.createImage(current.image(name), 4 * MiB);
    const options = { image: current.image(name), size: 4 * MiB, fsType: null, dataPool: pool };
    await current.seed(...imageClaim(cluster, { namespace: 'app', name }, options));
  }
  await current.run(['--pvc', 'app/pooled', '--pvc', 'app/unpooled']);
  expect(await repository.snapshots('--tag', 'pvc=pooled')).toHaveLength(1);
  expect(await restore('pooled', '--to-image', current.image('new-pooled'))).toMatchObject({ code: 0 });
  expect(await cluster.rbd('info', current.image('new-pooled'))).toContain(`data_pool: ${dataPool}`);
  const answer = await restore('unpooled', '--to-image', current.image('new-unpooled'));
  expect(answer).toMatchObject({ code: 0 });
  expect(answer.json.warnings.join()).toContain('no-such-pool');
});

describe('to the claim of a filesystem', () => {
  test('never formatted: formatted as its volume says', async () => {
    await emptyClaim('blank', 96 * MiB, 'ext4');
    expect(await restore('ext4', '--to-pvc', 'app/blank')).toMatchObject({
      code: 0,
      json: { verified: true },
    });
    await inside('blank', 'ext4', (root) => expectSameTree(tree, root, { except }));
  });

  test('its own volume, with content: refused; with --force what was lost is back and what came later stays', async () => {
    await inside('ext4', 'ext4', async (root) => {
      await run('rm', ['-r', `${root}/links`, `${root}/modes`]);
      await writeFile(`${root}/later`, 'later');
    });
    const refused = await restore('ext4', '--to-pvc', 'app/ext4');
    expect(refused).toMatchObject({ code: 1, json: { error: { code: 'TARGET_EXISTS' } } });
    expect(refused.json.target.state).toBe('untouched');
    expect(await restore('ext4', '--to-pvc', 'app/ext4', '--path', '/links', '--force')).toMatchObject({
      code: 0,
    });
    await inside('ext4', 'ext4', async (root) => {
      expect(await readdir(root)).not.toContain('modes');
      await expectSameTree(`${tree}/links`, path.join(root, 'links'));
      expect(await readFile(`${root}/later`, 'utf8')).toBe('later');
    });
  });

  test('with another filesystem than its volume says, or with data and none: refused even with --force', async () => {
    const { current } = here;
    await current.filesystemClaim('other-type', 320 * MiB, 'xfs', () => Promise.resolve());
    await current.claim('mislabelled', 'other-type', { size: 320 * MiB, fsType: 'ext4' });
    const mismatch = await restore('ext4', '--to-pvc', 'app/mislabelled', '--force');
    expect(mismatch).toMatchObject({ code: 1, json: { error: { code: 'FILESYSTEM_MISMATCH' } } });
    await current.blockClaim('raw-data', Buffer.concat([Buffer.alloc(MiB), disk]));
    await current.claim('raw-data-fs', 'raw-data', { size: 6 * MiB, fsType: 'ext4' });
    const unknown = await restore('ext4', '--to-pvc', 'app/raw-data-fs', '--force');
    expect(unknown).toMatchObject({ code: 1, json: { error: { code: 'FILESYSTEM_MISMATCH' } } });
    expect(unknown.json.target.state).toBe('untouched');
  });

  test('too small for the files: fails, and says what state it is in', async () => {
    await emptyClaim('tiny', 4 * MiB, 'ext4');
    const answer = await restore('xfs', '--to-pvc', 'app/tiny');
    expect(answer).toMatchObject({ code: 1, json: { error: { code: 'TARGET_FULL' } } });
    expect(answer.json.target.state).toBe('incomplete');
  });
});

describe('to the claim of a share', () => {
  test('an empty one is filled; one with content is refused, and completed with --force', async () => {
    const where = await newShare('other-share');
    expect(await restore('share', '--to-pvc', 'app/other-share')).toMatchObject({
      code: 0,
      json: { verified: true },
    });
    await inShare(where, async (root) => {
      expect((await readFile(`${root}/uploads/picture`)).equals(disk)).toBe(true);
      expect(await stat(`${root}/uploads`)).toMatchObject({ uid: 33, gid: 33 });
      await writeFile(`${root}/uploads/picture`, 'changed');
    });
    const refused = await restore('share', '--to-pvc', 'app/other-share');
    expect(refused).toMatchObject({ code: 1, json: { error: { code: 'TARGET_EXISTS' } } });
    expect(await restore('share', '--to-pvc', 'app/other-share', '--force')).toMatchObject({ code: 0 });
    await inShare(where, async (root) => {
      expect((await readFile(`${root}/uploads/picture`)).equals(disk)).toBe(true);
    });
  });

  test('the files of an image, with hostile names, modes and links', async () => {
    const where = await newShare('mixed');
    expect(await restore('ext4', '--to-pvc', 'app/mixed')).toMatchObject({ code: 0 });
    await inShare(where, async (root) => {
      const found = differences(await describeTree(`${tree}/names`), await describeTree(`${root}/names`));
      expect(found).toEqual([]);
      await expectSameTree(`${tree}/links`, `${root}/links`);
    });
  });
});

describe('to the claim of a disk', () => {
  test('blank and larger: written, the rest stays zero; with content: refused, and with --force overwritten', async () => {
    const { current } = here;
    await emptyClaim('larger', 8 * MiB, null);
    expect(await restore('block', '--to-pvc', 'app/larger')).toMatchObject({
      code: 0,
      json: { verified: true },
    });
    const expected = Buffer.concat([disk, Buffer.alloc(3 * MiB)]);
    expect((await current.read('larger')).equals(expected)).toBe(true);
    const refused = await restore('block', '--to-pvc', 'app/larger');
    expect(refused).toMatchObject({ code: 1, json: { error: { code: 'TARGET_EXISTS' } } });
    expect(await restore('block', '--to-pvc', 'app/larger', '--force')).toMatchObject({ code: 0 });
    expect((await current.read('larger')).equals(expected)).toBe(true);
  });

  test('smaller: refused even with --force', async () => {
    await emptyClaim('smaller', 4 * MiB, null);
    const answer = await restore('block', '--to-pvc', 'app/smaller', '--force');
    expect(answer).toMatchObject({ code: 1, json: { error: { code: 'TARGET_TOO_SMALL' } } });
    expect(answer.json.target.state).toBe('untouched');
  });
});

test('what does not go together is refused with the reason', async () => {
  for (const [claim, target] of [
    ['ext4', 'app/block'],
    ['share', 'app/block'],
    ['block', 'app/share'],
  ] as const) {
    const answer = await restore(claim, '--to-pvc', target, '--force');
    expect(answer).toMatchObject({ code: 1, json: { error: { code: 'TARGET_UNSUITABLE' } } });
  }
  const missing = await restore('ext4', '--to-pvc', 'app/no-such-claim');
  expect(missing).toMatchObject({ code: 1, json: { error: { code: 'TARGET_NOT_FOUND' } } });
});

describe('in use: refused even with --force, and nothing is written', () => {
  const pod = (name: string, claim: string, phase: string) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'app', name },
    spec: {
      containers: [{ name: 'c', image: 'i' }],
      volumes: [{ name: 'v', persistentVolumeClaim: { claimName: claim } }],
    },
    status: { phase },
  });

  async function refused(claim: string, target: string, who: string): Promise<void> {
    const answer = await restore(claim, '--to-pvc', `app/${target}`, '--force');
    expect(answer).toMatchObject({ code: 1, json: { error: { code: 'TARGET_IN_USE' } } });
    expect(answer.json.error?.message).toContain(who);
    expect(answer.json.target.state).toBe('untouched');
  }

  test('by a pod that waits, also of a share; one that has ended does not count', async () => {
    const { current } = here;
    await emptyClaim('used', 96 * MiB, 'ext4');
    const where = await newShare('used-share');
    await current.seed(pod('done', 'used', 'Succeeded'), pod('waiting', 'used', 'Pending'));
    await current.seed(pod('reader', 'used-share', 'Running'));
    await refused('ext4', 'used', 'pod waiting');
    await refused('share', 'used-share', 'pod reader');
    // Another claim of the same subvolume is no way around.
    const options = { filesystem: 'cephfs', group, subvolume: 'used-share', path: where, size: 64 * MiB };
    await current.seed(...shareClaim(current.cluster, { namespace: 'app', name: 'same-share' }, options));
    await refused('share', 'same-share', 'pod reader');
    expect(await inShare(where, (root) => readdir(root))).toEqual([]);
  });

  test('by a node it is attached to', async () => {
    const { current } = here;
    await emptyClaim('attached', 96 * MiB, null);
    const { body } = await current.kube.request(
      'GET',
      '/api/v1/namespaces/app/persistentvolumeclaims/attached',
    );
    const { volumeName } = (body as { spec: { volumeName: string } }).spec;
    await current.seed({
      apiVersion: 'storage.k8s.io/v1',
      kind: 'VolumeAttachment',
      metadata: { name: 'csi-1' },
      spec: {
        attacher: 'rbd.csi.ceph.com',
        nodeName: 'node-1',
        source: { persistentVolumeName: volumeName },
      },
      status: { attached: true },
    } as never);
    await refused('block', 'attached', 'node node-1');
  });

  test('by whoever has opened the image, whatever Kubernetes says', async () => {
    const { current } = here;
    await emptyClaim('opened', 96 * MiB, null);
    const attached = await attachImage(current.cluster, current.image('opened'));
    try {
      // A client that is alive is waited for as long as one that died might count.
      await refused('block', 'opened', 'watchers');
    } finally {
      await attached.detach();
    }
  });
});
