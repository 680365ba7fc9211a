import { describe, expect, test } from '@jest/globals';
import { parseQuantity } from '../../lib/kube/quantity.js';
import { listTable } from '../../lib/commands/list/table.js';
import { age, formatTable } from '../../lib/cli/output/table.js';
import { formatBytes } from '../../lib/log/quantity.js';
import { now, planOf } from './world.js';

describe('quantities of Kubernetes in bytes', () => {
  test.each<[string, number | null]>([
    ['0', 0],
    ['1', 1],
    ['+5', 5],
    ['1Ki', 1024],
    ['10Gi', 10_737_418_240],
    ['1.5Gi', 1_610_612_736],
    ['.5Mi', 524_288],
    ['5.Mi', 5_242_880],
    ['1Ti', 2 ** 40],
    ['3Pi', 3 * 2 ** 50],
    ['1Ei', 2 ** 60],
    ['1k', 1000],
    ['1M', 1e6],
    ['20G', 2e10],
    ['1T', 1e12],
    ['1P', 1e15],
    ['1E', 1e18],
    ['1e3', 1000],
    ['1E3', 1000],
    ['1.5e9', 1.5e9],
    ['12e-1', 2],
    ['1000m', 1],
    ['1500m', 2],
    ['1m', 1],
    ['100u', 1],
    ['5n', 1],
    ['107374182400000m', 107_374_182_400],
    ['0.1', 1],
    ['9007199254740993', 9_007_199_254_740_992],
    ['', null],
    ['.', null],
    ['Gi', null],
    ['-1Gi', null],
    ['1gi', null],
    ['1K', null],
    ['1 Gi', null],
    ['1GiB', null],
    ['1e', null],
    ['1e3Ki', null],
    ['0x10', null],
    ['1e999', null],
    ['1e99999', null],
    ['9999999Ei', null],
    ['9'.repeat(50), null],
    ['ten', null],
  ])('%j', (text, expected) => {
    expect(parseQuantity(text)).toBe(expected);
  });
});

describe('ages as kubectl prints them', () => {
  const minute = 60;
  const hour = 3600;
  const day = 86_400;
  // The cases of apimachinery's own test of HumanDuration, and its boundaries.
  test.each([
    [-2, '<invalid>'],
    [-1, '0s'],
    [0, '0s'],
    [1, '1s'],
    [70, '70s'],
    [119, '119s'],
    [120, '2m'],
    [190, '3m10s'],
    [5 * minute, '5m'],
    [10 * minute - 1, '9m59s'],
    [10 * minute, '10m'],
    [70 * minute, '70m'],
    [180 * minute - 1, '179m'],
    [3 * hour, '3h'],
    [3 * hour + 12 * minute, '3h12m'],
    [8 * hour - 1, '7h59m'],
    [8 * hour + 50 * minute, '8h'],
    [47 * hour, '47h'],
    [48 * hour, '2d'],
    [2 * day + 4 * hour, '2d4h'],
    [8 * day - 1, '7d23h'],
    [8 * day + 4 * hour, '8d'],
    [45 * day, '45d'],
    [2 * 365 * day - 1, '729d'],
    [2 * 365 * day, '2y'],
    [3 * 365 * day + 5 * day, '3y5d'],
    [8 * 365 * day - 1, '7y364d'],
    [8 * 365 * day + 100 * day, '8y'],
  ])('%d seconds', (seconds, expected) => {
    expect(age(new Date(now.getTime() - seconds * 1000), now)).toBe(expected);
  });

  test('a date that is none', () => {
    expect(age(new Date('x'), now)).toBe('<invalid>');
  });
});

describe('bytes for people', () => {
  test.each([
    [0, '0'],
    [512, '512'],
    [1023, '1023'],
    [1024, '1Ki'],
    [1536, '1.5Ki'],
    [1_610_612_736, '1.5Gi'],
    [10_737_418_240, '10Gi'],
    [2 ** 40 - 1, '1Ti'],
    [2 ** 20 - 1, '1Mi'],
    [1023.94 * 1024, '1023.9Ki'],
    [3 * 2 ** 60, '3Ei'],
    [2 ** 71, '2048Ei'],
  ])('%d', (count, expected) => {
    expect(formatBytes(count)).toBe(expected);
  });
});

describe('tables', () => {
  test('are aligned, end each line without spaces, and show control characters', () => {
    const table = formatTable(
      ['NAME', 'LONG HEADER', 'X'],
      [
        ['a\nb', '', 'long cell'],
        ['\u001b[31m', 'c', ''],
      ],
    );
    expect(table).toBe(
      ['NAME         LONG HEADER   X', 'a\\nb                       long cell', '\\u001b[31m   c', ''].join(
        '\n',
      ),
    );
  });

  test('of the plan', () => {
    const plan = planOf([
      { claim: 'team/data', pv: { 'last-backup': '2025-06-13T08:00:00Z' }, capacity: '1.5Gi' },
      {
        claim: 'team/new',
        spec: {
          csi: {
            driver: 'rbd.csi.ceph.com',
            volumeHandle: '0001-0001-a-0000000000000001-8d5e0b1a-3c11-4f1e-9d4e-0242ac110002',
          },
        },
      },
      { claim: 'team/ns', spec: { rbd: { image: 'x' } } },
      {
        claim: 'web/files',
        spec: {
          csi: {
            driver: 'cephfs.csi.ceph.com',
            volumeHandle: 'x',
            volumeAttributes: { fsName: 'myfs', staticVolume: 'true', rootPath: '/docker' },
          },
        },
      },
      {
        claim: 'web/handle',
        spec: {
          csi: {
            driver: 'cephfs.csi.ceph.com',
            volumeHandle: '0001-0001-a-0000000000000001-8d5e0b1a-3c11-4f1e-9d4e-0242ac110002',
          },
        },
      },
      { claim: 'web/none', spec: null },
      { claim: 'web/off', pvc: { backup: 'false' }, capacity: 'odd' },
    ]);
    expect(listTable(plan, now)).toBe(
      `
NAMESPACE   PVC      KIND             BACKUP   REASON           LAST BACKUP   SIZE        SOURCE
team        new      rbd-filesystem   true     default          <never>       1Gi         ?/csi-vol-8d5e0b1a-3c11-4f1e-9d4e-0242ac110002
team        ns       rbd-filesystem   true     default          <never>       1Gi         rbd/x
web         files    cephfs           true     default          <never>       1Gi         myfs:/docker
web         handle   cephfs           true     default          <never>       1Gi         ?:csi/csi-vol-8d5e0b1a-3c11-4f1e-9d4e-0242ac110002
team        data     rbd-filesystem   true     default          2d4h          1.5Gi       replicapool/csi-vol-8d5e0b1a-3c11-4f1e-9d4e-0242ac110002
web         none     <none>           false    claim-mismatch   <never>       <unknown>   <none>
web         off      rbd-filesystem   false    pvc-false        <never>       <unknown>   replicapool/csi-vol-8d5e0b1a-3c11-4f1e-9d4e-0242ac110002
`.trimStart(),
    );
  });

  test('of nothing', () => {
    expect(listTable(planOf([]), now)).toBe('No claims found.\n');
  });
});
