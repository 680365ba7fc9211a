import { beforeEach, describe, expect, test } from '@jest/globals';
import type { KubeApi } from '../../lib/kube/api.js';
import { recordEvent } from '../../lib/kube/events.js';
import { markBackup } from '../../lib/kube/marks.js';
import { eventsPath, leasesPath, namespacesPath, persistentVolumePath } from '../../lib/kube/paths.js';
import type { Fault, Faults, SeenRequest } from '../../sandbox/kube/index.js';
import { kubeContext } from '../support/kube/context.js';
import { seedClaim } from '../support/kube/objects.js';

const context = kubeContext(false);
const prefix = 'backup.example.org';

function faults(): Faults {
  if (context.kube.faults === null) throw new Error('only the stand-in can fail on purpose');
  return context.kube.faults;
}

/** Milliseconds and outcome of one call. */
async function timed<T>(call: Promise<T>): Promise<{ result?: T; error?: unknown; milliseconds: number }> {
  const started = performance.now();
  const outcome = await call.then(
    (result) => ({ result }),
    (error: unknown) => ({ error }),
  );
  return { ...outcome, milliseconds: performance.now() - started };
}

const inject = (fault: Fault) => {
  faults().inject(fault);
};

beforeEach(() => {
  faults().clear();
});

describe('reading', () => {
  test.each<Fault['mode']>(['reset', 'reset-after-commit', 'truncated', 429, 500, 503])(
    'a list goes on after %s',
    async (mode) => {
      const api = await context.connect();
      inject({ mode, times: 2 });
      const { result, milliseconds } = await timed(api.list(namespacesPath));
      expect(result?.map(({ metadata }) => metadata?.name)).toContain('kube-system');
      expect(faults().requests).toHaveLength(3);
      expect(milliseconds).toBeGreaterThan(250);
    },
  );

  test('a request that is not answered is given up and made again', async () => {
    const api = await context.connect();
    inject({ mode: 'timeout', times: 1 });
    const { result, milliseconds } = await timed(api.list(namespacesPath, { timeoutMs: 1_000 }));
    expect(result).not.toHaveLength(0);
    expect(milliseconds).toBeGreaterThan(1_000);
    expect(milliseconds).toBeLessThan(15_000);
  });

  test('Retry-After is honoured', async () => {
    const api = await context.connect();
    inject({ mode: 429, retryAfter: 2, times: 1 });
    const { result, milliseconds } = await timed(api.list(namespacesPath));
    expect(result).not.toHaveLength(0);
    expect(milliseconds).toBeGreaterThanOrEqual(2_000);
  });

  test('a Retry-After beyond patience is not waited for', async () => {
    const api = await context.connect();
    inject({ mode: 429, retryAfter: 3_600 });
    const { error, milliseconds } = await timed(api.list(namespacesPath));
    expect(error).toMatchObject({ code: 'KUBE_FAILED', status: 429 });
    expect(milliseconds).toBeLessThan(15_000);
  });

  test('a server that goes on failing is given up within patience', async () => {
    const api = await context.connect({ patienceMs: 60_000 });
    inject({ mode: 500 });
    const { error, milliseconds } = await timed(api.list(namespacesPath, { patienceMs: 1_500 }));
    expect(error).toMatchObject({ code: 'KUBE_FAILED', status: 500, retryable: true });
    expect(milliseconds).toBeLessThan(15_000);
    expect(faults().requests.length).toBeGreaterThan(2);
  });

  test('a server that does not answer any more is KUBE_UNREACHABLE', async () => {
    const api = await context.connect({ patienceMs: 60_000 });
    await api.list(namespacesPath);
    inject({ mode: 'timeout' });
    const { error, milliseconds } = await timed(
      api.list(namespacesPath, { timeoutMs: 1_000, patienceMs: 2_000 }),
    );
    expect(error).toMatchObject({ code: 'KUBE_UNREACHABLE', kind: 'unusable', retryable: true });
    expect(milliseconds).toBeLessThan(15_000);
  });

  test('an answer that is no JSON is a failure, not an empty list', async () => {
    const api = await context.connect();
    inject({ mode: 'garbage' });
    await expect(api.list(namespacesPath)).rejects.toMatchObject({
      code: 'KUBE_FAILED',
      message: 'could not list namespaces: the answer makes no sense: it is no JSON',
    });
  });

  test('an object where a list should be is a failure, not an empty list', async () => {
    const api = await context.connect();
    await expect(api.list(`${namespacesPath}/default`)).rejects.toMatchObject({ code: 'KUBE_FAILED' });
  });

  test.each<[Fault['mode'], string]>([
    [403, 'KUBE_FORBIDDEN'],
    [401, 'KUBE_FORBIDDEN'],
    [409, 'KUBE_FAILED'],
  ])('%s is not repeated', async (mode, code) => {
    const api = await context.connect();
    inject({ mode });
    await expect(api.get(`${namespacesPath}/default`)).rejects.toMatchObject({ code, status: mode });
    // After a 401 the credentials are read again, once.
    expect(faults().requests).toHaveLength(mode === 401 ? 2 : 1);
  });

  test('a 410 that never ends is a failure', async () => {
    const api = await context.connect();
    inject({ mode: 410 });
    await expect(api.list(namespacesPath)).rejects.toMatchObject({ code: 'KUBE_FAILED', status: 410 });
    expect(faults().requests).toHaveLength(5);
  });

  test('a signal ends the waiting at once, with its own reason', async () => {
    const stop = new AbortController();
    const api = await context.connect({ signal: stop.signal, patienceMs: 60_000 });
    inject({ mode: 429, retryAfter: 30 });
    const waiting = timed(api.list(namespacesPath));
    const hanging = timed(api.list(leasesPath('default')));
    setTimeout(() => {
      stop.abort(new Error('told to stop'));
    }, 300);
    for (const { error, milliseconds } of await Promise.all([waiting, hanging])) {
      expect(error).toMatchObject({ message: 'told to stop' });
      expect(milliseconds).toBeLessThan(15_000);
    }
    faults().clear();
    // What must still be done brings a signal of its own.
    const own = { signal: AbortSignal.timeout(5_000) };
    await expect(api.list(namespacesPath, own)).resolves.not.toHaveLength(0);
  });
});

