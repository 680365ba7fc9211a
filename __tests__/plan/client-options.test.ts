import { describe, expect, test } from '@jest/globals';
import { buildPlan } from '../../lib/plan/plan.js';
import { clientOptions, krbdOptions } from '../../lib/plan/client-options.js';

describe('options for the kernel’s clients', () => {
  test.each([
    ['ms_mode=secure', ['ms_mode=secure'], []],
    ['ms_mode=prefer-crc,noatime, rxbounce', ['ms_mode=prefer-crc', 'rxbounce'], ['noatime']],
    ['ms_mode=crc,ms_mode=secure', ['ms_mode=secure'], []],
    // Nothing that could end the option, or begin another.
    ['ms_mode=secure -o x', [], ['ms_mode=secure -o x']],
    ['ms_mode=SECURE,secret=AQ==,dev,suid', [], ['ms_mode=SECURE', 'secret=AQ==', 'dev', 'suid']],
    ['-o,--bind', [], ['-o', '--bind']],
    ['', [], []],
    [null, [], []],
  ])('%j', (text, used, refused) => {
    expect(clientOptions(text)).toEqual({ used, refused });
  });

  test('what ceph-csi’s configuration says now wins over what the PersistentVolume was born with', () => {
    expect(clientOptions('ms_mode=legacy', 'ms_mode=secure').used).toEqual(['ms_mode=secure']);
    expect(clientOptions('ms_mode=legacy', null).used).toEqual(['ms_mode=legacy']);
  });

  test.each([
    ['krbd:ms_mode=secure;nbd:try-netlink', 'ms_mode=secure'],
    ['ms_mode=secure,rxbounce', 'ms_mode=secure,rxbounce'],
    ['nbd:try-netlink', null],
    [null, null],
  ])('mapOptions %j', (text, krbd) => {
    expect(krbdOptions(text)).toBe(krbd);
  });
});

test('they come from where clusters put them', () => {
  const pv = (name: string, driver: string, volumeAttributes: Record<string, string>) => [
    {
      metadata: { name, namespace: 'ns', uid: name },
      spec: { volumeName: name },
      status: { phase: 'Bound' },
    },
    {
      metadata: { name },
      spec: {
        claimRef: { namespace: 'ns', name, uid: name },
        csi: { driver, volumeHandle: name, volumeAttributes: { clusterID: 'c', ...volumeAttributes } },
      },
    },
  ];
  const pairs = [
    pv('image', 'rbd.csi.ceph.com', { pool: 'p', imageName: 'i', mapOptions: 'krbd:ms_mode=secure;nbd:x' }),
    pv('share', 'cephfs.csi.ceph.com', { fsName: 'f', rootPath: '/x', kernelMountOptions: 'rxbounce' }),
  ];
  const { volumes } = buildPlan(
    {
      namespaces: [{ metadata: { name: 'ns' } }],
      persistentVolumeClaims: pairs.map(([claim]) => claim ?? {}),
      persistentVolumes: pairs.map(([, volume]) => volume ?? {}),
    },
    {
      ...{ prefix: 'x', namespaces: [], excludeNamespaces: [], pvcs: [], selector: null, storageClasses: [] },
      ...{ minAgeMs: null, shard: null, drivers: [], optIn: false },
      clusters: [
        {
          clusterID: 'c',
          monitors: ['m'],
          radosNamespace: null,
          subvolumeGroup: null,
          kernelMountOptions: 'ms_mode=crc',
        },
      ],
    },
    new Date(0),
  );
  const options = Object.fromEntries(volumes.map(({ pvc, details }) => [pvc, details?.clientOptions.used]));
  expect(options).toEqual({ image: ['ms_mode=secure'], share: ['rxbounce', 'ms_mode=crc'] });
});
