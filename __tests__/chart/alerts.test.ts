import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { chart } from '../../sandbox/chart/readme.js';
import { temporaryFolder } from '../support/temporary.js';
import { describeWithHelm, find, render } from './helm.js';
import { checkRules, firing, now, type RuleGroups, type Sample } from './promtool.js';

const hours = (count: number) => count * 3600;
const days = (count: number) => hours(24 * count);
const claim = (name: string) => `{namespace="demo",persistentvolumeclaim="${name}"}`;

/** What a healthy installation with two claims tells. */
const healthy: Sample[] = [
  `cephbackup_run_exit_code 0`,
  `cephbackup_run_finished_timestamp_seconds ${now - hours(20)}`,
  `cephbackup_run_leftovers 0`,
  `cephbackup_run_volumes_uncovered 0`,
  `cephbackup_last_success_timestamp_seconds${claim('a')} ${now - hours(21)}`,
  `cephbackup_last_success_timestamp_seconds${claim('b')} ${now - hours(22)}`,
  `cephbackup_last_verified_timestamp_seconds${claim('a')} ${now - days(20)}`,
  `cephbackup_last_verified_timestamp_seconds${claim('b')} ${now - days(1)}`,
  `cephbackup_volume_failed${claim('a')} 0`,
  `cephbackup_volume_failed${claim('b')} 0`,
  `cephbackup_volume_duration_seconds${claim('a')} 12.5`,
  `cephbackup_volume_read_bytes${claim('a')} 1000`,
  `cephbackup_volume_added_bytes${claim('a')} 10`,
  `cephbackup_verify_damaged_volumes 0`,
  `cephbackup_prune_last_success_timestamp_seconds ${now - days(7)}`,
  `cephbackup_repository_size_bytes 1e9`,
  `cephbackup_repository_snapshots 42`,
];

/** The healthy samples, some of them with another value, or (null) left out. */
function but(changes: Record<string, number | null>): Sample[] {
  for (const series of Object.keys(changes)) {
    if (!healthy.some((sample) => sample.startsWith(`${series} `))) throw new Error(`no sample ${series}`);
  }
  return healthy.flatMap((sample) => {
    const series = sample.slice(0, sample.lastIndexOf(' '));
    const change = changes[series];
    if (change === undefined) return [sample];
    return change === null ? [] : [`${series} ${change}`];
  });
}

const finished = 'cephbackup_run_finished_timestamp_seconds';
const success = `cephbackup_last_success_timestamp_seconds${claim('b')}`;
const verified = `cephbackup_last_verified_timestamp_seconds${claim('a')}`;
const pruned = 'cephbackup_prune_last_success_timestamp_seconds';
const ofB = 'namespace="demo" persistentvolumeclaim="b"';

/** What is wrong, and the alerts that fire: these and no others. */
const table: [string, Record<string, number | null>, string[]][] = [
  ['nothing', {}, []],
  ['a backup that is just recent enough', { [success]: now - hours(26) + 60 }, []],
  ['a stale backup', { [success]: now - hours(27) }, [`CephbackupStale ${ofB}`]],
  ['a claim that was never backed up', { [success]: 0 }, [`CephbackupStale ${ofB}`]],
  ['a failed run', { cephbackup_run_exit_code: 1 }, ['CephbackupRunFailed']],
  ['an unusable repository', { cephbackup_run_exit_code: 3 }, ['CephbackupRunFailed']],
  ['a run that was killed', { cephbackup_run_exit_code: 143 }, ['CephbackupRunFailed']],
  ['a run beside another', { cephbackup_run_exit_code: 4 }, []],
  ['leftovers', { cephbackup_run_exit_code: 5, cephbackup_run_leftovers: 2 }, ['CephbackupLeftovers']],
  ['no run for days', { [finished]: now - hours(27) }, ['CephbackupSilent']],
  ['no metrics of runs', { [finished]: null }, ['CephbackupSilent']],
  [
    'a claim that cannot be backed up',
    { cephbackup_run_volumes_uncovered: 1 },
    ['CephbackupClaimsUncovered'],
  ],
  [
    'a proof that is too old',
    { [verified]: now - days(36) },
    ['CephbackupVerificationOverdue namespace="demo" persistentvolumeclaim="a"'],
  ],
  ['a claim that was not proven yet', { [verified]: 0 }, []],
  ['no verification at all', { [verified]: null }, []],
  ['damage', { cephbackup_verify_damaged_volumes: 1 }, ['CephbackupDamageFound']],
  ['a prune that is too old', { [pruned]: now - days(16) }, ['CephbackupPruneOverdue']],
  ['no prune at all', { [pruned]: null }, []],
];

