import { describe, expect, test } from '@jest/globals';
import { CephbackupError } from '../../lib/errors/error.js';
import { hold, type HoldTools } from '../../lib/hooks/hold.js';
import type { PodHook } from '../../lib/hooks/plan.js';
import { BoundedOutput } from '../../lib/kube/exec/bounded-output.js';
import type { PodCommandEnd, PodExec } from '../../lib/kube/exec/exec.js';
import { silent } from '../../lib/log/logger.js';

function hook(pod: string, given: Partial<PodHook> = {}): PodHook {
  return {
    namespace: 'shop',
    pod,
    uid: `uid-${pod}`,
    container: 'main',
    pre: ['freeze'],
    post: ['thaw'],
    timeoutMs: 1_000,
    onError: 'fail',
    problem: null,
    ...given,
  };
}

type Answer = Partial<PodCommandEnd>;
const broke: Answer = { exitCode: null, message: 'the connection ended: ECONNRESET' };
const refused: Answer = {
  exitCode: null,
  message: 'forbidden',
  mayHaveRun: false,
  failure: { kind: 'status', status: 403, retryAfter: null },
};

/** A cluster in which each command does what the test says; `frozen` is what is frozen in truth. */
function bed(
  answer: (what: string, count: number) => Answer | undefined = () => undefined,
  given: Partial<HoldTools> = {},
) {
  const calls: string[] = [];
  const frozen = new Set<string>();
  const warnings: string[] = [];
  const seconds: number[] = [];
  const exec: PodExec = ({ pod, argv, signal }) => {
    const what = `${argv[0] ?? ''} ${pod}`;
    calls.push(what);
    const end = {
      exitCode: 0,
      message: 'it ended',
      mayHaveRun: true,
      failure: null,
      ...answer(what, calls.filter((call) => call === what).length),
    };
    if (signal.aborted) Object.assign(end, { exitCode: null, message: 'it was stopped', mayHaveRun: true });
    else if (end.exitCode === 0) {
      if (argv[0] === 'freeze') frozen.add(pod);
      else frozen.delete(pod);
    }
    return Promise.resolve({ ...end, output: new BoundedOutput() });
  };
  const tools: HoldTools = {
    exec,
    isThere: () => Promise.resolve(true),
    log: silent,
    warn: (text) => {
      warnings.push(text);
    },
    signal: new AbortController().signal,
    patienceMs: 4_000,
    limitMs: 10_000,
    held: (some) => {
      seconds.push(some);
    },
    ...given,
  };
  const take = () => {
    calls.push('snapshot');
    return Promise.resolve('taken');
  };
  return { calls, frozen, warnings, seconds, tools, take };
}

const failure = (promise: Promise<unknown>): Promise<CephbackupError> =>
  promise.then(
    () => {
      throw new Error('it did not fail');
    },
    (thrown: unknown) => thrown as CephbackupError,
  );

test('pre of all, the snapshot, post of all', async () => {
  const { calls, frozen, seconds, tools, take } = bed();
  const held = await hold(tools, [hook('a'), hook('b')], take);
  expect(held).toBe('taken');
  expect(seconds).toEqual([expect.any(Number)]);
  expect(calls).toEqual(['freeze a', 'freeze b', 'snapshot', 'thaw a', 'thaw b']);
  expect(frozen.size).toBe(0);
});

test('a pre that fails: no snapshot, the pods after it are not touched, those before it and itself get their post', async () => {
  const { calls, frozen, tools, take } = bed((what) =>
    what === 'freeze b' ? { exitCode: 1, message: 'it ended with exit code 1' } : undefined,
  );
  const error = await failure(hold(tools, [hook('a'), hook('b'), hook('c')], take));
  expect(error.code).toBe('HOOK_FAILED');
  expect(error.message).toBe('the pre-snapshot hook of pod shop/b failed: it ended with exit code 1');
  expect(calls).toEqual(['freeze a', 'freeze b', 'thaw a', 'thaw b']);
  expect(frozen.size).toBe(0);
});

test('with on-error continue a pre that fails is a warning', async () => {
  const { calls, warnings, tools, take } = bed((what) => (what === 'freeze a' ? { exitCode: 1 } : undefined));
  const held = await hold(tools, [hook('a', { onError: 'continue' }), hook('b')], take);
  expect(held).toBe('taken');
  expect(warnings).toEqual([expect.stringContaining('pod shop/a failed')]);
  expect(calls).toEqual(['freeze a', 'freeze b', 'snapshot', 'thaw a', 'thaw b']);
});

