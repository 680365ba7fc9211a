import { describe, expect, test } from '@jest/globals';
import { parseClusters } from '../../lib/plan/clusters.js';
import { viewVolume } from '../../lib/plan/objects.js';
import { identify } from '../../lib/plan/source.js';
import type { VolumeDetails } from '../../lib/plan/types.js';

const uuid = '8d5e0b1a-3c11-4f1e-9d4e-0242ac110002';
const fsid = 'ba68226a-672f-4ba5-97bc-22840318b2ec';
const handle = `0001-0024-${fsid}-0000000000000007-${uuid}`;
const rookHandle = `0001-0009-rook-ceph-000000000000001f-${uuid}`;

const clusters = parseClusters(
  JSON.stringify([
    { clusterID: fsid, monitors: ['10.0.0.1:6789', '10.0.0.2:6789'] },
    {
      clusterID: 'rook-ceph',
      monitors: ['10.1.0.1:6789'],
      rbd: { radosNamespace: 'tenants' },
      cephFS: { subvolumeGroup: 'kube' },
    },
  ]),
  'config.json',
);

function csi(driver: string, volumeHandle: string, volumeAttributes: unknown, more = {}) {
  return { csi: { driver, volumeHandle, volumeAttributes, ...more } };
}
const image = (volumeHandle: string, attributes: object, more = {}) =>
  csi('rbd.csi.ceph.com', volumeHandle, attributes, more);
const directory = (volumeHandle: string, attributes: object, more = {}) =>
  csi('cephfs.csi.ceph.com', volumeHandle, attributes, more);

function identity(spec: object, known: typeof clusters | null = null) {
  return identify(viewVolume({ metadata: { name: 'pvc-1234' }, spec }), { clusters: known, drivers: [] });
}

type Row = [
  what: string,
  spec: object,
  kind: string | null,
  source: object,
  details?: Partial<VolumeDetails>,
];