describeWithHelm('the alerts', () => {
  let folder: string;
  let rules: RuleGroups;
  beforeAll(async () => {
    folder = await temporaryFolder('alerts');
    const objects = await render({ monitoring: { rules: { enabled: true } } });
    rules = find(objects, 'PrometheusRule').spec as RuleGroups;
  });

  test('are rules that Prometheus takes', async () => {
    await checkRules(folder, rules);
  });

  test.each(table)('fire for %s', async (_, changes, expected) => {
    expect(await firing(folder, rules, but(changes))).toEqual(expected);
  });

  test('each of them fires in one of these tests, and has its place in the runbook', () => {
    const names = rules.groups.flatMap((group) => group.rules.map(({ alert }) => alert));
    const fired = new Set(table.flatMap(([, , alerts]) => alerts.map((alert) => alert.split(' ')[0])));
    expect([...new Set(names)].toSorted()).toEqual([...fired].toSorted());
    const runbook = readFileSync('docs/operations.md', 'utf8');
    for (const { alert, annotations } of rules.groups.flatMap((group) => group.rules)) {
      expect(runbook).toContain(`### ${alert}\n`);
      expect(annotations?.runbook).toBe(`docs/operations.md#${alert.toLowerCase()}`);
    }
  });

  test('go by the thresholds of the values', async () => {
    const monitoring = { rules: { enabled: true, maxAge: '8d', verifyMaxAge: '90m', pruneMaxAge: '1.5h' } };
    const other = find(await render({ monitoring }), 'PrometheusRule').spec as RuleGroups;
    // One was proven once, the other never.
    const old = but({ [success]: now - days(7), [finished]: now - days(7), [verified]: 0 });
    expect(await firing(folder, other, old)).toEqual([
      'CephbackupPruneOverdue',
      'CephbackupVerificationOverdue namespace="demo" persistentvolumeclaim="a"',
      `CephbackupVerificationOverdue ${ofB}`,
    ]);
  });

  test('are off by default, and so is the dashboard', async () => {
    const objects = await render();
    expect(
      objects.filter(
        ({ kind, metadata }) => kind === 'PrometheusRule' || metadata.name.endsWith('-dashboard'),
      ),
    ).toEqual([]);
  });

  test('the dashboard’s ConfigMap carries the file and the label of the sidecar', async () => {
    const objects = await render({ monitoring: { dashboard: { enabled: true, namespace: 'grafana' } } });
    const map = find(objects, 'ConfigMap', 'cephbackup-dashboard');
    expect(map.metadata).toMatchObject({ namespace: 'grafana', labels: { grafana_dashboard: '1' } });
    expect((map.data as Record<string, string>)['cephbackup.json']).toBe(
      readFileSync(`${chart}/files/dashboard.json`, 'utf8'),
    );
  });
});

interface Panel {
  id: number;
  type: string;
  title: string;
  description: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets: { expr: string; datasource: { type: string; uid: string } }[];
}

/** As Grafana fills in its variables. */
const filledIn = (expr: string) => expr.replaceAll('$namespace', 'demo');

describe('the dashboard', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await temporaryFolder('dashboard');
  });

  const { panels, uid, templating } = JSON.parse(readFileSync(`${chart}/files/dashboard.json`, 'utf8')) as {
    uid: string;
    panels: Panel[];
    templating: { list: { name: string }[] };
  };

  test('has panels that do not overlap, each with a title, a description and a source', () => {
    expect(uid).toBe('cephbackup');
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const fields = new Set<string>();
    for (const { title, description, targets, gridPos } of panels) {
      expect([title, description].every((text) => text !== '')).toBe(true);
      expect(targets.length).toBeGreaterThan(0);
      expect(targets.every(({ datasource }) => datasource.uid === '${datasource}')).toBe(true);
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(fields.has(`${x} ${y}`)).toBe(false);
          fields.add(`${x} ${y}`);
        }
      }
    }
  });

  test('uses no variable that it does not have', () => {
    const known = templating.list.map(({ name }) => name);
    const used = JSON.stringify(panels).matchAll(/\$\{?(\w+)/g);
    expect(
      [...new Set([...used].map(([, name]) => name))].filter((name) => !known.includes(name ?? '')),
    ).toEqual([]);
  });

  test('shows something in every panel of a healthy installation', async () => {
    const rules = panels.flatMap(({ id, targets }) =>
      targets.map(({ expr }) => ({ alert: `Panel${id}`, expr: `count(${filledIn(expr)}) > 0` })),
    );
    const groups = { groups: [{ name: 'panels', rules }] };
    await checkRules(folder, groups);
    expect(await firing(folder, groups, healthy)).toEqual(rules.map(({ alert }) => alert).toSorted());
  });
});
