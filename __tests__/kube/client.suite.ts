import { describe, expect, test } from '@jest/globals';
import { hasStatus } from '../../lib/kube/errors.js';
import { readClusterId, readInventory, readStorageClasses } from '../../lib/kube/inventory.js';
import { collectPages, type ListPage } from '../../lib/kube/pages.js';
import {
  leasePath,
  leasesPath,
  namespacesPath,
  persistentVolumeClaimPath,
  persistentVolumePath,
  persistentVolumesPath,
} from '../../lib/kube/paths.js';
import type { KubeContext } from '../support/kube/context.js';
import { claimObjects, seedClaim } from '../support/kube/objects.js';

/** What the client and the inventory rely on. */
export function clientSuite(context: KubeContext): void {
  describe('client', () => {
    test('objects arrive as the API prints them', async () => {
      const { uid } = await seedClaim(context.kube, 'shape', 'shape-1');
      const api = await context.connect();
      const claim = await api.get(persistentVolumeClaimPath('shape', 'shape-1'));
      expect(claim).toMatchObject({
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { namespace: 'shape', name: 'shape-1', uid },
        spec: { volumeName: 'pv-shape-1' },
        status: { phase: 'Bound' },
      });
    });

    test('a list has every object once, of all pages, with its kind', async () => {
      const names = Array.from({ length: 1_203 }, (_, index) => `many-${String(index).padStart(4, '0')}`);
      await context.kube.seed(
        names.map((name) => ({ kind: 'Lease', metadata: { namespace: 'many', name } })),
      );
      const api = await context.connect();
      const leases = await api.list(leasesPath('many'));
      expect(leases.map(({ metadata }) => metadata?.name)).toEqual(names);
      expect(leases[700]).toMatchObject({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' });
      expect(leases[700]?.metadata).not.toHaveProperty('managedFields');
    });

    test('a list whose pages expire is started over', async () => {
      const names = ['one', 'two', 'three', 'four', 'five'];
      await context.kube.seed(
        names.map((name) => ({ kind: 'Lease', metadata: { namespace: 'expiry', name } })),
      );
      const api = await context.connect();
      const queries: Record<string, string>[] = [];
      let expiries = 1;
      const items = await collectPages(async (query) => {
        queries.push(query);
        if ('continue' in query && expiries-- > 0) await context.kube.expireContinueTokens();
        const limited = 'limit' in query ? { ...query, limit: '2' } : query;
        const path = `${leasesPath('expiry')}?${new URLSearchParams(limited).toString()}`;
        return (await api.get(path)) as ListPage;
      });
      expect(items.map(({ metadata }) => metadata?.name)).toEqual(names.toSorted());
      const starts = queries.filter((query) => !('continue' in query));
      expect(starts).toEqual([{ limit: '500' }, { limit: '500' }]);
    });

    test('a list whose pages expire again and again is asked for in one piece', async () => {
      const names = ['one', 'two', 'three'];
      await context.kube.seed(
        names.map((name) => ({ kind: 'Lease', metadata: { namespace: 'whole', name } })),
      );
      const api = await context.connect();
      const starts: Record<string, string>[] = [];
      const items = await collectPages(async (query) => {
        if (!('continue' in query)) starts.push(query);
        else await context.kube.expireContinueTokens();
        const limited = 'limit' in query ? { ...query, limit: '1' } : query;
        return (await api.get(
          `${leasesPath('whole')}?${new URLSearchParams(limited).toString()}`,
        )) as ListPage;
      });
      expect(items).toHaveLength(3);
      expect(starts).toEqual([{ limit: '500' }, { limit: '500' }, {}]);
    });

    test('what does not exist is 404, and the error has the server words', async () => {
      const api = await context.connect();
      const thrown: unknown = await api.get(persistentVolumePath('absent')).catch((error: unknown) => error);
      expect(hasStatus(thrown, 404)).toBe(true);
      expect(thrown).toMatchObject({
        code: 'KUBE_FAILED',
        reason: 'NotFound',
        message:
          'could not get persistentvolumes absent: the Kubernetes API answered 404: persistentvolumes "absent" not found',
      });
    });

    test('what exists already and what was modified are told apart', async () => {
      const api = await context.connect();
      const lease = { metadata: { name: 'twice' } };
      await api.create(namespacesPath, { metadata: { name: 'twice' } });
      const created = await api.create(leasesPath('twice'), lease);
      await expect(api.create(leasesPath('twice'), lease)).rejects.toMatchObject({
        status: 409,
        reason: 'AlreadyExists',
      });
      const changed = { ...created, spec: { holderIdentity: 'a' } };
      await api.replace(leasePath('twice', 'twice'), changed);
      await expect(api.replace(leasePath('twice', 'twice'), changed)).rejects.toMatchObject({
        status: 409,
        reason: 'Conflict',
      });
    });

    test('an account that may not do something is told what', async () => {
      const api = await context.connectAs('list-only', [
        { apiGroups: [''], resources: ['namespaces'], verbs: ['list'] },
      ]);
      await expect(api.list(namespacesPath)).resolves.not.toHaveLength(0);
      await expect(api.list(persistentVolumesPath)).rejects.toMatchObject({
        code: 'KUBE_FORBIDDEN',
        status: 403,
        message: expect.stringMatching(/^not allowed to list persistentvolumes: .*list-only.* cannot list/),
      });
    });

    test('the namespace of the context is known, and the server clock', async () => {
      const api = await context.connectAs('placed', [], 'some-place');
      expect(api.contextNamespace).toBe('some-place');
      expect(api.clock()).toBeNull();
      await api.list(namespacesPath).catch(() => undefined);
      const { server, local } = api.clock() ?? { server: 0, local: 0 };
      expect(Math.abs(server - local)).toBeLessThan(5_000);
    });
  });

  describe('inventory', () => {
    test('namespaces, volumes and claims, and the storage classes', async () => {
      const storageClass = {
        kind: 'StorageClass',
        metadata: { name: 'fast' },
        provisioner: 'rbd.csi.ceph.com',
      };
      await context.kube.seed([storageClass, ...claimObjects('inventory', 'inventory-1')]);
      const api = await context.connect();
      const inventory = await readInventory(api);
      const names = (objects: { metadata?: { name?: string } }[]) =>
        objects.map(({ metadata }) => metadata?.name);
      expect(names(inventory.namespaces)).toEqual(expect.arrayContaining(['inventory', 'kube-system']));
      const claim = inventory.persistentVolumeClaims.find(({ metadata }) => metadata?.name === 'inventory-1');
      const volume = inventory.persistentVolumes.find(({ metadata }) => metadata?.name === 'pv-inventory-1');
      expect(claim?.status?.phase).toBe('Bound');
      expect(volume?.spec?.claimRef?.uid).toBe(claim?.metadata?.uid);
      await expect(readStorageClasses(api)).resolves.toMatchObject([
        { kind: 'StorageClass', metadata: { name: 'fast' }, provisioner: 'rbd.csi.ceph.com' },
      ]);
    });

    test('the cluster is told by the UID of kube-system, with the right to list namespaces alone', async () => {
      const { body } = await context.kube.request('GET', '/api/v1/namespaces/kube-system');
      const api = await context.connectAs('lister', [
        { apiGroups: [''], resources: ['namespaces'], verbs: ['list'] },
      ]);
      await expect(readClusterId(api)).resolves.toBe((body as { metadata: { uid: string } }).metadata.uid);
    });
  });
}
