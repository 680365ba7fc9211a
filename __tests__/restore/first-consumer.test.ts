import { readFile, writeFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import type { PersistentVolume, PersistentVolumeClaim } from '../../lib/kube/types.js';
import { mountImage, whileMounted } from '../../sandbox/ceph.js';
import { imageClaim } from '../../sandbox/claims.js';
import { scene } from './scene.js';

const size = 64 * 1024 * 1024;
const here = scene();
const claimPath = '/api/v1/namespaces/app/persistentvolumeclaims/waiting';
const merge = 'application/merge-patch+json';
const selectedNode = 'volume.kubernetes.io/selected-node';

// No controller runs beside the API here: what the scheduler, ceph-csi and the binder do, the test does.
test('a claim that waits for its first consumer says how it gets its volume, and is restored into once it has it', async () => {
  const { current } = here;
  await current.filesystemClaim('source', size, 'ext4', (root) => writeFile(`${root}/file`, 'content'));
  await current.run();
  const image = current.image('provided');
  const name = { namespace: 'app', name: 'waiting' };
  const objects = imageClaim(current.cluster, name, { image, fsType: 'ext4', size });
  const [claim, volume] = objects as unknown as [PersistentVolumeClaim, PersistentVolume];
  const { volumeName, ...spec } = claim.spec ?? {};
  const storageClassName = 'waits';
  await current.seed(
    {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: storageClassName },
      provisioner: 'rbd.csi.ceph.com',
      volumeBindingMode: 'WaitForFirstConsumer',
    } as never,
    { ...claim, spec: { ...spec, storageClassName }, status: { phase: 'Pending' } } as never,
  );

  const restore = () => current.command(['restore', 'app/source', '--to-pvc', 'app/waiting']);
  const refused = await restore();
  expect(refused).toMatchObject({ code: 1, json: { error: { code: 'TARGET_UNSUITABLE' } } });
  expect(refused.json.target.state).toBe('untouched');
  const { guidance } = refused.json.error as unknown as { guidance: string };
  const [, key, node] = /kubectl annotate pvc -n app waiting (\S+)=(\w+)/.exec(guidance) ?? [];
  expect([key, node]).toEqual([selectedNode, 'NODE']);

  await current.kube.request(
    'PATCH',
    claimPath,
    { metadata: { annotations: { [selectedNode]: 'node' } } },
    merge,
  );
  await current.cluster.createImage(image, size);
  const { body } = await current.kube.request('GET', claimPath);
  const { uid } = (body as PersistentVolumeClaim).metadata ?? {};
  const claimRef = { ...volume.spec?.claimRef, uid };
  await current.seed({ ...volume, spec: { ...volume.spec, storageClassName, claimRef } } as never);
  await current.kube.request('PATCH', claimPath, { spec: { volumeName } }, merge);
  await current.kube.request('PATCH', `${claimPath}/status`, { status: { phase: 'Bound' } }, merge);

  expect(await restore()).toMatchObject({ code: 0, json: { verified: true } });
  const content = await whileMounted(mountImage(current.cluster, image, 'ext4'), (root) =>
    readFile(`${root}/file`, 'utf8'),
  );
  expect(content).toBe('content');
});