describe('RBD', () => {
  const src = (cluster: unknown, pool: unknown, radosNamespace: unknown, name: unknown) => ({
    cluster,
    pool,
    radosNamespace,
    image: name,
  });
  test.each<Row>([
    [
      'dynamic',
      image(handle, { clusterID: fsid, pool: 'kube', journalPool: 'kube', imageName: `csi-vol-${uuid}` }),
      'rbd-filesystem',
      src(fsid, 'kube', null, `csi-vol-${uuid}`),
      { fsType: 'ext4', poolId: null, monitors: null, encrypted: false },
    ],
    [
      'dynamic, a block volume in a RADOS namespace',
      { ...image(handle, { pool: 'kube', imageName: 'x', radosNamespace: 'ns' }), volumeMode: 'Block' },
      'rbd-block',
      src(fsid, 'kube', 'ns', 'x'),
    ],
    [
      'with xfs',
      image(handle, { pool: 'kube', imageName: 'x', radosNamespace: '' }, { fsType: 'xfs' }),
      'rbd-filesystem',
      src(fsid, 'kube', null, 'x'),
      { fsType: 'xfs' },
    ],
    [
      'with an empty fsType',
      image(handle, { pool: 'kube', imageName: 'x' }, { fsType: '' }),
      'rbd-filesystem',
      src(fsid, 'kube', null, 'x'),
      { fsType: 'ext4' },
    ],
    [
      'of Rook',
      csi('rook-ceph.rbd.csi.ceph.com', rookHandle, { clusterID: 'rook-ceph', pool: 'p', imageName: 'x' }),
      'rbd-filesystem',
      src('rook-ceph', 'p', null, 'x'),
    ],
    [
      'of OpenShift',
      csi('openshift-storage.rbd.csi.ceph.com', handle, { pool: 'p', imageName: 'x' }),
      'rbd-filesystem',
      src(fsid, 'p', null, 'x'),
    ],
    [
      'before 3.0: the name is in the handle',
      image(handle, { clusterID: fsid, pool: 'kube' }),
      'rbd-filesystem',
      src(fsid, 'kube', null, `csi-vol-${uuid}`),
    ],
    [
      'before 3.0, without a pool: its id is in the handle',
      image(rookHandle, {}),
      'rbd-filesystem',
      src('rook-ceph', null, null, `csi-vol-${uuid}`),
      { poolId: 31, unsupported: null },
    ],
    [
      'with a prefix of its own',
      image(handle, { pool: 'kube', volumeNamePrefix: 'prod-' }),
      'rbd-filesystem',
      src(fsid, 'kube', null, `prod-${uuid}`),
    ],
    [
      'static: the handle is the name',
      image('golden', { clusterID: fsid, pool: 'kube', staticVolume: 'true', imageFeatures: 'layering' }),
      'rbd-filesystem',
      src(fsid, 'kube', null, 'golden'),
    ],
    [
      'static, with an imageName that ceph-csi does not read',
      image('golden', { pool: 'kube', staticVolume: 'True', imageName: 'x' }),
      'rbd-filesystem',
      src(null, 'kube', null, 'golden'),
    ],
    [
      'static in name only',
      image(handle, { pool: 'kube', staticVolume: 'false', imageName: 'x' }),
      'rbd-filesystem',
      src(fsid, 'kube', null, 'x'),
    ],
    [
      'migrated from in-tree',
      image('mig_mons-afcca55bc1bdd3f479be1e8281c13ab1_image-e0b45b52_7265706c696361706f6f6c', {
        clusterID: 'afcca55bc1bdd3f479be1e8281c13ab1',
        imageName: 'kubernetes-dynamic-pvc-e0b45b52',
        pool: 'replicapool',
        staticVolume: 'true',
        migration: 'true',
      }),
      'rbd-filesystem',
      src('afcca55bc1bdd3f479be1e8281c13ab1', 'replicapool', null, 'kubernetes-dynamic-pvc-e0b45b52'),
    ],
    [
      'migrated, with all in the handle',
      image('mig_mons-afcca55bc1bdd3f479be1e8281c13ab1_image-e0b45b52_7265706c696361706f6f6c', {}),
      'rbd-filesystem',
      src('afcca55bc1bdd3f479be1e8281c13ab1', 'replicapool', null, 'kubernetes-dynamic-pvc-e0b45b52'),
    ],
    [
      'of 1.0: the image has the name of the PersistentVolume',
      image(`csi-rbd-vol-${uuid}`, { monitors: '10.0.0.1:6789', pool: 'kube', imageFeatures: 'layering' }),
      'rbd-filesystem',
      src(null, 'kube', null, 'pvc-1234'),
    ],
    [
      'of 1.0, with provisionVolume',
      image('anything', { monitors: '10.0.0.1:6789', pool: 'kube', provisionVolume: 'false' }),
      'rbd-filesystem',
      src(null, 'kube', null, 'pvc-1234'),
    ],
    [
      'encrypted, either type',
      image(handle, { pool: 'kube', imageName: 'x', encrypted: 'true', encryptionType: 'file' }),
      'rbd-block',
      src(fsid, 'kube', null, 'x'),
      { encrypted: true, unsupported: null },
    ],
    [
      'not encrypted',
      image(handle, { pool: 'kube', imageName: 'x', encrypted: 'false' }),
      'rbd-filesystem',
      src(fsid, 'kube', null, 'x'),
      { encrypted: false },
    ],
    [
      'in-tree',
      { rbd: { monitors: ['10.0.0.1:6789'], image: 'old', user: 'kube', fsType: 'xfs' } },
      'rbd-filesystem',
      src(null, 'rbd', null, 'old'),
      { fsType: 'xfs' },
    ],
    [
      'in-tree, a block volume in a pool',
      { rbd: { image: 'old', pool: 'kube' }, volumeMode: 'Block' },
      'rbd-block',
      src(null, 'kube', null, 'old'),
    ],
    [
      'in-tree without an image',
      { rbd: { pool: 'kube' } },
      null,
      src(null, 'kube', null, null),
      { unsupported: 'its PersistentVolume does not say which image it is' },
    ],
    [
      'with a handle that says nothing',
      image('anything', { clusterID: fsid, pool: 'kube' }),
      null,
      src(fsid, 'kube', null, null),
      { unsupported: 'its PersistentVolume does not say which image it is' },
    ],
    [
      'with a pool id that is none',
      image(`0001-0001-a-ffffffffffffffff-${uuid}`, {}),
      null,
      src('a', null, null, `csi-vol-${uuid}`),
      { poolId: null },
    ],
    ['with a uuid that is none', image(`${handle}0`, { pool: 'p' }), null, src(null, 'p', null, null)],
    [
      'with a clusterID of another length',
      image(handle.replace('0024', '0023'), { pool: 'p' }),
      null,
      src(null, 'p', null, null),
    ],
    [
      'without a pool',
      image('golden', { staticVolume: 'true' }),
      null,
      src(null, null, null, 'golden'),
      { unsupported: 'its PersistentVolume does not say which image it is' },
    ],
    ['with nothing at all', { csi: { driver: 'rbd.csi.ceph.com' } }, null, src(null, null, null, null)],
  ])('%s', (_, spec, kind, source, details = {}) => {
    const found = identity(spec);
    expect(found).toMatchObject({ kind, source, details });
    expect(found?.source).toEqual(source);
  });

  test("with ceph-csi's configuration: RADOS namespace and monitors", () => {
    const attributes = { clusterID: 'rook-ceph', pool: 'p', imageName: 'x' };
    const there = src('rook-ceph', 'p', 'tenants', 'x');
    for (const radosNamespace of [undefined, '', 'another']) {
      const found = identity(image(rookHandle, { ...attributes, radosNamespace }), clusters);
      expect(found?.source).toEqual(there);
      expect(found?.details.monitors).toEqual(['10.1.0.1:6789']);
    }
  });

  test('with a configuration that has no RADOS namespace, or not this cluster', () => {
    const attributes = { pool: 'p', imageName: 'x', radosNamespace: 'ns' };
    expect(identity(image(handle, attributes), clusters)).toMatchObject({
      source: { cluster: fsid, radosNamespace: 'ns' },
      details: { monitors: ['10.0.0.1:6789', '10.0.0.2:6789'] },
    });
    expect(identity(image('x', { ...attributes, clusterID: 'unknown' }), clusters)).toMatchObject({
      source: { cluster: 'unknown', radosNamespace: 'ns' },
      details: { monitors: null },
    });
  });
});

