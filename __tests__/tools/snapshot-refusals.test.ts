import { expect, test } from '@jest/globals';
import { silent } from '../../lib/log/logger.js';
import { Redactor } from '../../lib/log/redactor.js';
import { Ceph } from '../../lib/tools/ceph/ceph.js';
import { CephFs } from '../../lib/tools/ceph/fs.js';
import { childEnvironment } from '../../lib/tools/process/environment.js';
import { createExec } from '../../lib/tools/process/exec.js';
import { imageSpec } from '../../lib/tools/rbd/image-spec.js';
import { Rbd } from '../../lib/tools/rbd/images.js';
import { ceph, freshNamespace } from '../support/ceph.js';
import { OwnFilesystem } from '../cephfs/own-filesystem.js';

const exec = createExec({ env: childEnvironment(process.env), log: silent, redactor: new Redactor() });

test('what keeps an image from being snapshotted is named, where Ceph has one exit code for two things', async () => {
  const [cluster, place] = await Promise.all([ceph(), freshNamespace()]);
  const rbd = new Rbd(exec, { conf: cluster.conf, user: null, keyring: null, monitors: null });
  const image = imageSpec('rbd', place.split('/')[1] ?? '', 'disk');
  const disk = `${place}/disk`;
  await cluster.createImage(disk, '16M');
  const refusal = (name: string) => rbd.snapshots.create(image, name).catch((thrown: unknown) => thrown);

  await cluster.rbd('snap', 'create', '--no-progress', `${disk}@first`);
  await cluster.rbd('snap', 'limit', 'set', disk, '--limit', '1');
  expect(await refusal('second')).toMatchObject({
    code: 'SNAPSHOT_LIMIT',
    message: expect.stringContaining('the image has a limit of 1 snapshots'),
    guidance: expect.stringContaining('rbd snap limit'),
  });
  await cluster.rbd('snap', 'limit', 'clear', disk);

  // As one that is mapped with the option `exclusive`: nobody is asked to give the lock away.
  await cluster.rbd('lock', 'add', disk, 'mine');
  expect(await refusal('second')).toMatchObject({
    code: 'SNAPSHOT_FAILED',
    message: expect.stringContaining('somebody holds its exclusive lock'),
    guidance: expect.stringContaining('rbd lock ls'),
  });
});

test('a filesystem that takes no snapshots is no lack of rights', async () => {
  const cluster = await ceph();
  const own = await OwnFilesystem.create(cluster);
  await own.startServer();
  await cluster.ceph(`fs subvolume create ${own.name} sv`, `fs set ${own.name} allow_new_snaps false`);
  const connection = { conf: cluster.conf, user: null, keyring: null, monitors: null };
  const cephFs = new CephFs(exec, new Ceph(exec, connection));
  const made = cephFs.createSnapshot({ fs: own.name, group: null, subvolume: 'sv' }, 'first');
  await expect(made).rejects.toMatchObject({
    code: 'SNAPSHOT_IMPOSSIBLE',
    guidance: expect.stringContaining('allow_new_snaps'),
  });
});
