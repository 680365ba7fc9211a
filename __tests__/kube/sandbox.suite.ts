import { describe, expect, test } from '@jest/globals';
import { accessReviewsPath, podsInPath, volumeAttachmentsPath } from '../../lib/kube/paths.js';
import type { KubeObject, PersistentVolume, PersistentVolumeClaim } from '../../lib/kube/types.js';
import type { KubeContext } from '../support/kube/context.js';
import { claimObjects, seedClaim } from '../support/kube/objects.js';

/** What other tests rely on when they arrange a cluster. */
export function sandboxSuite(context: KubeContext): void {
  describe('sandbox', () => {
    test('a seeded claim and its volume are bound to each other', async () => {
      const { pvc, pv, uid } = await seedClaim(context.kube, 'seeded', 'pair');
      expect(uid).toMatch(/^[0-9a-f-]{36}$/);
      expect(pvc.status?.phase).toBe('Bound');
      expect(pv.status?.phase).toBe('Bound');
      expect(pv.spec?.claimRef).toMatchObject({ namespace: 'seeded', name: 'pair', uid });
    });

    test('UIDs that a fixture made up are replaced, a UID of nobody stays', async () => {
      const madeUp = '00000000-0000-4000-8000-000000000001';
      const nobody = '00000000-0000-4000-8000-00000000dead';
      const [claim, volume] = claimObjects('seeded', 'made-up') as [PersistentVolumeClaim, PersistentVolume];
      const [, stale] = claimObjects('seeded', 'stale') as [PersistentVolumeClaim, PersistentVolume];
      const [stored, bound, mismatched] = (await context.kube.seed([
        { ...claim, metadata: { ...claim.metadata, uid: madeUp } },
        withClaimUid(volume, madeUp),
        withClaimUid(stale, nobody),
      ])) as [KubeObject, PersistentVolume, PersistentVolume];
      expect(stored.metadata?.uid).not.toBe(madeUp);
      expect(bound.spec?.claimRef?.uid).toBe(stored.metadata?.uid);
      expect(mismatched.spec?.claimRef?.uid).toBe(nobody);
    });

    test('pods and attachments keep the status they were seeded with', async () => {
      const spec = { nodeName: 'node-1', containers: [{ name: 'c', image: 'i' }] };
      const source = { persistentVolumeName: 'pv-x' };
      const attachment = { attacher: 'rbd.csi.ceph.com', nodeName: 'node-1', source };
      await context.kube.seed([
        object({
          kind: 'Pod',
          metadata: { namespace: 'seeded', name: 'p' },
          spec,
          status: { phase: 'Running' },
        }),
        object({
          kind: 'VolumeAttachment',
          metadata: { name: 'a' },
          spec: attachment,
          status: { attached: true },
        }),
      ]);
      const api = await context.connect();
      await expect(api.list(podsInPath('seeded'))).resolves.toMatchObject([{ status: { phase: 'Running' } }]);
      await expect(api.list(volumeAttachmentsPath)).resolves.toMatchObject([{ status: { attached: true } }]);
    });

    test('a claim can be deleted and made again', async () => {
      const { uid } = await seedClaim(context.kube, 'seeded', 'again');
      const path = '/api/v1/namespaces/seeded/persistentvolumeclaims/again';
      expect((await context.kube.request('DELETE', path)).status).toBe(200);
      expect((await context.kube.request('GET', path)).status).toBe(404);
      const [claim] = claimObjects('seeded', 'again');
      const [made] = await context.kube.seed(claim === undefined ? [] : [claim]);
      expect(made?.metadata?.uid).not.toBe(uid);
    });

    test('an account may do what its rules say, and can ask', async () => {
      const api = await context.connectAs('asking', [
        { apiGroups: [''], resources: ['persistentvolumes'], verbs: ['get', 'patch'] },
        { apiGroups: [''], resources: ['pods'], verbs: ['list'], namespace: 'seeded' },
      ]);
      const may = async (verb: string, resource: string, namespace?: string) => {
        const review = { spec: { resourceAttributes: { verb, resource, namespace } } };
        const answer = await api.create(accessReviewsPath, review as KubeObject);
        return (answer as { status?: { allowed?: boolean } }).status?.allowed;
      };
      await expect(may('patch', 'persistentvolumes')).resolves.toBe(true);
      await expect(may('list', 'persistentvolumes')).resolves.toBe(false);
      await expect(may('list', 'pods', 'seeded')).resolves.toBe(true);
      await expect(may('list', 'pods', 'default')).resolves.toBe(false);
      await expect(api.list(podsInPath('seeded'))).resolves.toBeDefined();
      await expect(api.list(podsInPath('default'))).rejects.toMatchObject({ status: 403 });
    });
  });
}

function withClaimUid(volume: PersistentVolume, uid: string): PersistentVolume {
  return { ...volume, spec: { ...volume.spec, claimRef: { ...volume.spec?.claimRef, uid } } };
}

function object(given: KubeObject & { spec: object; status: object }): KubeObject {
  return given;
}
