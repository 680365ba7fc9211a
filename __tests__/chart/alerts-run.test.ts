import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { chart } from '../../sandbox/chart/readme.js';
import { Scenario, type SeededClaim } from '../support/scenario.js';
import { describeWithHelm, find, render } from './helm.js';
import { firing, now, type RuleGroups, type Sample } from './promtool.js';

const hours = (count: number) => count * 3600;

describeWithHelm('the alerts and the dashboard, with what real commands tell', () => {
  let scenario: Scenario;
  let rules: RuleGroups;
  let disk: SeededClaim;
  let broken: SeededClaim;
  let file: string;

  beforeAll(async () => {
    scenario = await Scenario.create();
    [disk, broken] = await Promise.all([
      scenario.claim('disk', { format: 'none', volumeMode: 'Block' }),
      // The PersistentVolume names ext4.
      scenario.claim('broken', { format: 'xfs', size: '400M' }),
    ]);
    file = path.join(scenario.temporary, '..', 'cephbackup.prom');
    rules = find(await render({ monitoring: { rules: { enabled: true } } }), 'PrometheusRule')
      .spec as RuleGroups;
  });

  const run = async (...args: string[]) =>
    (await scenario.cephbackup([...args, '-o', 'json', '--metrics-file', file])).code;

  /** The samples in the metrics file, as they look so many hours later. */
  async function samples(later = 0): Promise<Sample[]> {
    const shift = now - hours(later) - Date.now() / 1000;
    const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => /^[a-z]/.test(line));
    return lines.map((line) => {
      const [, series = '', value = ''] = /^(.*) (\S+)$/.exec(line) ?? [];
      const isTime = /^\w+_timestamp_seconds\b/.test(series) && value !== '0';
      return `${series} ${isTime ? Math.round(Number(value) + shift) : value}`;
    });
  }

  const fired = async (later = 0) => firing(scenario.temporary, rules, await samples(later));
  const of = ({ namespace, name }: SeededClaim) => `namespace="${namespace}" persistentvolumeclaim="${name}"`;

  test('a run with a failed volume, a healthy installation, one that stands still, and damage', async () => {
    expect(await run('run')).toBe(1);
    expect(await fired()).toEqual(['CephbackupRunFailed', `CephbackupStale ${of(broken)}`]);

    await scenario.kube.request(
      'PATCH',
      `/api/v1/namespaces/demo/persistentvolumeclaims/${broken.name}`,
      { metadata: { annotations: { 'cephbackup.hpc.nyu.edu/backup': 'false' } } },
      'application/merge-patch+json',
    );
    expect([await run('run'), await run('verify'), await run('prune', '--keep-last', '9')]).toEqual([
      0, 0, 0,
    ]);
    expect(await fired()).toEqual([]);

    const { panels } = JSON.parse(await readFile(`${chart}/files/dashboard.json`, 'utf8')) as {
      panels: { id: number; targets: { expr: string }[] }[];
    };
    const full = panels.flatMap(({ id, targets }) =>
      targets.map(({ expr }) => ({
        alert: `Panel${id}`,
        expr: `count(${expr.replaceAll('$namespace', '.*')}) > 0`,
      })),
    );
    const groups = { groups: [{ name: 'panels', rules: full }] };
    expect(await firing(scenario.temporary, groups, await samples())).toEqual(
      full.map(({ alert }) => alert).toSorted(),
    );

    const standing = [`CephbackupStale ${of(disk)}`, 'CephbackupSilent'];
    expect(await fired(30)).toEqual(standing.toSorted());
    expect(await fired(24 * 40)).toEqual(
      [...standing, 'CephbackupPruneOverdue', `CephbackupVerificationOverdue ${of(disk)}`].toSorted(),
    );

    const data = path.join(scenario.repository.env.RESTIC_REPOSITORY, 'data');
    for (const name of await readdir(data, { recursive: true })) {
      if (/[0-9a-f]{64}$/.test(name)) await rm(path.join(data, name));
    }
    expect(await run('verify')).toBe(1);
    expect(await fired()).toEqual(['CephbackupDamageFound']);
  });
});
