import { expect, test } from '@jest/globals';
import { rightsOfRun } from '../../lib/commands/doctor/checks/kubernetes.js';
import { describeWithHelm, find, podOf, programOf, render, type Values } from './helm.js';

interface Rights {
  privileged: boolean;
  hostNetwork: boolean;
  root: boolean;
  capabilities: string[];
  hostPaths: string[];
}

const none: Rights = { privileged: false, hostNetwork: false, root: false, capabilities: [], hostPaths: [] };
const kernel = { privileged: true, hostNetwork: true, root: true, capabilities: [] };
const fuse = { privileged: true, hostNetwork: false, root: true, capabilities: [] };
const plugin = { ...none, root: true, capabilities: ['SYS_ADMIN', 'DAC_READ_SEARCH'] };
const deviceResource = { fuse: { deviceResource: 'example.com/fuse' } };
const noShares = { kinds: { cephfs: false } };
const onlyShares = { kinds: { rbdFilesystem: false } };
const onlyBlock = { kinds: { rbdFilesystem: false, cephfs: false } };

/** The least that each choice of drivers needs. */
const table: [string, Values, Rights][] = [
  ['the defaults', {}, { ...kernel, hostPaths: ['/dev', '/lib/modules'] }],
  ['nbd', { ...noShares, mapper: 'nbd' }, { ...kernel, hostPaths: ['/dev', '/lib/modules'] }],
  ['the fuse mapper', { ...noShares, mapper: 'fuse' }, { ...fuse, hostPaths: ['/dev'] }],
  ['fuse mapper and kernel CephFS', { mapper: 'fuse' }, { ...kernel, hostPaths: ['/dev'] }],
  ['kernel CephFS', onlyShares, { ...kernel, hostPaths: [] }],
  ['ceph-fuse', { ...onlyShares, cephfsClient: 'fuse' }, { ...fuse, hostPaths: [] }],
  ['all by fuse', { mapper: 'fuse', cephfsClient: 'fuse' }, { ...fuse, hostPaths: ['/dev'] }],
  ['a device plugin', { mapper: 'fuse', cephfsClient: 'fuse', ...deviceResource }, plugin],
  ['a device plugin for shares', { ...onlyShares, cephfsClient: 'fuse', ...deviceResource }, plugin],
  ['block volumes only', onlyBlock, none],
  [
    'block volumes in the node’s network',
    { ...onlyBlock, hostNetwork: true },
    { ...none, hostNetwork: true },
  ],
];

describeWithHelm('rights of the pod', () => {
  test.each(table)('%s', async (_, values, expected) => {
    const objects = await render(values);
    const pod = podOf(objects);
    const { securityContext } = programOf(objects).container;
    const found: Rights = {
      privileged: securityContext.privileged === true,
      hostNetwork: pod.hostNetwork === true,
      root: pod.securityContext.runAsNonRoot !== true,
      capabilities: securityContext.capabilities?.add ?? [],
      hostPaths: pod.volumes.flatMap(({ hostPath }) => hostPath?.path ?? []),
    };
    expect(found).toEqual(expected);
    expect(pod.dnsPolicy).toBe(expected.hostNetwork ? 'ClusterFirstWithHostNet' : 'ClusterFirst');
    expect(pod.hostPID).toBe(false);
    expect(securityContext.readOnlyRootFilesystem).toBe(true);
    if (!expected.privileged) expect(securityContext.capabilities?.drop).toEqual(['ALL']);
    if (!expected.root) expect(securityContext.allowPrivilegeEscalation).toBe(false);
  });

  test('the device plugin’s resource is asked for', async () => {
    const objects = await render({ mapper: 'fuse', cephfsClient: 'fuse', ...deviceResource });
    expect(programOf(objects).container.resources.limits).toEqual({ 'example.com/fuse': '1', memory: '4Gi' });
  });

  test('what is written at run time lies in volumes of the pod', async () => {
    const mounts = programOf(await render(onlyBlock)).container.volumeMounts;
    expect(mounts.map(({ mountPath, readOnly }) => [mountPath, readOnly ?? false])).toEqual([
      ['/etc/ceph', true],
      ['/cache', false],
      ['/tmp', false],
      ['/run', false],
    ]);
  });
});

describeWithHelm('rights in the cluster', () => {
  const rulesOf = (rules: unknown) =>
    (rules as { apiGroups: string[]; resources: string[]; verbs: string[] }[]).flatMap((rule) =>
      rule.resources.map((resource) => `${rule.apiGroups.join()}/${resource}: ${rule.verbs.join(' ')}`),
    );

  test('are the least that a run needs', async () => {
    const objects = await render();
    expect(rulesOf(find(objects, 'ClusterRole', 'default-cephbackup').rules)).toEqual([
      '/namespaces: list',
      '/persistentvolumes: get list patch',
      '/persistentvolumeclaims: get list',
      'storage.k8s.io/storageclasses: list',
      '/events: create patch',
    ]);
    expect(rulesOf(find(objects, 'Role').rules)).toEqual(['coordination.k8s.io/leases: get create update']);
  });

  test.each([false, true])('are those that `doctor` looks for; with hooks: %j', async (enabled) => {
    const objects = await render({ hooks: { enabled } });
    const granted = ['ClusterRole default-cephbackup', 'Role cephbackup'].flatMap((which) => {
      const [kind = '', name = ''] = which.split(' ');
      return rulesOf(find(objects, kind, name).rules).flatMap((rule) => {
        const [what = '', verbs = ''] = rule.split(': ');
        return verbs.split(' ').map((verb) => `${what}: ${verb}`);
      });
    });
    const wanted = rightsOfRun('default', enabled).map(
      ({ group, resource, verb }) => `${group}/${resource}: ${verb}`,
    );
    expect(wanted.toSorted()).toEqual(granted.toSorted());
  });

  test('the role for restoring is off by default, and bound to nobody', async () => {
    const objects = await render({ rbac: { restoreRole: true } });
    expect(rulesOf(find(objects, 'ClusterRole', 'default-cephbackup-restore').rules)).toEqual([
      '/pods: list',
      'storage.k8s.io/volumeattachments: list',
    ]);
    const bound = objects.flatMap(({ kind, roleRef }) =>
      kind.endsWith('Binding') ? [(roleRef as { name: string }).name] : [],
    );
    expect(bound).toEqual(['default-cephbackup', 'cephbackup']);
    expect((await render()).some(({ metadata }) => metadata.name.endsWith('-restore'))).toBe(false);
  });
});
