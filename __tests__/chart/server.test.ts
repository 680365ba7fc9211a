import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { chart } from '../../sandbox/chart/readme.js';
import { startKube, type SandboxKube } from '../../sandbox/kube/index.js';
import { attempt, type RunResult } from '../../sandbox/process.js';
import { flips, withValue } from './flips.js';
import { describeWithHelm, kubectl, template } from './helm.js';

const ceph = ['rook', 'csi', 'external'];
const repositories = ['local', 's3', 'rest-server'];
const combinations = ceph.flatMap((from) => repositories.map((to) => [from, to] as const));

describeWithHelm('a real kube-apiserver', () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'cephbackup-chart-'));
  let kube: SandboxKube | undefined;
  beforeAll(async () => {
    kube = await startKube({ dir, real: true });
  });
  afterAll(async () => {
    await kube?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Lets the server judge every object; unknown fields are mistakes. */
  async function judge(name: string, texts: readonly string[]): Promise<RunResult> {
    const folder = path.join(dir, name);
    mkdirSync(folder);
    // Most values change one object of many.
    const objects = new Set(texts.flatMap((text) => text.split(/^---$/m)));
    [...objects].forEach((text, index) => {
      writeFileSync(path.join(folder, `${index}.yaml`), text);
    });
    const options = ['--server-side', '--dry-run=server', '--validate=strict', '--force-conflicts'];
    return attempt(
      kubectl,
      ['--kubeconfig', kube?.kubeconfig ?? '', 'apply', ...options, '--filename', folder],
      // kubectl keeps what it has learned of the server below HOME.
      { timeout: 120_000, env: { HOME: dir } },
    );
  }

  test.each(combinations)('takes the example of Ceph by %s with a repository by %s', async (from, to) => {
    const files = [`${chart}/examples/ceph-${from}.yaml`, `${chart}/examples/repository-${to}.yaml`];
    const { stdout } = await template({}, { files });
    const { code, stderr } = await judge(`${from}-${to}`, [stdout]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  test('takes what each value makes of the chart', async () => {
    const texts: string[] = [];
    for (const [at, { to, with: also = {} }] of Object.entries(flips)) {
      const { stdout } = await template(withValue(also, at, to));
      // Of Prometheus' operator this server knows nothing, and it has no namespace of Grafana's.
      texts.push(
        ...stdout
          .split(/^---$/m)
          .filter((text) => !/^kind: PrometheusRule$|^ +namespace: grafana$/m.test(text)),
      );
    }
    const { code, stdout, stderr } = await judge('flips', texts);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    // It did look at one CronJob for nearly every value.
    expect(stdout.match(/^cronjob/gm)?.length ?? 0).toBeGreaterThan(60);
  });

  test('refuses a field that does not exist', async () => {
    const { stdout } = await template();
    const { code, stderr } = await judge('typo', [stdout.replace('restartPolicy:', 'restartPolitics:')]);
    expect(stderr).toContain('restartPolitics');
    expect(code).not.toBe(0);
  });
});