describe('writing', () => {
  const creations = (seen: readonly SeenRequest[]) => seen.filter(({ verb }) => verb === 'create');

  test.each<Fault['mode']>(['reset', 'reset-after-commit', 'truncated', 500, 503])(
    'what must not be carried out twice is not sent again after %s',
    async (mode) => {
      const api = await context.connect();
      inject({ mode });
      const name = `once-${mode}`;
      await expect(api.create(leasesPath('default'), { metadata: { name } })).rejects.toMatchObject({
        retryable: true,
      });
      expect(creations(faults().requests)).toHaveLength(1);
    },
  );

  test('what was turned away at the door is sent again', async () => {
    const api = await context.connect();
    inject({ mode: 429, times: 2 });
    const created = await api.create(leasesPath('default'), { metadata: { name: 'at-last' } });
    expect(created.metadata?.uid).toBeDefined();
  });

  test('no error tells the token', async () => {
    const api = await context.connect();
    const modes: Fault['mode'][] = ['reset', 'garbage', 'truncated', 401, 403, 500];
    for (const mode of modes) {
      faults().clear();
      inject({ mode });
      const { error } = await timed(api.list(namespacesPath, { patienceMs: 0 }));
      expect(String(error)).toMatch(/list namespaces/);
      expect(String(error)).not.toMatch(/Bearer|Authorization/i);
    }
  });
});