describe('CephFS', () => {
  const src = (fs: unknown, group: unknown, subvolume: unknown, path: unknown, cluster: unknown = fsid) => ({
    cluster,
    fs,
    group,
    subvolume,
    path,
  });
  const subvolume = `csi-vol-${uuid}`;
  const path = `/volumes/csi/${subvolume}/5d3c`;
  const base = { clusterID: fsid, fsName: 'myfs' };
  test.each<Row>([
    [
      'dynamic',
      directory(handle, { ...base, subvolumeName: subvolume, subvolumePath: path }),
      'cephfs',
      src('myfs', 'csi', subvolume, path),
      { fsId: null, snapshotBacked: false, backingSnapshot: null, unsupported: null },
    ],
    [
      'dynamic in a group that only the path tells',
      directory(handle, { ...base, subvolumeName: 's', subvolumePath: '/volumes/team-a/s/5d3c' }),
      'cephfs',
      src('myfs', 'team-a', 's', '/volumes/team-a/s/5d3c'),
    ],
    [
      'without a path',
      directory(handle, { ...base, subvolumeName: 's' }),
      'cephfs',
      src('myfs', 'csi', 's', null),
    ],
    [
      'without a path, in a group of its own',
      directory(handle, { ...base, subvolumeName: 's', subvolumeGroup: 'g' }),
      'cephfs',
      src('myfs', 'g', 's', null),
    ],
    [
      'before 3.0: all in the handle',
      directory(rookHandle, {}),
      'cephfs',
      src(null, 'csi', subvolume, null, 'rook-ceph'),
      { fsId: 31 },
    ],
    [
      'with what only ceph-csi 1.0 read',
      directory(handle, { ...base, provisionVolume: 'false', rootPath: '/Projekte', pool: 'data' }),
      'cephfs',
      src('myfs', 'csi', subvolume, null),
    ],
    [
      'of Rook',
      csi('rook-ceph.cephfs.csi.ceph.com', rookHandle, { fsName: 'myfs', subvolumePath: path }),
      'cephfs',
      src('myfs', 'csi', subvolume, path, 'rook-ceph'),
    ],
    [
      "static: a subvolume's path",
      directory('static-1', {
        ...base,
        staticVolume: 'true',
        rootPath: '/volumes/testGroup/testSubVolume/1f',
      }),
      'cephfs',
      src('myfs', 'testGroup', 'testSubVolume', '/volumes/testGroup/testSubVolume/1f'),
    ],
    [
      'static: a subvolume of version 1',
      directory('static-1', { ...base, staticVolume: 'true', rootPath: '/volumes/testGroup/testSubVolume/' }),
      'cephfs',
      src('myfs', 'testGroup', 'testSubVolume', '/volumes/testGroup/testSubVolume'),
    ],
    [
      'static: a directory within a subvolume',
      directory('static-1', { ...base, staticVolume: 'true', rootPath: `${path}/app/data` }),
      'cephfs',
      src('myfs', 'csi', subvolume, `${path}/app/data`),
    ],
    [
      'static: a subvolume without a group',
      directory('static-1', { ...base, staticVolume: 'true', rootPath: '/volumes/_nogroup/s/1f' }),
      'cephfs',
      src('myfs', '_nogroup', 's', '/volumes/_nogroup/s/1f'),
    ],
    [
      'static: a plain directory',
      directory('static-1', { ...base, staticVolume: 'true', rootPath: '/docker/app' }),
      'cephfs',
      src('myfs', null, null, '/docker/app'),
      { unsupported: null },
    ],
    [
      'static: the whole filesystem',
      directory('static-1', { ...base, staticVolume: 'true', rootPath: '/' }),
      'cephfs',
      src('myfs', null, null, '/'),
      { unsupported: null },
    ],
    [
      'static: directories that only look like subvolumes',
      directory('static-1', { ...base, staticVolume: 'true', rootPath: '/volumes/_deleting/s' }),
      'cephfs',
      src('myfs', null, null, '/volumes/_deleting/s'),
    ],
    [
      'static: a group',
      directory('static-1', { ...base, staticVolume: 'true', rootPath: '/volumes/csi' }),
      'cephfs',
      src('myfs', null, null, '/volumes/csi'),
    ],
    [
      'static: a path that leaves its subvolume',
      directory('static-1', { ...base, staticVolume: 'true', rootPath: '/volumes/csi/s/../../x' }),
      'cephfs',
      src('myfs', null, null, '/volumes/csi/s/../../x'),
    ],
    [
      'a subvolume shared by several: the handle has a suffix, both paths are there',
      directory(`${handle}-team-b`, {
        ...base,
        staticVolume: 'true',
        rootPath: path,
        subvolumePath: path,
        subvolumeName: subvolume,
      }),
      'cephfs',
      src('myfs', 'csi', subvolume, path),
    ],
    [
      'a part of a shared subvolume: only the suffix tells that rootPath counts',
      directory(`${handle}-team-b`, { ...base, staticVolume: 'true', rootPath: `${path}/app` }),
      'cephfs',
      src('myfs', 'csi', subvolume, `${path}/app`),
    ],
    [
      'a shared subvolume without any path',
      directory(`${handle}-team-b`, { ...base, staticVolume: 'true' }),
      'cephfs',
      src('myfs', 'csi', subvolume, null),
    ],
    [
      'read-only copies of a dynamic handle without rootPath',
      directory(handle, { ...base, staticVolume: 'true' }, { readOnly: true }),
      'cephfs',
      src('myfs', 'csi', subvolume, null),
    ],
    [
      'a copy of a dynamic handle: ceph-csi mounts its subvolume, not what rootPath says',
      directory(handle, { ...base, staticVolume: 'true', rootPath: `${path}/app` }),
      'cephfs',
      src('myfs', 'csi', subvolume, path),
    ],
    [
      'of 1.0 and of Manila: monitors and rootPath',
      directory('share-1', {
        monitors: '10.0.0.1:6789,10.0.0.2:6789',
        provisionVolume: 'false',
        rootPath: '/shares/011d',
      }),
      'cephfs',
      src(null, null, null, '/shares/011d', null),
    ],
    [
      'of 1.0, made by ceph-csi',
      directory('csi-cephfs-pvc-1', { monitors: '10.0.0.1:6789', provisionVolume: 'true', pool: 'data' }),
      'cephfs',
      src(null, null, null, '/csi-volumes/csi-cephfs-pvc-1', null),
    ],
    [
      'backed by a snapshot that has a handle',
      directory(handle, {
        ...base,
        backingSnapshot: 'true',
        backingSnapshotID: `0001-0024-${fsid}-0000000000000001-11111111-2222-3333-4444-555555555555`,
        subvolumeName: 'csi-vol-nothing',
        subvolumePath: '/volumes/csi/csi-vol-parent/',
      }),
      'cephfs',
      src('myfs', 'csi', 'csi-vol-parent', '/volumes/csi/csi-vol-parent'),
      { snapshotBacked: true, backingSnapshot: 'csi-snap-11111111-2222-3333-4444-555555555555' },
    ],
    [
      'backed by a snapshot that is named',
      directory('share-1', {
        monitors: 'm',
        provisionVolume: 'false',
        rootPath: '/a',
        backingSnapshotID: 'monday',
      }),
      'cephfs',
      src(null, null, null, '/a', null),
      { snapshotBacked: true, backingSnapshot: 'monday' },
    ],
    [
      'backed by a snapshot that is not named',
      directory(handle, { ...base, backingSnapshot: 'true', subvolumePath: path }),
      'cephfs',
      src('myfs', 'csi', subvolume, path),
      { snapshotBacked: true, backingSnapshot: null, unsupported: null },
    ],
    [
      'backed by a snapshot, as ceph-csi writes it by default',
      directory(handle, {
        ...base,
        subvolumeName: 'csi-vol-nothing',
        subvolumePath: '/volumes/csi/csi-vol-parent/',
      }),
      'cephfs',
      src('myfs', 'csi', 'csi-vol-parent', '/volumes/csi/csi-vol-parent'),
      { snapshotBacked: true, backingSnapshot: null },
    ],
    [
      'encrypted',
      directory(handle, { ...base, subvolumePath: path, encrypted: 'true' }),
      'cephfs',
      src('myfs', 'csi', subvolume, path),
      {
        encrypted: true,
        unsupported: 'it is encrypted by fscrypt, which gives a mount without its key only encrypted names',
      },
    ],
    [
      'in-tree',
      { cephfs: { monitors: ['10.0.0.1:6789'], path: '/export/home', user: 'kube' } },
      'cephfs',
      src(null, null, null, '/export/home', null),
      { unsupported: null },
    ],
    ['in-tree, without a path', { cephfs: {} }, 'cephfs', src(null, null, null, '/', null)],
    [
      'in-tree, in a subvolume',
      { cephfs: { path: 'volumes/g//s/1f/' } },
      'cephfs',
      src(null, 'g', 's', '/volumes/g/s/1f', null),
    ],
    [
      'with a handle that says nothing',
      directory('anything', base),
      null,
      src('myfs', null, null, null),
      { unsupported: 'its PersistentVolume does not say which subvolume or directory it is' },
    ],
  ])('%s', (_, spec, kind, source, details = {}) => {
    const found = identity(spec);
    expect(found).toMatchObject({ kind, details });
    expect(found?.source).toEqual(source);
  });

  test("with ceph-csi's configuration: the group where the path does not tell it", () => {
    const of = (attributes: object) =>
      identity(directory(rookHandle, { fsName: 'myfs', ...attributes }), clusters);
    expect(of({})?.source).toMatchObject({ group: 'kube', subvolume });
    expect(of({ subvolumePath: path })?.source).toMatchObject({ group: 'csi' });
    expect(of({ subvolumeGroup: 'g' })?.source).toMatchObject({ group: 'g' });
    expect(of({})?.details.monitors).toEqual(['10.1.0.1:6789']);
  });
});

