import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Family } from '../../lib/metrics/family.js';
import { pruneMetrics } from '../../lib/metrics/prune.js';
import { registryOf } from '../../lib/metrics/registry.js';
import { runMetrics } from '../../lib/metrics/run.js';
import type { Plan } from '../../lib/plan/types.js';
import type { RunReport } from '../../lib/run/report.js';
import { attempt } from '../../sandbox/process.js';
import { promtoolProgram } from '../../sandbox/tools.js';
import { runCephbackup } from '../support/cephbackup.js';
import { temporaryFolder } from '../support/temporary.js';
import { Library } from '../verify/library.js';

/** Prometheus' own judgement of format, names and units. */
async function expectAccepted(metrics: string): Promise<void> {
  expect(await attempt(promtoolProgram, ['check', 'metrics'], { input: metrics })).toEqual({
    code: 0,
    stdout: '',
    stderr: '',
  });
}

/** Values by series, as `name{labels}`. */
function series(metrics: string): Record<string, number> {
  const lines = metrics.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

const render = (families: readonly Family[]) => registryOf(families).metrics();

const claim = (name: string) => `{namespace="app",persistentvolumeclaim="${name}"}`;

describe('what a run tells', () => {
  const planned = (name: string, fields: object) => ({ namespace: 'app', pvc: name, uid: name, ...fields });
  const lastBackup = '2026-01-01T00:00:00Z';
  const plan = {
    volumes: [
      planned('good', { backup: true, reason: 'default', lastBackup }),
      planned('bad', { backup: true, reason: 'default', lastBackup }),
      planned('never', { backup: true, reason: 'unsupported', lastBackup: null }),
      planned('recent', { backup: false, reason: 'recent', lastBackup }),
      planned('out', { backup: false, reason: 'pv-false', lastBackup }),
    ],
  } as unknown as Plan;
  const result = { seconds: 2.5, bytesRead: 1000, bytesAdded: 10, time: null };
  const report = {
    volumes: [
      planned('good', { ...result, outcome: 'succeeded', time: '2026-01-02T00:00:00Z' }),
      planned('bad', { ...result, outcome: 'failed' }),
      planned('never', { ...result, outcome: 'failed' }),
    ],
    leftovers: [{}],
  } as unknown as RunReport;

  test('each volume, also one that was left out as recent; a failed one keeps its last success', async () => {
    const metrics = await render(runMetrics(report, plan));
    await expectAccepted(metrics);
    const success = 'cephbackup_last_success_timestamp_seconds';
    expect(series(metrics)).toMatchObject({
      [`${success}${claim('good')}`]: Date.parse('2026-01-02T00:00:00Z') / 1000,
      [`${success}${claim('bad')}`]: Date.parse(lastBackup) / 1000,
      [`${success}${claim('never')}`]: 0,
      [`${success}${claim('recent')}`]: Date.parse(lastBackup) / 1000,
      [`cephbackup_volume_failed${claim('good')}`]: 0,
      [`cephbackup_volume_failed${claim('bad')}`]: 1,
      'cephbackup_volume_outcome{namespace="app",persistentvolumeclaim="bad",outcome="failed"}': 1,
      [`cephbackup_volume_duration_seconds${claim('good')}`]: 2.5,
      [`cephbackup_volume_read_bytes${claim('good')}`]: 1000,
      [`cephbackup_volume_added_bytes${claim('good')}`]: 10,
      cephbackup_run_leftovers: 1,
      cephbackup_run_volumes_uncovered: 1,
      'cephbackup_run_volumes{outcome="failed"}': 2,
    });
    expect(metrics).not.toContain('"out"');
  });

  test('at most 10,000 claims one by one, and how many more there are', async () => {
    const many = Array.from({ length: 10_003 }, (_, index) =>
      planned(`c${index}`, { backup: true, reason: 'default', lastBackup: null }),
    );
    const metrics = series(
      await render(
        runMetrics(
          { volumes: [], leftovers: [] } as unknown as RunReport,
          { volumes: many } as unknown as Plan,
        ),
      ),
    );
    expect(metrics.cephbackup_run_volumes_hidden).toBe(3);
    expect(Object.keys(metrics).length).toBeLessThan(10_020);
  });
});

test('a prune that failed says nothing of the repository', async () => {
  const report = { forgotten: 3, repository: { snapshots: 7, bytesFreed: null, bytesRemaining: 5e9 } };
  const families = pruneMetrics(report as Parameters<typeof pruneMetrics>[0], 1_000_000);
  await expectAccepted(await render(families ?? []));
  expect(series(await render(families ?? []))).toEqual({
    cephbackup_prune_last_success_timestamp_seconds: 1000,
    cephbackup_prune_forgotten_snapshots: 3,
    cephbackup_repository_snapshots: 7,
    cephbackup_repository_size_bytes: 5e9,
  });
  expect(pruneMetrics({ ...report, error: {} } as Parameters<typeof pruneMetrics>[0], 1)).toBeUndefined();
});

test('labels are escaped', async () => {
  const metrics = await render([
    { name: 'a_bytes', help: 'a\\b\nc', series: [{ labels: { l: 'x"y\\z\n' }, value: 1 }] },
  ]);
  await expectAccepted(metrics);
  expect(metrics).toContain('a_bytes{l="x\\"y\\\\z\\n"} 1\n');
});

describe('delivered by the program', () => {
  let library: Library;
  let folder: string;
  let file: string;
  let gateway: Server;
  let url: string;
  let status = 200;
  const pushed: { method?: string; path?: string; authorization?: string; body: string }[] = [];

  beforeAll(async () => {
    library = await Library.create();
    await library.files('a', { file: 'content' }, '2026-01-01 00:00:00');
    folder = await temporaryFolder('metrics');
    file = path.join(folder, 'cephbackup.prom');
    gateway = createServer((request: IncomingMessage, response) => {
      void text(request).then((body) => {
        const { method, url: at, headers } = request;
        pushed.push({
          body,
          ...(method === undefined ? {} : { method }),
          ...(at === undefined ? {} : { path: at }),
          ...(headers.authorization === undefined ? {} : { authorization: headers.authorization }),
        });
        response.writeHead(status).end('what is wrong');
      });
    });
    await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve));
    url = `127.0.0.1:${(gateway.address() as AddressInfo).port}`;
  });

  afterAll(() => {
    gateway.close();
  });

  test('to a file that is replaced as a whole, where others keep theirs; and to a gateway with a password', async () => {
    const other =
      '# HELP cephbackup_run_exit_code x\n# TYPE cephbackup_run_exit_code gauge\ncephbackup_run_exit_code 0\n';
    await writeFile(file, `${other}cephbackup_verify_gone 1\n`);
    const password = 'geheim7';
    const answer = await library.verify(['--metrics-file', file], {
      CEPHBACKUP_METRICS_PUSH: `http://user:${password}@${url}/base/`,
    });
    expect(answer.code).toBe(0);
    const metrics = await readFile(file, 'utf8');
    await expectAccepted(metrics);
    expect(metrics.startsWith(other)).toBe(true);
    expect(series(metrics)).toMatchObject({
      cephbackup_run_exit_code: 0,
      cephbackup_verify_exit_code: 0,
      cephbackup_verify_damaged_volumes: 0,
      'cephbackup_verify_claims{outcome="verified"}': 1,
    });
    expect(metrics).not.toContain('cephbackup_verify_gone');
    expect(series(metrics).cephbackup_verify_finished_timestamp_seconds).toBeGreaterThan(1.7e9);
    expect(await readdir(folder)).toEqual(['cephbackup.prom']);
    expect(pushed).toEqual([
      {
        method: 'PUT',
        path: '/base/metrics/job/cephbackup/command/verify',
        authorization: `Basic ${Buffer.from(`user:${password}`).toString('base64')}`,
        body: metrics.slice(other.length),
      },
    ]);
  });

  test('a command that fails as a whole says so, and leaves what was known of volumes', async () => {
    const known = `cephbackup_last_verified_timestamp_seconds${claim('a')} 5\n`;
    await writeFile(file, `cephbackup_verify_exit_code 0\n${known}`);
    const args = ['--metrics-file', file, '--metrics-push', `http://${url}/metrics/job/mine/a/b`];
    const answer = await library.verify(args, { RESTIC_REPOSITORY: '/nowhere' });
    expect(answer.code).toBe(3);
    const metrics = await readFile(file, 'utf8');
    expect(metrics).toContain(known);
    expect(series(metrics).cephbackup_verify_exit_code).toBe(3);
    expect(pushed.at(-1)).toMatchObject({ method: 'POST', path: '/metrics/job/mine/a/b/command/verify' });
  });

  test.each([
    ['a gateway that refuses', () => ((status = 500), ['--metrics-push', `http://u:geheim8@${url}`])],
    ['a gateway that sends elsewhere', () => ((status = 302), ['--metrics-push', `http://${url}`])],
    ['no gateway', () => ['--metrics-push', 'http://u:geheim8@127.0.0.1:9']],
    ['no folder for the file', () => ['--metrics-file', '/nowhere/cephbackup.prom']],
  ])('%s is a warning', async (_, args) => {
    const answer = await library.verify(args());
    expect(answer.code).toBe(0);
    expect(answer.stderr).toMatch(/metrics could not be (pushed|written)/);
    expect(answer.stderr).not.toContain('geheim8');
  });

  test('what is no URL is a mistake', async () => {
    const { code, stderr } = await runCephbackup(['verify', '--metrics-push', 'ftp://u:geheim9@x']);
    expect(code).toBe(2);
    expect(stderr).toContain('--metrics-push');
    expect(stderr).not.toContain('geheim9');
  });
});
