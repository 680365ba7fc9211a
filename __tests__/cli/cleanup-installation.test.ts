import { expect, test } from '@jest/globals';
import { leaseNamespaceOf } from '../../lib/commands/cleanup/installation.js';
import { installationId } from '../../lib/ownership/names.js';

const uid = '308fa52e-a490-4517-9dee-34f8ee161077';
const annotated = {
  metadata: { name: 'pv', annotations: { 'backup.example.org/last-backup': 'x', other: 'y' } },
};
const inventory = {
  namespaces: [{ metadata: { name: 'default' } }, { metadata: { name: 'backups' } }],
  persistentVolumes: [annotated],
  persistentVolumeClaims: [],
};
const cluster = { uid, prefix: 'cephbackup.hpc.nyu.edu', inventory };

test('an installation is found by its namespace, also where it has another annotation prefix', () => {
  const same = installationId(uid, 'backups', 'cephbackup.hpc.nyu.edu');
  expect(leaseNamespaceOf(same, cluster)).toBe('backups');
  const other = installationId(uid, 'default', 'backup.example.org');
  expect(leaseNamespaceOf(other, cluster)).toBe('default');
});

test('one of another cluster, or of a namespace that is gone, is not found', () => {
  const gone = installationId(uid, 'gone', 'cephbackup.hpc.nyu.edu');
  const elsewhere = installationId('another', 'default', 'cephbackup.hpc.nyu.edu');
  for (const id of [gone, elsewhere]) expect(leaseNamespaceOf(id, cluster)).toBeNull();
});
