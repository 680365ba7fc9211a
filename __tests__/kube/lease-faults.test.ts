import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { KubeApi } from '../../lib/kube/api.js';
import type { LeaseObject } from '../../lib/kube/lease/record.js';
import { acquireLease, readLease, type Lease } from '../../lib/kube/lease/acquire.js';
import type { Fault, Faults, SeenRequest } from '../../sandbox/kube/index.js';
import { recordingLogger } from '../support/kube/logger.js';
import { kubeContext } from '../support/kube/context.js';

const context = kubeContext(false);
const timings = {
  duration: 2_000,
  renewal: 400,
  unhealthy: 1_400,
  poll: 100,
  request: 300,
  retry: 50,
  release: 1_500,
};
const everything = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }];
const held: Lease[] = [];
const warnings: string[] = [];

function faults(): Faults {
  if (context.kube.faults === null) throw new Error('only the stand-in can fail on purpose');
  return context.kube.faults;
}

/** Matches the requests of one account for leases. */
const of = (user: string, ...verbs: string[]) => ({
  matches: (seen: SeenRequest) =>
    seen.resource === 'leases' && seen.user === user && (verbs.length === 0 || verbs.includes(seen.verb)),
});

async function acquire(user: string, namespace: string, group: string | null = null): Promise<Lease> {
  const api = await context.connectAs(user, everything);
  const lease = await acquireLease({
    api,
    namespace,
    group,
    member: user,
    hostname: 'node',
    signal: new AbortController().signal,
    log: recordingLogger(warnings),
    timings,
  });
  held.push(lease);
  return lease;
}

async function place(name: string): Promise<{ namespace: string; admin: KubeApi }> {
  await context.kube.seed([{ kind: 'Namespace', metadata: { name } }]);
  return { namespace: name, admin: await context.connect() };
}

beforeEach(() => {
  faults().clear();
  warnings.length = 0;
});

afterEach(async () => {
  faults().clear();
  await Promise.all(held.splice(0).map((lease) => lease.release()));
});

describe('acquiring', () => {
  test.each<Fault['mode']>([
    'reset',
    'reset-after-commit',
    'timeout',
    'timeout-after-commit',
    'truncated',
    409,
    429,
    500,
  ])('a lease whose creation meets %s is held once, and in one run', async (mode) => {
    const user = `creator-${mode}`;
    const { namespace, admin } = await place(`create-${mode}`);
    faults().inject({ mode, times: 1, ...of(user, 'create') });
    const lease = await acquire(user, namespace);
    const record = await readLease(admin, namespace);
    expect(record).toMatchObject({ holder: lease.holder, runId: lease.runId, joins: 1 });
    expect(Object.keys(record?.members ?? {})).toHaveLength(1);
  });

  test('a takeover succeeds although it meets a fault', async () => {
    const modes: Fault['mode'][] = ['reset-after-commit', 'timeout-after-commit', 409];
    await Promise.all(
      modes.map(async (mode) => {
        const user = `heir-${mode}`;
        const { namespace, admin } = await place(`heir-in-${mode}`);
        const spec = { holderIdentity: 'dead' };
        const dead: LeaseObject = { kind: 'Lease', metadata: { namespace, name: 'cephbackup' }, spec };
        await context.kube.seed([dead]);
        faults().inject({ mode, times: 1, ...of(user, 'update') });
        const lease = await acquire(user, namespace);
        await expect(readLease(admin, namespace)).resolves.toMatchObject({ holder: lease.holder, joins: 1 });
      }),
    );
  });

  test('a member whose joining meets a reset after the fact is counted once', async () => {
    const { namespace, admin } = await place('join-reset');
    const first = await acquire('joiner-0', namespace, 'group');
    faults().inject({ mode: 'reset-after-commit', times: 1, ...of('joiner-1', 'update') });
    const second = await acquire('joiner-1', namespace, 'group');
    expect([first.ordinal, second.ordinal]).toEqual([0, 1]);
    await expect(readLease(admin, namespace)).resolves.toMatchObject({ runId: first.runId, joins: 2 });
  });

  test('who may not write leases is told so', async () => {
    const { namespace } = await place('create-forbidden');
    faults().inject({ mode: 403, ...of('forbidden', 'create') });
    await expect(acquire('forbidden', namespace)).rejects.toMatchObject({ code: 'KUBE_FORBIDDEN' });
  });

  test('conflicts without end are given up', async () => {
    const { namespace } = await place('create-conflicts');
    faults().inject({ mode: 409, ...of('unlucky', 'create') });
    await expect(acquire('unlucky', namespace)).rejects.toMatchObject({ code: 'KUBE_FAILED' });
  });
});

