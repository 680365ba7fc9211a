import { describe, expect, test } from '@jest/globals';
import { markBackup, markFailure, markVerified } from '../../lib/kube/marks.js';
import { persistentVolumePath } from '../../lib/kube/paths.js';
import type { KubeApi } from '../../lib/kube/api.js';
import type { KubeContext } from '../support/kube/context.js';
import { seedClaim } from '../support/kube/objects.js';

const prefix = 'backup.example.org';
const lastBackup = '2026-01-02T03:04:05Z';
const attempt = '2026-01-02T03:10:00Z';
const snapshotId = 'f'.repeat(64);

async function annotationsOf(api: KubeApi, pv: string): Promise<Record<string, string> | undefined> {
  return (await api.get(persistentVolumePath(pv))).metadata?.annotations;
}

/** The rights that the chart gives, and no more. */
const rights = [{ apiGroups: [''], resources: ['persistentvolumes'], verbs: ['get', 'list', 'patch'] }];

export function marksSuite(context: KubeContext): void {
  describe('marks', () => {
    test('a backup is marked in one patch, on a volume without annotations too', async () => {
      const { uid, pv } = await seedClaim(context.kube, 'marks', 'bare');
      const api = await context.connectAs('marker', rights);
      const before = pv.metadata?.annotations;
      expect(before).toBeUndefined();
      const mark = { pv: 'pv-bare', claimUid: uid, prefix, lastBackup, snapshotId, attempt };
      await expect(markBackup(api, mark)).resolves.toBe('marked');
      await expect(annotationsOf(api, 'pv-bare')).resolves.toEqual({
        [`${prefix}/last-backup`]: lastBackup,
        [`${prefix}/last-snapshot`]: snapshotId,
        [`${prefix}/last-backup-claim`]: uid,
        [`${prefix}/last-attempt`]: attempt,
      });
      // Twice comes to the same.
      await expect(markBackup(api, mark)).resolves.toBe('marked');
    });

    test('success removes the last error and leaves all other annotations alone', async () => {
      const theirs = { 'pv.kubernetes.io/provisioned-by': 'rbd.csi.ceph.com', 'a.b/c_d': 'e' };
      const { uid } = await seedClaim(context.kube, 'marks', 'erred', theirs);
      const api = await context.connect();
      const target = { pv: 'pv-erred', claimUid: uid, prefix };
      await markFailure(api, { ...target, attempt, code: 'MAP_FAILED' });
      await expect(annotationsOf(api, 'pv-erred')).resolves.toEqual({
        ...theirs,
        [`${prefix}/last-attempt`]: attempt,
        [`${prefix}/last-error`]: 'MAP_FAILED',
      });
      await markBackup(api, { ...target, lastBackup, snapshotId, attempt });
      await markVerified(api, { ...target, verified: attempt, snapshotId });
      const annotations = await annotationsOf(api, 'pv-erred');
      expect(annotations).toMatchObject({
        ...theirs,
        [`${prefix}/last-verified`]: attempt,
        // Whose proof it is, and of what: the volume may be bound to another claim one day.
        [`${prefix}/last-verified-claim`]: uid,
        [`${prefix}/last-verified-snapshot`]: snapshotId,
      });
      expect(annotations).not.toHaveProperty([`${prefix}/last-error`]);
    });

    test('a volume that belongs to another claim by now is not marked', async () => {
      await seedClaim(context.kube, 'marks', 'rebound', { some: 'annotation' });
      const api = await context.connect();
      const mark = {
        pv: 'pv-rebound',
        claimUid: 'of-the-former-claim',
        prefix,
        lastBackup,
        snapshotId,
        attempt,
      };
      await expect(markBackup(api, mark)).resolves.toBe('claim-gone');
      await expect(markFailure(api, { ...mark, code: 'MAP_FAILED' })).resolves.toBe('claim-gone');
      await expect(annotationsOf(api, 'pv-rebound')).resolves.toEqual({ some: 'annotation' });
    });

    test('a volume that was released, or deleted, is not marked', async () => {
      const { uid } = await seedClaim(context.kube, 'marks', 'released');
      const api = await context.connect();
      const mark = { pv: 'pv-released', claimUid: uid, prefix, lastBackup, snapshotId, attempt };
      const release = [{ op: 'remove', path: '/spec/claimRef' }];
      await api.patch(persistentVolumePath('pv-released'), release, 'application/json-patch+json');
      await expect(markBackup(api, mark)).resolves.toBe('claim-gone');
      await expect(markBackup(api, { ...mark, pv: 'pv-never-was' })).resolves.toBe('claim-gone');
    });

    test('many marks on one volume at the same time all arrive', async () => {
      const { uid } = await seedClaim(context.kube, 'marks', 'busy');
      const api = await context.connect();
      const target = { pv: 'pv-busy', claimUid: uid };
      const prefixes = Array.from({ length: 12 }, (_, index) => `p${index}.example.org`);
      const mark = { ...target, verified: attempt, snapshotId };
      const marks = prefixes.map((own) => markVerified(api, { ...mark, prefix: own }));
      await expect(Promise.all(marks)).resolves.toEqual(prefixes.map(() => 'marked'));
      const annotations = await annotationsOf(api, 'pv-busy');
      const keys = ['last-verified', 'last-verified-claim', 'last-verified-snapshot'];
      expect(Object.keys(annotations ?? {}).toSorted()).toEqual(
        prefixes.flatMap((own) => keys.map((key) => `${own}/${key}`)).toSorted(),
      );
    });

    test('a mark that may not be made is PV_NOT_MARKED', async () => {
      const { uid } = await seedClaim(context.kube, 'marks', 'refused', { some: 'annotation' });
      const api = await context.connectAs(
        'reader',
        rights.map((rule) => ({ ...rule, verbs: ['get', 'list'] })),
      );
      const mark = { pv: 'pv-refused', claimUid: uid, prefix, lastBackup, snapshotId, attempt };
      await expect(markBackup(api, mark)).rejects.toMatchObject({
        code: 'PV_NOT_MARKED',
        message: expect.stringContaining('not allowed to patch persistentvolumes pv-refused'),
      });
    });
  });
}
