import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { KubeApi } from '../../lib/kube/api.js';
import { acquireLease, readLease, type Lease, type LeaseOptions } from '../../lib/kube/lease/acquire.js';
import type { LeaseObject } from '../../lib/kube/lease/record.js';
import { leasePath } from '../../lib/kube/paths.js';
import { silent } from '../../lib/log/logger.js';
import type { KubeContext } from '../support/kube/context.js';

/** The real ones divided by 30: a lease of 2 s, renewed every half second. */
const timings = {
  duration: 2_000,
  renewal: 500,
  unhealthy: 1_500,
  poll: 100,
  request: 1_000,
  retry: 50,
  release: 2_000,
};
const rights = [
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'create', 'update'] },
];

export function leaseSuite(context: KubeContext): void {
  let accounts = 0;
  const held: Lease[] = [];
  /** A connection of its own for each contender, with the rights that the chart gives. */
  const connect = async (): Promise<KubeApi> => {
    accounts += 1;
    return context.connectAs(`contender-${accounts}`, rights);
  };
  const acquire = async (namespace: string, options: Partial<LeaseOptions> = {}): Promise<Lease> => {
    const lease = await acquireLease({
      api: options.api ?? (await connect()),
      namespace,
      group: null,
      member: 'member',
      hostname: 'node',
      signal: new AbortController().signal,
      log: silent,
      timings,
      ...options,
    });
    held.push(lease);
    return lease;
  };
  /** A namespace for one test, for the lease to be in. */
  const place = async (name: string): Promise<string> => {
    await context.kube.seed([{ kind: 'Namespace', metadata: { name } }]);
    return name;
  };
  /** The lease as somebody left it who was killed: nobody renews it. */
  const abandon = async (namespace: string, lease: LeaseObject): Promise<void> => {
    const object = {
      kind: 'Lease',
      ...lease,
      metadata: { ...lease.metadata, namespace, name: 'cephbackup' },
    };
    await context.kube.seed([object]);
  };
  /** Somebody changes the lease by hand. */
  const alter = async (namespace: string, change: (lease: LeaseObject) => LeaseObject): Promise<void> => {
    const admin = await context.connect();
    const path = leasePath(namespace, 'cephbackup');
    await admin.replace(path, change(await admin.get<LeaseObject>(path)));
  };

  afterEach(async () => {
    await Promise.all(held.splice(0).map((lease) => lease.release()));
  });

  describe('lease', () => {
    test('a free lease is taken at once, renewed, and freed at the end', async () => {
      const namespace = await place('lease-free');
      const started = performance.now();
      const lease = await acquire(namespace);
      expect(performance.now() - started).toBeLessThan(timings.duration);
      expect(lease.runId).toMatch(/^[0-9a-f]{8}$/);
      expect(lease.holder).toBe(`node_${lease.runId}`);
      const api = await connect();
      const first = await readLease(api, namespace);
      expect(first).toMatchObject({ holder: lease.holder, runId: lease.runId, transitions: 0 });
      await sleep(2 * timings.duration);
      const later = await readLease(api, namespace);
      expect(Date.parse(later?.renewed ?? '')).toBeGreaterThan(Date.parse(first?.renewed ?? ''));
      expect(later?.acquired).toBe(first?.acquired);
      expect(lease.healthy()).toBe(true);
      await lease.release();
      await expect(readLease(api, namespace)).resolves.toMatchObject({ holder: null, members: {} });
      const next = await acquire(namespace);
      expect(next.runId).not.toBe(lease.runId);
      await expect(readLease(api, namespace)).resolves.toMatchObject({ holder: next.holder, transitions: 1 });
    });

    test('the Lease has the form that Kubernetes documents', async () => {
      const namespace = await place('lease-form');
      const lease = await acquire(namespace);
      const admin = await context.connect();
      const object = await admin.get<LeaseObject>(leasePath(namespace, 'cephbackup'));
      const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
      expect(object.spec).toMatchObject({
        holderIdentity: lease.holder,
        leaseDurationSeconds: 2,
        acquireTime: time,
        renewTime: time,
      });
    });

    test('a lease that is renewed keeps others out', async () => {
      const namespace = await place('lease-held');
      const lease = await acquire(namespace);
      await expect(acquire(namespace)).rejects.toMatchObject({
        code: 'RUN_IN_PROGRESS',
        kind: 'busy',
        message: expect.stringMatching(
          new RegExp(
            `another run is in progress: ${lease.holder} holds the lease ${namespace}/cephbackup since 2`,
          ),
        ),
      });
      expect(lease.lost.aborted).toBe(false);
    });

    test('a lease that is freed while somebody waits for it is taken', async () => {
      const namespace = await place('lease-freed');
      await abandon(namespace, {
        spec: { holderIdentity: 'gone', renewTime: '2026-01-01T00:00:00.000000Z' },
      });
      const waiting = acquire(namespace);
      await sleep(timings.duration / 4);
      await alter(namespace, (lease) => ({ ...lease, spec: {} }));
      await expect(waiting).resolves.toMatchObject({ ordinal: 0 });
    });

    test.each([
      ['long ago', '2001-01-01T00:00:00.000000Z'],
      ['in the future', '2999-01-01T00:00:00.000000Z'],
    ])(
      'a lease that was last renewed %s is taken over after its duration, not before',
      async (_name, time) => {
        const namespace = await place(`lease-dead-${time.slice(0, 4)}`);
        await abandon(namespace, { spec: { holderIdentity: 'dead', acquireTime: time, renewTime: time } });
        const started = performance.now();
        const lease = await acquire(namespace);
        expect(performance.now() - started).toBeGreaterThanOrEqual(timings.duration);
        await expect(readLease(await connect(), namespace)).resolves.toMatchObject({
          holder: lease.holder,
          runId: lease.runId,
          transitions: 1,
        });
      },
    );

    test('what changes a lease of a dead holder without renewing it does not pass for a sign of life', async () => {
      const namespace = await place('lease-labelled');
      await abandon(namespace, {
        spec: { holderIdentity: 'dead', renewTime: '2026-01-01T00:00:00.000000Z' },
      });
      const waiting = acquire(namespace);
      await sleep(timings.duration / 4);
      await alter(namespace, (lease) => ({
        ...lease,
        metadata: { ...lease.metadata, labels: { looked: 'at' } },
      }));
      await expect(waiting).resolves.toMatchObject({ ordinal: 0 });
    });

    test('of many who wait for a dead holder, one gets the lease', async () => {
      const namespace = await place('lease-race');
      await abandon(namespace, { spec: { holderIdentity: 'dead' } });
      const results = await Promise.allSettled(Array.from({ length: 6 }, () => acquire(namespace)));
      const lost = results.filter((result) => result.status === 'rejected');
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(lost.map(({ reason }) => (reason as { code: string }).code)).toEqual(
        Array(5).fill('RUN_IN_PROGRESS'),
      );
    });

    test('the members of a group share one run, and the last one frees the lease', async () => {
      const namespace = await place('lease-group');
      const group = 'nightly-1';
      const started = performance.now();
      const members = await Promise.all(Array.from({ length: 8 }, () => acquire(namespace, { group })));
      expect(performance.now() - started).toBeLessThan(10 * timings.duration);
      expect(new Set(members.map(({ runId }) => runId)).size).toBe(1);
      expect(members.map(({ ordinal }) => ordinal).toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
      const api = await connect();
      await sleep(2 * timings.duration);
      expect(members.every((member) => member.healthy())).toBe(true);
      const [last, ...others] = members;
      await Promise.all(others.map((member) => member.release()));
      await expect(readLease(api, namespace)).resolves.toMatchObject({ holder: group, runId: last?.runId });
      await expect(acquire(namespace)).rejects.toMatchObject({ code: 'RUN_IN_PROGRESS' });
      await last?.release();
      await expect(readLease(api, namespace)).resolves.toMatchObject({ holder: null });
    });

    test('a member that was killed neither keeps the lease nor shares its number', async () => {
      const namespace = await place('lease-killed');
      const dead = { killed_00000000: { renewed: 'once', ordinal: 0 } };
      const annotations = {
        'cephbackup.hpc.nyu.edu/run': '12345678',
        'cephbackup.hpc.nyu.edu/joins': '1',
        'cephbackup.hpc.nyu.edu/members': JSON.stringify(dead),
      };
      await abandon(namespace, { metadata: { annotations }, spec: { holderIdentity: 'nightly-2' } });
      const lease = await acquire(namespace, { group: 'nightly-2' });
      expect(lease).toMatchObject({ runId: '12345678', ordinal: 1 });
      await sleep(timings.duration + 2 * timings.renewal);
      await lease.release();
      await expect(readLease(await connect(), namespace)).resolves.toMatchObject({
        holder: null,
        members: {},
      });
    });

    test('a member that may still live keeps the lease when another one leaves', async () => {
      const namespace = await place('lease-unknown');
      const annotations = {
        'cephbackup.hpc.nyu.edu/run': '12345678',
        'cephbackup.hpc.nyu.edu/members': JSON.stringify({ sibling: { renewed: 'now', ordinal: 0 } }),
      };
      await abandon(namespace, { metadata: { annotations }, spec: { holderIdentity: 'nightly-3' } });
      await (await acquire(namespace, { group: 'nightly-3' })).release();
      await expect(readLease(await connect(), namespace)).resolves.toMatchObject({
        holder: 'nightly-3',
        members: { sibling: { renewed: 'now', ordinal: 0 } },
      });
    });

    test('a lease that somebody else has taken is lost', async () => {
      const namespace = await place('lease-stolen');
      const lease = await acquire(namespace);
      const admin = await context.connect();
      const path = leasePath(namespace, 'cephbackup');
      for (;;) {
        const object = await admin.get<LeaseObject>(path);
        const stolen: LeaseObject = { ...object, spec: { ...object.spec, holderIdentity: 'thief' } };
        const done = await admin.replace(path, stolen).then(
          () => true,
          () => false,
        );
        if (done) break;
      }
      await sleep(3 * timings.renewal);
      expect(lease.healthy()).toBe(false);
      expect(lease.lost.reason).toMatchObject({
        code: 'LEASE_LOST',
        message: expect.stringContaining('thief'),
      });
      await lease.release();
      await expect(readLease(admin, namespace)).resolves.toMatchObject({ holder: 'thief' });
    });

    test('a lease that was deleted or freed by hand is taken again', async () => {
      const namespace = await place('lease-deleted');
      const lease = await acquire(namespace);
      await context.kube.request('DELETE', leasePath(namespace, 'cephbackup'));
      await sleep(3 * timings.renewal);
      const api = await connect();
      await expect(readLease(api, namespace)).resolves.toMatchObject({
        holder: lease.holder,
        runId: lease.runId,
      });
      expect(lease.healthy()).toBe(true);
    });

    test('a namespace that does not exist is named', async () => {
      await expect(acquire('lease-nowhere')).rejects.toMatchObject({
        code: 'KUBE_FAILED',
        message: "the lease's namespace lease-nowhere does not exist",
      });
    });

    test('waiting ends with the signal', async () => {
      const namespace = await place('lease-aborted');
      await abandon(namespace, { spec: { holderIdentity: 'dead' } });
      const stop = new AbortController();
      const waiting = acquire(namespace, { signal: stop.signal });
      await sleep(200);
      stop.abort(new Error('stopped'));
      await expect(waiting).rejects.toThrow('stopped');
    });
  });
}