describe('holding', () => {
  test('a lease that cannot be renewed is unhealthy, then lost, on time', async () => {
    const modes: Fault['mode'][] = [
      ...(['reset', 'timeout', 'timeout-after-commit', 'garbage'] as const),
      ...([401, 403, 409, 500] as const),
    ];
    const results = await Promise.all(
      modes.map(async (mode) => {
        const { namespace } = await place(`cut-off-in-${mode}`);
        const started = performance.now();
        const lease = await acquire(`cut-off-${mode}`, namespace);
        faults().inject({ mode, ...of(`cut-off-${mode}`) });
        const lostAfter = new Promise<number>((resolve) => {
          lease.lost.addEventListener('abort', () => {
            resolve(performance.now() - started);
          });
        });
        await sleep(timings.unhealthy - 200);
        const before = lease.healthy();
        await sleep(400);
        const after = lease.healthy();
        const milliseconds = await lostAfter;
        const onTime = milliseconds > timings.duration - 10 && milliseconds < timings.duration + 300;
        return { mode, before, after, onTime, code: (lease.lost.reason as { code: string }).code };
      }),
    );
    expect(results).toEqual(
      modes.map((mode) => ({ mode, before: true, after: false, onTime: true, code: 'LEASE_LOST' })),
    );
  });

  test('a lease whose renewals always come too late is lost, too', async () => {
    const { namespace } = await place('too-late');
    const lease = await acquire('too-late', namespace);
    faults().inject({ mode: 409, ...of('too-late', 'update') });
    await sleep(timings.duration + 200);
    expect(lease.lost.reason).toMatchObject({ code: 'LEASE_LOST' });
  });

  test('a lease outlives an outage that is shorter than itself', async () => {
    const modes: Fault['mode'][] = ['reset', 'timeout', 'garbage', 409, 500];
    const leases = await Promise.all(
      modes.map(async (mode) => {
        const { namespace } = await place(`outage-${mode}`);
        const lease = await acquire(`patient-${mode}`, namespace);
        faults().inject({ mode, ...of(`patient-${mode}`) });
        return lease;
      }),
    );
    await sleep(timings.unhealthy - 200);
    faults().clear();
    await sleep(2 * timings.renewal + timings.request);
    expect(leases.map((lease) => lease.healthy())).toEqual(modes.map(() => true));
    expect(leases.some((lease) => lease.lost.aborted)).toBe(false);
    expect(warnings.some((text) => text.startsWith('the lease could not be renewed for'))).toBe(true);
  });

  test('who is cut off has lost the lease before anybody takes it over', async () => {
    const { namespace } = await place('partition');
    const lease = await acquire('islander', namespace);
    let lostAt = Number.POSITIVE_INFINITY;
    lease.lost.addEventListener('abort', () => {
      lostAt = performance.now();
    });
    const renewals = () => faults().requests.filter(of('islander', 'update').matches).length;
    // Cut off right after a renewal, while somebody waits already.
    const before = renewals();
    while (renewals() === before) await sleep(10);
    faults().inject({ mode: 'timeout', ...of('islander') });
    const heir = await acquire('mainlander', namespace);
    expect(lostAt).toBeLessThanOrEqual(performance.now());
    expect(heir.runId).not.toBe(lease.runId);
    await lease.release();
    await expect(readLease(await context.connect(), namespace)).resolves.toMatchObject({
      holder: heir.holder,
    });
  });
});

describe('releasing', () => {
  test.each<Fault['mode']>(['reset-after-commit', 'timeout', 409, 500])(
    'a release that meets %s once frees the lease',
    async (mode) => {
      const user = `leaver-${mode}`;
      const { namespace, admin } = await place(`leave-${mode}`);
      const lease = await acquire(user, namespace);
      faults().inject({ mode, times: 1, ...of(user, 'update') });
      await lease.release();
      await expect(readLease(admin, namespace)).resolves.toMatchObject({ holder: null });
    },
  );

  test('a release that never succeeds is a warning, within a bounded time', async () => {
    const modes: Fault['mode'][] = ['timeout', 'reset', 403, 409, 500];
    await Promise.all(
      modes.map(async (mode) => {
        const { namespace } = await place(`stuck-in-${mode}`);
        const lease = await acquire(`stuck-${mode}`, namespace);
        faults().inject({ mode, ...of(`stuck-${mode}`) });
        const started = performance.now();
        await lease.release();
        expect(performance.now() - started).toBeLessThan(5 * timings.release);
      }),
    );
    const released = warnings.filter((text) => text.startsWith('the lease could not be released'));
    expect(released).toHaveLength(modes.length);
  });

  test('after the release nothing is renewed any more', async () => {
    const { namespace } = await place('quiet');
    const lease = await acquire('quiet', namespace);
    await Promise.all([lease.release(), lease.release()]);
    faults().requests.length = 0;
    await sleep(3 * timings.renewal);
    expect(faults().requests.filter(of('quiet').matches)).toEqual([]);
  });
});