describe('marks', () => {
  const mark = (uid: string, pv: string) => ({
    pv,
    claimUid: uid,
    prefix,
    lastBackup: '2026-01-02T03:04:05Z',
    snapshotId: 'a'.repeat(64),
    attempt: '2026-01-02T03:10:00Z',
  });
  const lastBackupOf = async (api: KubeApi, pv: string) =>
    (await api.get(persistentVolumePath(pv))).metadata?.annotations?.[`${prefix}/last-backup`];

  test.each<Fault['mode']>(['reset', 'reset-after-commit', 'truncated', 429, 500, 409])(
    'a mark is made although its patch meets %s',
    async (mode) => {
      const name = `hit-${mode}`;
      const { uid } = await seedClaim(context.kube, 'hit', name, { some: 'annotation' });
      const api = await context.connect();
      inject({ mode, times: 1, matches: ({ verb }) => verb === 'patch' });
      await expect(markBackup(api, mark(uid, `pv-${name}`))).resolves.toBe('marked');
      await expect(lastBackupOf(api, `pv-${name}`)).resolves.toBe('2026-01-02T03:04:05Z');
    },
  );

  test.each<Fault['mode']>(['reset', 'timeout', 401, 403, 409, 500, 'garbage'])(
    'a mark that meets %s without end is PV_NOT_MARKED within a bounded time',
    async (mode) => {
      const name = `lost-${mode}`;
      const { uid } = await seedClaim(context.kube, 'lost', name, { some: 'annotation' });
      const api = await context.connect();
      inject({ mode, matches: ({ verb }) => verb === 'patch' });
      const { error, milliseconds } = await timed(
        markBackup(api, mark(uid, `pv-${name}`), { timeoutMs: 500, patienceMs: 1_500 }),
      );
      expect(error).toMatchObject({ code: 'PV_NOT_MARKED', kind: 'unusable' });
      expect(milliseconds).toBeLessThan(15_000);
    },
  );

  test('a mark that its signal cuts short is PV_NOT_MARKED', async () => {
    const { uid } = await seedClaim(context.kube, 'lost', 'cut-short', { some: 'annotation' });
    const api = await context.connect();
    inject({ mode: 'timeout' });
    const { error, milliseconds } = await timed(
      markBackup(api, mark(uid, 'pv-cut-short'), { signal: AbortSignal.timeout(500) }),
    );
    expect(error).toMatchObject({ code: 'PV_NOT_MARKED' });
    expect(milliseconds).toBeLessThan(15_000);
  });

  test('a volume that is bound anew while it is being marked stays without a mark', async () => {
    const { uid } = await seedClaim(context.kube, 'rebind', 'moved');
    const api = await context.connect();
    // It has no annotations, so the first patch fails, the volume is read, and then it changes hands.
    let patches = 0;
    faults().onRequest(async ({ verb }) => {
      if (verb !== 'patch' || ++patches !== 2) return;
      const change = [{ op: 'replace', path: '/spec/claimRef/uid', value: 'the-next-claim' }];
      await context.kube.request(
        'PATCH',
        persistentVolumePath('pv-moved'),
        change,
        'application/json-patch+json',
      );
    });
    await expect(markBackup(api, mark(uid, 'pv-moved'))).resolves.toBe('claim-gone');
    await expect(lastBackupOf(api, 'pv-moved')).resolves.toBeUndefined();
    expect(patches).toBe(2);
  });

  test('annotations that somebody else begins at the same time are kept', async () => {
    const { uid } = await seedClaim(context.kube, 'rebind', 'begun');
    const api = await context.connect();
    let patches = 0;
    faults().onRequest(async ({ verb }) => {
      if (verb !== 'patch' || ++patches !== 2) return;
      const path = persistentVolumePath('pv-begun');
      const theirs = { metadata: { annotations: { theirs: 'kept' } } };
      await context.kube.request('PATCH', path, theirs, 'application/merge-patch+json');
    });
    await expect(markBackup(api, mark(uid, 'pv-begun'))).resolves.toBe('marked');
    const { metadata } = await api.get(persistentVolumePath('pv-begun'));
    expect(metadata?.annotations).toMatchObject({
      theirs: 'kept',
      [`${prefix}/last-backup`]: '2026-01-02T03:04:05Z',
    });
  });
});

describe('events', () => {
  test.each<Fault['mode']>(['reset', 'reset-after-commit', 'truncated', 429, 500])(
    'an event that meets %s is there once',
    async (mode) => {
      const name = `event-${mode}`;
      const { uid } = await seedClaim(context.kube, 'eventful', name);
      const api = await context.connect();
      inject({ mode, times: 1, matches: ({ resource }) => resource === 'events' });
      const claim = { namespace: 'eventful', name, uid };
      const event = { claim, reason: 'BackupSucceeded', message: 'x', runId: '00000001', time: 0 } as const;
      await expect(recordEvent(api, event)).resolves.toBeNull();
      const query = { fieldSelector: `involvedObject.name=${name}` };
      await expect(api.list(eventsPath('eventful'), { query })).resolves.toHaveLength(1);
    },
  );

  test('an event is not waited for longer than asked', async () => {
    const api = await context.connect();
    inject({ mode: 'timeout' });
    const claim = { namespace: 'default', name: 'x', uid: 'x' };
    const event = { claim, reason: 'BackupFailed', message: 'x', runId: '00000001', time: 0 } as const;
    const { result, milliseconds } = await timed(
      recordEvent(api, event, { timeoutMs: 1_000, patienceMs: 500 }),
    );
    expect(result).toMatch(/no event on default\/x: .*no answer within 1 s/);
    expect(milliseconds).toBeLessThan(15_000);
  });
});