test.each(['fail', 'continue'] as const)(
  'a pre whose end nobody knows may hold the pod after its post: it is named, with on-error %s',
  async (onError) => {
    const late: Answer = { exitCode: null, message: 'it had not ended after 1 s' };
    const { calls, warnings, tools, take } = bed((what) => (what === 'freeze a' ? late : undefined));
    const held = hold(tools, [hook('a', { onError })], take);
    const told = onError === 'fail' ? [(await failure(held)).message] : (await held, warnings);
    expect(told).toEqual([
      'the pre-snapshot hook of pod shop/a failed: it had not ended after 1 s; it may still be running, ' +
        'and hold the application after its post-snapshot hook was run: look at this pod',
    ]);
    expect(calls.at(-1)).toBe('thaw a');
  },
);

test('a snapshot that fails is followed by the posts, and is what is told', async () => {
  const { calls, seconds, tools } = bed();
  const error = await failure(
    hold(tools, [hook('a')], () => Promise.reject(new CephbackupError('SNAPSHOT_FAILED', 'no room'))),
  );
  expect(error.message).toBe('no room');
  expect(seconds).toHaveLength(1);
  expect(calls).toEqual(['freeze a', 'thaw a']);
});

test('a pre that the API refused is not followed by a post; one whose connection broke is', async () => {
  const first = bed((what) => (what === 'freeze a' ? refused : undefined));
  expect((await failure(hold(first.tools, [hook('a')], first.take))).code).toBe('HOOK_FAILED');
  expect(first.calls).toEqual(['freeze a']);
  const second = bed((what) => (what === 'freeze a' ? broke : undefined));
  expect((await failure(hold(second.tools, [hook('a')], second.take))).code).toBe('HOOK_FAILED');
  expect(second.calls).toEqual(['freeze a', 'thaw a']);
});

test('an API that is busy is asked again for a pre', async () => {
  const busy: Answer = { ...refused, failure: { kind: 'status', status: 503, retryAfter: null } };
  const { calls, tools, take } = bed((what, count) => (what === 'freeze a' && count < 3 ? busy : undefined));
  expect(await hold(tools, [hook('a')], take)).toBe('taken');
  expect(calls).toEqual(['freeze a', 'freeze a', 'freeze a', 'snapshot', 'thaw a']);
});

test('a pre after a connection that broke is not sent twice', async () => {
  const lost: Answer = { ...broke, failure: { kind: 'network', code: 'ECONNRESET' } };
  const { calls, tools, take } = bed((what) => (what === 'freeze a' ? lost : undefined));
  await failure(hold(tools, [hook('a')], take));
  expect(calls).toEqual(['freeze a', 'thaw a']);
});

describe('a run that is stopped', () => {
  test.each(['freeze a', 'snapshot'])('at "%s" still runs every post that is owed', async (moment) => {
    const stop = new AbortController();
    const reason = new CephbackupError('CANCELLED', 'stopped');
    const { calls, frozen, warnings, tools } = bed(
      (what) => {
        if (what === moment) stop.abort(reason);
        return undefined;
      },
      { signal: stop.signal },
    );
    // As a command that ignores its signal.
    const take = () => {
      calls.push('snapshot');
      stop.abort(reason);
      return new Promise<string>(() => undefined);
    };
    expect(await failure(hold(tools, [hook('a')], take))).toBe(reason);
    expect(calls.at(-1)).toBe('thaw a');
    expect(frozen.size).toBe(0);
    // What nobody waited for may still begin to hold, after its post.
    const left = 'the pre-snapshot hook of pod shop/a was not waited for; it may still be running, and hold';
    expect(warnings).toEqual(moment === 'freeze a' ? [expect.stringContaining(left)] : []);
  });
});

test('who is held when a run is stopped is said at once: it may be killed before it could let go', async () => {
  const stop = new AbortController();
  const said: string[] = [];
  const log = { ...silent, warn: (text: string) => said.push(text), with: () => silent };
  const { tools } = bed(undefined, { signal: stop.signal, log: log as unknown as HoldTools['log'] });
  await failure(
    hold(tools, [hook('a'), hook('b')], () => {
      stop.abort(new CephbackupError('CANCELLED', 'stopped'));
      return new Promise(() => undefined);
    }),
  );
  expect(said).toEqual([expect.stringMatching(/^held, and let go now: pod shop\/a, pod shop\/b;/)]);
});

test('nobody is held by a snapshot that takes for ever', async () => {
  const { calls, tools } = bed(undefined, { limitMs: 200 });
  const error = await failure(hold(tools, [hook('a')], () => new Promise(() => undefined)));
  expect(error.message).toMatch(/no snapshot after 0.2 s/);
  expect(calls).toEqual(['freeze a', 'thaw a']);
});

