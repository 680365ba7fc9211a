import { describe, expect, test } from '@jest/globals';
import { passing, retriedReason } from '../../lib/waiting/passing.js';
import { nextPause, persist, steady, whilePassing } from '../../lib/waiting/persist.js';
import { unlessAborted, within } from '../../lib/waiting/within.js';

const never = new Promise<never>(() => undefined);

describe('persist', () => {
  const failing = (failures: number) => {
    let count = 0;
    return () => {
      count += 1;
      return count <= failures ? Promise.reject(new Error(`failure ${count}`)) : Promise.resolve(count);
    };
  };

  test('tries again while it passes, and returns what it comes to', async () => {
    expect(
      await persist(
        failing(3),
        whilePassing(() => true, steady(60_000, 1)),
      ),
    ).toBe(4);
  });

  test('what does not pass is told at once', async () => {
    await expect(
      persist(
        failing(3),
        whilePassing(() => false, steady(60_000, 1)),
      ),
    ).rejects.toThrow('failure 1');
  });

  test('without patience there is one attempt', async () => {
    await expect(
      persist(
        failing(1),
        whilePassing(() => true, steady(0, 1)),
      ),
    ).rejects.toThrow('failure 1');
  });

  test('the error that is thrown in the end is the last one', async () => {
    const again = ({ count }: { count: number }) => (count < 3 ? 0 : null);
    await expect(persist(failing(9), again)).rejects.toThrow('failure 3');
  });

  test('a pause ends with the signal, by its reason', async () => {
    const abort = new AbortController();
    const running = persist(failing(9), () => 60_000, abort.signal);
    setTimeout(() => {
      abort.abort(new Error('stopped'));
    }, 10);
    await expect(running).rejects.toThrow('stopped');
  });

  test('pauses grow up to the longest', () => {
    const patience = { patienceMs: 0, intervalMs: 1_000, longestIntervalMs: 10_000 };
    expect([1, 2, 3, 4, 5, 50].map((count) => nextPause(patience, count))).toEqual([
      1_000, 2_000, 4_000, 8_000, 10_000, 10_000,
    ]);
  });
});

describe('within', () => {
  test('what comes in time, and what is late', async () => {
    expect(await within(Promise.resolve(1), 60_000, () => null)).toBe(1);
    expect(await within(never, 1, () => 'late')).toBe('late');
    await expect(within(Promise.reject(new Error('broken')), 60_000, () => null)).rejects.toThrow('broken');
  });

  test('an abort is not waited out', async () => {
    const abort = new AbortController();
    const waiting = unlessAborted(never, abort.signal);
    abort.abort(new Error('stopped'));
    await expect(waiting).rejects.toThrow('stopped');
    expect(await unlessAborted(Promise.resolve(2), new AbortController().signal)).toBe(2);
  });
});

describe('what passes by itself, by the texts of the programs', () => {
  const answer = (program: string, exitCode: number | null, stderr = '', more = {}) =>
    passing({ program, exitCode, signal: null, late: false, stderr, ...more }) !== null;
  const restarted =
    "Error ENOTSUP: Warning: due to ceph-mgr restart, some PG states may not be up to date\nModule 'volumes' is not enabled/loaded (required by command 'fs subvolume snapshot rm')";

  test.each<[string, number | null, string]>([
    ['ceph', 95, restarted],
    ['ceph', 110, restarted.replace('ENOTSUP', 'ETIMEDOUT')],
    ['ceph', 11, "Error EAGAIN: subvolume 'x' is not ready for operation snapshot-create"],
    ['ceph', 1, '[errno 110] RADOS timed out (error connecting to the cluster)'],
    ['rbd', 110, "rbd: couldn't connect to the cluster!"],
    ['rbd', 108, 'rbd: failed to create snapshot: (108) Cannot send after transport endpoint shutdown'],
    ['rbd', 16, 'rbd: error: image still has watchers'],
    ['mount', 32, 'mount error: no mds server is up or the cluster is laggy'],
    [
      'mount',
      32,
      'mount error: no mds (Metadata Server) is up. The cluster might be laggy, or you may not be authorized',
    ],
    [
      'restic',
      1,
      'Fatal: unable to open repository at rest:http://x/: dial tcp 127.0.0.1:9: connect: connection refused',
    ],
    ['restic', 1, 'Fatal: unexpected HTTP response (503): 503 Service Unavailable'],
  ])('%s %s: %s', (program, exitCode, stderr) => {
    expect(answer(program, exitCode, stderr)).toBe(true);
  });

  test.each<[string, number | null, string]>([
    [
      'ceph',
      95,
      "Error ENOTSUP: Module 'volumes' is not enabled/loaded (required by command 'fs subvolume ls')",
    ],
    ['ceph', 5, "Error EIO: Module 'volumes' has experienced an error and cannot handle commands"],
    ['ceph', 1, '[errno 13] RADOS permission denied (error connecting to the cluster)'],
    ['ceph', 1, '[errno 2] RADOS object not found (error connecting to the cluster)'],
    ['ceph', 2, "Error ENOENT: subvolume 'x' does not exist"],
    ['rbd', 2, "rbd: couldn't connect to the cluster!"],
    ['rbd', 13, "rbd: couldn't connect to the cluster!"],
    ['rbd', 28, 'rbd: failed to create snapshot: (28) No space left on device'],
    ['rbd', 16, 'rbd: failed to remove snapshot: (16) Device or resource busy'],
    ['rbd', 0, 'image still has watchers'],
    ['restic', 10, 'Fatal: repository does not exist: connection refused'],
    ['restic', 12, 'Fatal: wrong password or no key found'],
    ['e2fsck', 110, ''],
  ])('does not pass: %s %s: %s', (program, exitCode, stderr) => {
    expect(answer(program, exitCode, stderr)).toBe(false);
  });

  test('a signal that was not ours, and a time-out, pass for Ceph; a backup that was killed does not say why', () => {
    expect(answer('rbd', null, '', { signal: 'SIGABRT' })).toBe(true);
    expect(answer('rbd', null, '', { late: true })).toBe(true);
    expect(answer('restic', null, '', { late: true })).toBe(false);
    expect(answer('e2fsck', null, '', { signal: 'SIGSEGV' })).toBe(false);
  });

  test('the reason that restic gives is the last one, not its last words', () => {
    const line = (seconds: string, why: string) =>
      `Stat(<config/>) returned error, retrying after ${seconds}: ${why}`;
    const text = [line('1.2s', 'first'), line('737.3ms', 'dial tcp: connection refused'), 'context canceled'];
    expect(retriedReason(text.join('\n'))).toBe('dial tcp: connection refused');
    expect(retriedReason('context canceled')).toBeNull();
  });
});
