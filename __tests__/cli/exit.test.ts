import net, { type AddressInfo } from 'node:net';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { commands } from '../../lib/commands/index.js';
import { ownCluster } from '../../lib/commands/shared/own-cluster.js';
import { silent as quiet } from '../../lib/log/logger.js';
import { runCephbackup } from '../support/cephbackup.js';
import { temporaryFolder } from '../support/temporary.js';

const { PATH = '', HOME = '' } = process.env;
/** Takes connections, and never answers. */
const silent = net.createServer(() => undefined);
let kubeconfig = '';

beforeAll(async () => {
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const server = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  kubeconfig = path.join(await temporaryFolder('exit'), 'kubeconfig');
  const config = {
    clusters: [{ name: 'c', cluster: { server } }],
    contexts: [{ name: 'x', context: { cluster: 'c' } }],
    'current-context': 'x',
  };
  await writeFile(kubeconfig, JSON.stringify(config));
});
afterAll(() => {
  silent.close();
});

function command(args: string[], env: Record<string, string> = {}) {
  const clean = { PATH, HOME, KUBECONFIG: kubeconfig, ...env };
  return runCephbackup([...args, '-o', 'json'], { env: clean });
}

test('--run-timeout ends a command that looks at no volume as one whose cluster is unusable', async () => {
  const { code, json } = await command(['list', '--run-timeout', '2s']);
  expect(json).toMatchObject({ error: { code: 'RUN_TIMEOUT' } });
  expect(code).toBe(3);
});

test('--run-timeout may be longer than any timer is', async () => {
  const dump = path.join(await temporaryFolder('dump'), 'dump.json');
  await writeFile(dump, JSON.stringify({ kind: 'List', items: [] }));
  const { code, stderr } = await command(['list', '--from', dump, '--run-timeout', '30d']);
  expect([code, stderr]).toEqual([0, expect.not.stringContaining('TimeoutOverflowWarning')]);
});

/** Commands that look into no repository. */
const others = ['list', 'cleanup', 'completion'];

test.each(commands.map(({ name }) => name).filter((name) => !others.includes(name)))(
  '%s: a URL of the repository that does not parse is exit 2, and is not quoted',
  async (name) => {
    const withRepository = new Set(['status', 'report']);
    const operands: Record<string, string[]> = {
      report: ['-'],
      restore: ['a/b', '--to-directory', '/nonexistent'],
      manifests: ['a/b'],
      ls: ['a/b'],
      open: ['a/b', '/nonexistent'],
      prune: ['--keep-daily', '3'],
    };
    const args = [name, ...(operands[name] ?? []), ...(withRepository.has(name) ? ['--repository'] : [])];
    const url = 'rest:http://user:bad-secret@host:99999999/';
    const { code, json, stdout, stderr } = await command(args, {
      RESTIC_REPOSITORY: url,
      RESTIC_PASSWORD: 'x',
    });
    expect(json).toMatchObject({ error: { code: 'REPOSITORY_URL_INVALID' } });
    expect(code).toBe(2);
    for (const text of [stdout, stderr]) expect(text).not.toMatch(/bad-secret|99999999/);
  },
);

test('what needs no cluster waits 5 s for one that does not answer, and no longer', async () => {
  const { PATH: path = '' } = process.env;
  const context = { options: { kubeconfig, clusterName: null }, env: { PATH: path }, log: quiet };
  const signal = new AbortController().signal;
  const { api, warnings } = await ownCluster({ ...context, signal } as unknown as Parameters<
    typeof ownCluster
  >[0]);
  expect(api).toBeNull();
  expect(warnings).toEqual([expect.stringMatching(/^going on without Kubernetes: .* 5 s/)]);
});

test('every mistake is named once, also where a target of a restore is no target', async () => {
  const { code, json } = await command(['restore', 'a', '--to-pvc', 'x', '--as-of', 'yesterday']);
  const { message } = (json as { error: { message: string } }).error;
  for (const what of ['"a"', '--to-pvc', '--as-of', 'RESTIC_REPOSITORY', 'RESTIC_PASSWORD'])
    expect(message).toContain(what);
  expect(message).not.toContain('exactly one of');
  expect(code).toBe(2);
});

test.each([[['-o', 'json']], [['--output=json']], [['-ojson']], [[]]])(
  'without a command (%j) the help is on stderr, also where JSON is promised on stdout',
  async (args) => {
    const { code, json, stderr } = await runCephbackup(args, { env: { PATH, CEPHBACKUP_OUTPUT: 'json' } });
    expect(stderr).toMatch(/^Usage: cephbackup/);
    expect(json).toMatchObject({ error: { code: 'USAGE', message: 'no command given' } });
    expect(code).toBe(2);
  },
);

test('a missing operand is named along with everything else', async () => {
  const { code, json } = await command(['ls', '--as-of', 'yesterday']);
  const { message } = (json as { error: { message: string } }).error;
  for (const what of ['NAMESPACE/PVC is missing', '--as-of', 'RESTIC_REPOSITORY', 'RESTIC_PASSWORD'])
    expect(message).toContain(what);
  expect(code).toBe(2);
});