describe('a post', () => {
  test('is tried again where the connection breaks, and where its command fails', async () => {
    const { calls, frozen, tools, take } = bed((what, count) => {
      if (what !== 'thaw a') return undefined;
      return [broke, { exitCode: 1 }, undefined][count - 1];
    });
    expect(await hold(tools, [hook('a')], take)).toBe('taken');
    expect(calls.filter((call) => call === 'thaw a')).toHaveLength(3);
    expect(frozen.size).toBe(0);
  });

  test.each(['ECONNRESET', 'UNKNOWN', 'CERT_HAS_EXPIRED'])(
    'is tried again after a connection that was not made: %s',
    async (code) => {
      const none: Answer = { ...broke, failure: { kind: 'network', code } };
      const { frozen, tools, take } = bed((what, count) =>
        what === 'thaw a' && count === 1 ? none : undefined,
      );
      expect(await hold(tools, [hook('a')], take)).toBe('taken');
      expect(frozen.size).toBe(0);
    },
  );

  test.each<[string, Answer, 'fail' | 'continue']>([
    ['that fails for good', { exitCode: 3, message: 'it ended with exit code 3' }, 'fail'],
    [
      'that fails for good, whatever on-error says',
      { exitCode: 3, message: 'it ended with exit code 3' },
      'continue',
    ],
    ['that nobody answers', broke, 'fail'],
    ['that the API takes no more', refused, 'fail'],
  ])('%s: the run fails and names the pod', async (_, answer, onError) => {
    const { frozen, tools, take } = bed((what) => (what === 'thaw b' ? answer : undefined), {
      patienceMs: 1_500,
    });
    const error = await failure(hold(tools, [hook('a'), hook('b', { onError })], take));
    expect(error.code).toBe('HOOK_FAILED');
    expect(error.message).toMatch(/^may still be held.*pod shop\/b \(/);
    expect(error.message).not.toContain('shop/a');
    expect([...frozen]).toEqual(['b']);
  });

  test('that fails after a snapshot that failed tells both', async () => {
    const { tools } = bed((what) => (what === 'thaw a' ? { exitCode: 3, message: 'no' } : undefined), {
      patienceMs: 500,
    });
    const error = await failure(
      hold(tools, [hook('a')], () => Promise.reject(new CephbackupError('SNAPSHOT_FAILED', 'no room'))),
    );
    expect(error.message).toMatch(/pod shop\/a \(no.*; before that: no room/);
  });

  test('of a pod that is gone is not tried for long, and told', async () => {
    const gone: Answer = { ...refused, failure: { kind: 'status', status: 404, retryAfter: null } };
    const { calls, tools, take } = bed((what) => (what === 'thaw a' ? gone : undefined), {
      isThere: () => Promise.resolve(false),
    });
    const error = await failure(hold(tools, [hook('a')], take));
    expect(error.message).toMatch(/may still be held.*the pod is gone/);
    expect(calls).toEqual(['freeze a', 'snapshot', 'thaw a']);
  });

  test('without a pre that fails is an error, or a warning: nobody was held', async () => {
    const answer = (what: string) => (what.startsWith('thaw') ? { exitCode: 1, message: 'no' } : undefined);
    const first = bed(answer, { patienceMs: 500 });
    const error = await failure(hold(first.tools, [hook('a', { pre: null })], first.take));
    expect(error.message).toBe('the post-snapshot hook of pod shop/a failed: no');
    const second = bed(answer, { patienceMs: 500 });
    await hold(second.tools, [hook('a', { pre: null, onError: 'continue' })], second.take);
    expect(second.warnings).toEqual(['the post-snapshot hook of pod shop/a failed: no']);
  });
});

test('a pod that went away before its pre is no failure', async () => {
  const gone: Answer = { ...refused, failure: { kind: 'status', status: 404, retryAfter: null } };
  const { warnings, tools, take } = bed((what) => (what === 'freeze a' ? gone : undefined), {
    isThere: ({ pod }) => Promise.resolve(pod !== 'a'),
  });
  expect(await hold(tools, [hook('a'), hook('b')], take)).toBe('taken');
  expect(warnings).toEqual(['pod shop/a went away before its pre-snapshot hook was run']);
});

test('a hook that cannot be run fails before anybody after it is held', async () => {
  const { calls, tools, take } = bed();
  const error = await failure(hold(tools, [hook('a', { problem: 'no container' }), hook('b')], take));
  expect(error.message).toBe('the hooks of pod shop/a cannot be run: no container');
  expect(calls).toEqual([]);
});