describe('other volumes', () => {
  test('NFS of ceph-csi is known and not supported', () => {
    const found = identity(csi('rook-ceph.nfs.csi.ceph.com', handle, { fsName: 'myfs' }));
    expect(found).toMatchObject({ kind: null, source: null });
    expect(found?.details.unsupported).toContain('nfs.csi.ceph.com');
  });

  test.each([
    ['another driver', csi('ebs.csi.aws.com', 'vol-1', {})],
    ['another driver with a pool', csi('example.com', 'vol-1', { pool: 'p', imageName: 'x' })],
    ['an in-tree source that is none', { rbd: [], cephfs: 'x' }],
    ['a host path', { hostPath: { path: '/' } }],
    ['nothing', {}],
  ])('%s is not Ceph', (_, spec) => {
    expect(identity(spec)).toBeNull();
  });

  test.each([
    ['a driver that ends alike', csi('notrbd.csi.ceph.com', handle, {})],
    ['a driver that begins alike', csi('rbd.csi.ceph.com.example', handle, {})],
    ['a driver in capitals', csi('RBD.csi.ceph.com', handle, {})],
    ['images by name', csi('nvmeof.csi.ceph.com', 'x', { clusterID: 'c', pool: 'p', imageName: 'x' })],
    ['static images', csi('ceph.example.com', 'x', { clusterID: 'c', pool: 'p', staticVolume: 'true' })],
    ['shares', csi('ceph.example.com', 'x', { clusterID: 'c', fsName: 'f' })],
  ])('a foreign driver with the attributes of Ceph is a gap that is seen: %s', (_, spec) => {
    expect(identity(spec)).toMatchObject({ kind: null, source: null });
    expect(identity(spec)?.details.unsupported).toContain(`--driver NAME=rbd`);
  });

  test('a driver under another name is what --driver says', () => {
    const drivers = [
      { name: 'a.example.com', type: 'rbd' as const },
      { name: 'b.example.com', type: 'cephfs' as const },
    ];
    const of = (spec: object) =>
      identify(viewVolume({ metadata: { name: 'pvc-1234' }, spec }), { clusters: null, drivers });
    expect(of(csi('a.example.com', handle, { pool: 'p', imageName: 'x' }))).toMatchObject({
      kind: 'rbd-filesystem',
      details: { unsupported: null },
    });
    expect(of(csi('b.example.com', handle, { fsName: 'f' }))?.kind).toBe('cephfs');
  });

  test('a cluster that the list does not know is not that of ceph.conf', () => {
    const spec = image('x', { clusterID: 'unknown', pool: 'p', imageName: 'x' });
    expect(identity(spec, clusters)?.details.unsupported).toContain('"unknown"');
    expect(identity(spec, null)?.details.unsupported).toBeNull();
  });
});

test.each([
  ['no options', undefined, false],
  ['others', ['noatime', 'commit=60'], false],
  ['alone', ['lazytime'], true],
  ['among others in one string', ['noatime,lazytime'], true],
  ['nothing that could be options', 'lazytime', false],
])('late times of files: %s', (_, mountOptions, lazyTimes) => {
  const spec = { ...image(handle, { pool: 'kube', imageName: 'x' }), mountOptions };
  expect(identity(spec)?.details).toMatchObject({ lazyTimes });
  expect(identity({ rbd: { image: 'x' }, mountOptions })?.details).toMatchObject({ lazyTimes });
});
