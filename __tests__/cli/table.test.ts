import { expect, test } from '@jest/globals';
import { formatTable } from '../../lib/cli/output/table.js';
import { statusTable } from '../../lib/commands/status/table.js';
import type { ClaimStatus, StatusReport } from '../../lib/plan/status.js';

const rows = [
  ['shop', 'orders', 'rbd-filesystem', 'ok'],
  ['shop', 'logs', 'cephfs', 'stale'],
];
const table = (width: number | null) =>
  formatTable(['NAMESPACE', 'PVC', 'KIND', 'STATE'], rows, { width, givesWay: ['KIND', 'PVC'] });

test('a table that is too wide for its terminal loses columns in the order that is said, and no others', () => {
  expect(table(null)).toMatch(/^NAMESPACE +PVC +KIND +STATE\n/);
  expect(table(43)).toBe(table(null));
  expect(table(42)).toBe(
    formatTable(
      ['NAMESPACE', 'PVC', 'STATE'],
      rows.map((row) => row.toSpliced(2, 1)),
    ),
  );
  expect(table(5)).toMatch(/^NAMESPACE +STATE\nshop +ok\n/);
});

test('prose in the last column is broken into lines, but no command in it; then columns give way', () => {
  const long = 'the image is gone: see `rbd ls --pool kubernetes --long` and then back it up anew';
  const headers = ['NAMESPACE', 'KIND', 'ERROR'];
  const broken = (width: number) =>
    formatTable(headers, [['shop', 'cephfs', long]], { width, givesWay: ['KIND'], wraps: true });
  expect(broken(60)).toBe(
    [
      'NAMESPACE   KIND     ERROR',
      'shop        cephfs   the image is gone: see',
      '                     `rbd ls --pool kubernetes --long` and',
      '                     then back it up anew',
      '',
    ].join('\n'),
  );
  expect(broken(45)).toBe(
    [
      'NAMESPACE   ERROR',
      'shop        the image is gone: see',
      '            `rbd ls --pool kubernetes --long`',
      '            and then back it up anew',
      '',
    ].join('\n'),
  );
  expect(formatTable(headers, [['shop', 'cephfs', long]])).toContain(long);
});

test('status fits 80 columns with names of usual length, and keeps state and error', () => {
  const claim = {
    ...{ namespace: 'shop-production', pvc: 'data-postgresql-0', kind: 'rbd-filesystem', state: 'stale' },
    ...{ lastBackup: '2026-01-01T00:00:00Z', lastAttempt: '2026-01-01T00:00:00Z', lastVerified: null },
    ...{ lastError: 'IMAGE_NOT_FOUND', sizeBytes: 2 ** 30, backup: true, covered: true, reason: 'default' },
  } as unknown as ClaimStatus;
  const totals = { selected: 1, ok: 0, stale: 1, never: 0, missing: 0, failed: 1, notCovered: 0 };
  const report = { volumes: [claim], totals: { ...totals, sizeBytes: 1, oldestBackup: null } };
  const text = statusTable(report as unknown as StatusReport, new Date('2026-01-03'), 80);
  const [head = '', row = ''] = text.split('\n');
  expect(Math.max(head.length, row.length)).toBeLessThanOrEqual(80);
  expect(row).toMatch(/^shop-production +data-postgresql-0 +stale .*IMAGE_NOT_FOUND/);
});
