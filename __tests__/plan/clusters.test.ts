import { describe, expect, test } from '@jest/globals';
import { clusterOf, parseClusters } from '../../lib/plan/clusters.js';

const file = '/etc/ceph-csi/config.json';

describe("ceph-csi's config.json", () => {
  test('as ceph-csi and Rook write it', () => {
    const config = [
      {
        clusterID: 'rook-ceph',
        monitors: ['10.0.0.1:6789'],
        namespace: 'rook-ceph',
        rbd: { netNamespaceFilePath: '', radosNamespace: 'tenants', mirrorDaemonCount: 1 },
        cephFS: { netNamespaceFilePath: '', subvolumeGroup: 'kube', kernelMountOptions: 'ms_mode=secure' },
        nfs: { netNamespaceFilePath: '' },
        readAffinity: { enabled: false, crushLocationLabels: null },
      },
      {
        clusterID: 'plain',
        monitors: ['a', 'b'],
        rbd: { radosNamespace: '' },
        cephFS: { subvolumeGroup: '' },
      },
      { clusterID: 'old', monitors: ['c'], radosNamespace: 'ns', subvolumeGroup: 'group' },
      { clusterID: 'nulls', monitors: ['d'], rbd: null, cephFS: null },
    ];
    const clusters = parseClusters(`\uFEFF${JSON.stringify(config)}\n`, file);
    expect(clusters).toEqual([
      {
        clusterID: 'rook-ceph',
        monitors: ['10.0.0.1:6789'],
        radosNamespace: 'tenants',
        subvolumeGroup: 'kube',
        kernelMountOptions: 'ms_mode=secure',
      },
      {
        clusterID: 'plain',
        monitors: ['a', 'b'],
        radosNamespace: null,
        subvolumeGroup: null,
        kernelMountOptions: null,
      },
      {
        clusterID: 'old',
        monitors: ['c'],
        radosNamespace: 'ns',
        subvolumeGroup: 'group',
        kernelMountOptions: null,
      },
      {
        clusterID: 'nulls',
        monitors: ['d'],
        radosNamespace: null,
        subvolumeGroup: null,
        kernelMountOptions: null,
      },
    ]);
    expect(clusterOf(clusters, 'old')?.radosNamespace).toBe('ns');
    expect(clusterOf(clusters, 'none')).toBeNull();
    expect(clusterOf(clusters, null)).toBeNull();
    expect(clusterOf(null, 'old')).toBeNull();
  });

  test('with no cluster', () => {
    expect(parseClusters('[]', file)).toEqual([]);
  });

  test('the first of two entries counts, as in ceph-csi', () => {
    const twice = parseClusters(
      '[{"clusterID":"a","monitors":["1"]},{"clusterID":"a","monitors":["2"]}]',
      file,
    );
    expect(clusterOf(twice, 'a')?.monitors).toEqual(['1']);
  });

  test.each([
    ['nothing', '', 'it is not JSON: '],
    ['text', 'mon_host = 10.0.0.1', 'it is not JSON: '],
    ['an object', '{"clusterID":"a"}', 'it is not a JSON array'],
    ['null', 'null', 'it is not a JSON array'],
    [
      'entries of wrong types',
      '[1,null,"x"]',
      'entry 1 has no clusterID; entry 1 has no list of monitors; entry 2 has no',
    ],
    ['no clusterID', '[{"monitors":["a"]}]', 'entry 1 has no clusterID'],
    ['a clusterID that is no text', '[{"clusterID":5,"monitors":["a"]}]', 'entry 1 has no clusterID'],
    [
      'no monitors',
      '[{"clusterID":"a","monitors":["x"]},{"clusterID":"b"}]',
      'entry 2 ("b") has no list of monitors',
    ],
    [
      'an empty list of monitors',
      '[{"clusterID":"a","monitors":[]}]',
      'entry 1 ("a") has no list of monitors',
    ],
    ['monitors in one text', '[{"clusterID":"a","monitors":"a,b"}]', 'entry 1 ("a") has no list of monitors'],
    [
      'a monitor that is no text',
      '[{"clusterID":"a","monitors":["a",5]}]',
      'entry 1 ("a") has no list of monitors',
    ],
    [
      'a namespace that is no text',
      '[{"clusterID":"a","monitors":["a"],"rbd":{"radosNamespace":5}}]',
      'entry 1 has a radosNamespace that is no text',
    ],
    [
      'a group that is no text',
      '[{"clusterID":"a","monitors":["a"],"cephFS":{"subvolumeGroup":[]}}]',
      'entry 1 has a subvolumeGroup that is no text',
    ],
  ])('%s is refused', (_, content, problem) => {
    expect(() => parseClusters(content, file)).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(`${file}: `) as unknown }),
    );
    expect(() => parseClusters(content, file)).toThrow(problem);
  });
});
