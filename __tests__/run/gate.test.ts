import { describe, expect, test } from '@jest/globals';
import type { ErrorCode } from '../../lib/errors/catalogue.js';
import { CephbackupError } from '../../lib/errors/error.js';
import { silent } from '../../lib/log/logger.js';
import type { PlannedVolume } from '../../lib/plan/types.js';
import { Gate, type GateRequest } from '../../lib/run/gate.js';
import { steady } from '../../lib/waiting/persist.js';

const error = (code: ErrorCode, retryable = code === 'CEPH_UNREACHABLE') =>
  new CephbackupError(code, `it is ${code}`, { retryable });
const volume = (cluster: string) => ({ source: { cluster }, details: null }) as unknown as PlannedVolume;

function gateOf(request: Partial<GateRequest>): Gate {
  return new Gate({
    signal: new AbortController().signal,
    mayBegin: () => true,
    probeCluster: () => Promise.resolve(),
    probeRepository: () => Promise.resolve(),
    outage: steady(60_000, 1),
    log: silent,
    ...request,
  });
}

describe('a gate that was shut by one volume', () => {
  test('opens for the others as soon as the cluster answers again', async () => {
    let probes = 0;
    const probeCluster = () => {
      probes += 1;
      return probes < 4 ? Promise.reject(error('CEPH_UNREACHABLE')) : Promise.resolve();
    };
    const gate = gateOf({ probeCluster });
    gate.learn(volume('a'), error('CEPH_UNREACHABLE'));
    gate.learn(volume('a'), error('CEPH_UNREACHABLE'));
    expect(await Promise.all([1, 2, 3].map(() => gate.admit(volume('a'))))).toEqual([null, null, null]);
    expect(probes).toBe(4);
  });

  test('stays closed where nothing answers in the end, with the last reason', async () => {
    const probeRepository = () => Promise.reject(error('REPOSITORY_LOCKED'));
    const gate = gateOf({ probeRepository, outage: steady(20, 1) });
    gate.learn(volume('a'), error('REPOSITORY_UNREACHABLE'));
    expect(await gate.admit(volume('a'))).toMatchObject({ code: 'REPOSITORY_LOCKED' });
  });

  test('concerns its own cluster only', async () => {
    const gate = gateOf({
      probeCluster: () => Promise.reject(error('CEPH_UNREACHABLE')),
      outage: steady(20, 1),
    });
    gate.learn(volume('a'), error('CEPH_UNREACHABLE'));
    expect(await gate.admit(volume('b'))).toBeNull();
    expect(await gate.admit(volume('a'))).toMatchObject({ code: 'CEPH_UNREACHABLE' });
    expect(await Promise.all(['a', 'b'].map((cluster) => gate.answers(volume(cluster))))).toEqual([
      false,
      true,
    ]);
  });

  test.each<ErrorCode>(['REPOSITORY_PASSWORD_WRONG', 'REPOSITORY_MISSING', 'CEPH_KEY_UNREADABLE'])(
    'is closed for good by what does not pass: %s',
    async (code) => {
      const probed = () => {
        throw new Error('asked again');
      };
      const gate = gateOf({ probeCluster: probed, probeRepository: probed });
      gate.learn(volume('a'), error(code));
      expect(await gate.admit(volume('a'))).toMatchObject({ code });
    },
  );

  test('is closed for good by a key that is refused: no monitor has to come back for that', async () => {
    const gate = gateOf({});
    gate.learn(volume('a'), error('CEPH_UNREACHABLE', false));
    expect(await gate.admit(volume('a'))).toMatchObject({ code: 'CEPH_UNREACHABLE' });
  });

  test('what was wrong with one volume only shuts nothing', async () => {
    const gate = gateOf({});
    gate.learn(volume('a'), error('CLONE_FAILED'));
    expect(await gate.admit(volume('a'))).toBeNull();
  });
});

describe('a lease that cannot be renewed', () => {
  test('makes the next volumes wait until it is renewed', async () => {
    let healthy = false;
    const gate = gateOf({ mayBegin: () => healthy });
    const admitted = gate.admit(volume('a'));
    setTimeout(() => (healthy = true), 20);
    expect(await admitted).toBeNull();
  });

  test('and that is lost ends their waiting, with its own reason', async () => {
    const lost = new AbortController();
    const gate = gateOf({ mayBegin: () => false, signal: lost.signal });
    const admitted = gate.admit(volume('a'));
    lost.abort(error('LEASE_LOST'));
    expect(await admitted).toMatchObject({ code: 'LEASE_LOST' });
  });
});
