import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { CephbackupError } from '../../lib/errors/error.js';
import { Hooks } from '../../lib/hooks/hooks.js';
import { connectKube } from '../../lib/kube/client.js';
import { connectPodExec } from '../../lib/kube/exec/exec.js';
import { silent } from '../../lib/log/logger.js';
import { runningPod } from '../../sandbox/kube/pod.js';
import type { FaultMode, SeenRequest } from '../../sandbox/kube/index.js';
import { startStandIn } from '../../sandbox/kube/stand-in.js';
import type { SandboxKube } from '../../sandbox/kube/types.js';
import { temporaryFolder } from '../support/temporary.js';

const prefix = 'backup.example.org';
let kube: SandboxKube;
let folder: string;
let hooks: Hooks;

beforeAll(async () => {
  folder = await temporaryFolder('broken-api');
  kube = await startStandIn({ dir: folder });
  const annotations = {
    'sandbox/folder': folder,
    [`${prefix}/pre-snapshot`]: 'touch frozen; echo frozen',
    [`${prefix}/post-snapshot`]: 'rm -f frozen; echo thawed; echo post >>posts',
    [`${prefix}/hook-timeout`]: '1s',
  };
  await kube.seed([runningPod({ namespace: 'shop', name: 'db' }, ['data'], annotations)]);
  const api = await connectKube({
    kubeconfig: kube.kubeconfig,
    env: process.env,
    log: silent,
    signal: new AbortController().signal,
  });
  const exec = await connectPodExec(kube.kubeconfig, process.env);
  hooks = new Hooks({ api, exec, prefix, patienceMs: 4_000, limitMs: 5_000 });
});

afterAll(() => kube.stop());

beforeEach(async () => {
  kube.faults?.clear();
  await rm(path.join(folder, 'frozen'), { force: true });
  await rm(path.join(folder, 'posts'), { force: true });
});

const isFrozen = () => existsSync(path.join(folder, 'frozen'));
const posts = async () => (await readFile(path.join(folder, 'posts'), 'utf8').catch(() => '')).length / 5;

/** What a run would say; null where the snapshot was taken and all is well. */
async function hold(): Promise<CephbackupError | null> {
  const { signal } = new AbortController();
  const request = { namespace: 'shop', claims: new Set(['data']), elsewhere: new Set<string>() };
  return hooks
    .around({ ...request, signal, log: silent, warn: () => undefined, held: () => undefined }, () =>
      Promise.resolve('taken'),
    )
    .then(
      () => null,
      (thrown: unknown) => thrown as CephbackupError,
    );
}

const asks = (word: string) => (request: SeenRequest) =>
  request.resource === 'pods/exec' && JSON.stringify(request.body).includes(word);

const modes: FaultMode[] = [
  'reset',
  'timeout',
  'reset-when-open',
  'truncated',
  'reset-after-commit',
  'timeout-after-commit',
  'closed',
  'garbage',
  401,
  403,
  429,
  500,
  503,
];

describe.each(modes)('an API that breaks the connection: %s', (mode) => {
  test('at pre: nobody stays frozen, and nothing is taken for frozen that may not be', async () => {
    kube.faults?.inject({ mode, matches: asks('touch frozen') });
    const error = await hold();
    expect(error?.code).toBe('HOOK_FAILED');
    expect(error?.message).toContain('pod shop/db');
    expect(isFrozen()).toBe(false);
  });

  test('at post, once: it is tried again', async () => {
    kube.faults?.inject({ mode, times: 1, matches: asks('rm -f frozen') });
    const error = await hold();
    // A refusal for good is told at once.
    if (mode === 403) expect(error?.message).toMatch(/^may still be held.*pod shop\/db/);
    else {
      expect(error).toBeNull();
      expect(isFrozen()).toBe(false);
      expect(await posts()).toBeGreaterThan(0);
    }
  });

  test('at post, for good: the pod is named, whether it was let go or not', async () => {
    kube.faults?.inject({ mode, matches: asks('rm -f frozen') });
    const error = await hold();
    expect(error?.code).toBe('HOOK_FAILED');
    expect(error?.message).toMatch(/^may still be held.*pod shop\/db/);
  });
});

test('an API that is gone when post is due, for everything, is told', async () => {
  kube.faults?.onRequest((request) => {
    if (asks('touch frozen')(request))
      kube.faults?.inject({ mode: 'reset', matches: (later) => later !== request });
  });
  const error = await hold();
  expect(isFrozen()).toBe(true);
  expect(error?.code).toBe('HOOK_FAILED');
  expect(error?.message).toMatch(/^may still be held.*pod shop\/db/);
});
