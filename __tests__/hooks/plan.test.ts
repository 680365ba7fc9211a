import { describe, expect, test } from '@jest/globals';
import { parseHooks } from '../../lib/hooks/annotations.js';
import { planHooks } from '../../lib/hooks/plan.js';
import type { Pod } from '../../lib/hooks/pod.js';

const prefix = 'backup.example.org';

function annotated(values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`${prefix}/${key}`, value]));
}

function pod(
  name: string,
  given: { annotations?: Record<string, string>; claims?: string[]; phase?: string } = {},
): Pod {
  const { annotations = { 'pre-snapshot': 'freeze' }, claims = ['data'], phase = 'Running' } = given;
  return {
    metadata: { namespace: 'shop', name, uid: `uid-${name}`, annotations: annotated(annotations) },
    spec: {
      containers: [{ name: 'main' }, { name: 'second' }],
      initContainers: [{ name: 'setup' }, { name: 'sidecar', restartPolicy: 'Always' }],
      volumes: claims.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } })),
    },
    status: {
      phase,
      containerStatuses: [
        { name: 'main', state: { running: {} } },
        { name: 'second', state: {} },
      ],
      initContainerStatuses: [{ name: 'sidecar', state: { running: {} } }],
    },
  };
}

describe('annotations', () => {
  const parse = (values: Record<string, string>) => parseHooks(annotated(values), prefix);

  test('a line is for the shell, a JSON array is argv', () => {
    expect(
      parse({ 'pre-snapshot': ' sync; echo "$A" ', 'post-snapshot': '["fsfreeze", "-u", "/data"]' }),
    ).toEqual({
      pre: ['/bin/sh', '-c', 'sync; echo "$A"'],
      post: ['fsfreeze', '-u', '/data'],
      container: null,
      timeoutMs: 30_000,
      onError: 'fail',
      problem: null,
      warnings: [],
    });
  });

  test.each(['[fsfreeze', '[]', '[""]', '["a", 1]', '[["a"]]'])(
    '%s is no command, and not left out silently',
    (value) => {
      expect(parse({ 'pre-snapshot': value })?.problem).toMatch(/pre-snapshot begins with \[ and is no JSON/);
    },
  );

  test.each(['[ -e /tmp/held ] && echo held', '[[ -e x ]]', '[\n-e x ]', '[ "$(redis-cli ping)" = PONG ]'])(
    'the line %j begins with a command of the shell',
    (value) => {
      expect(parse({ 'pre-snapshot': value })).toMatchObject({
        pre: ['/bin/sh', '-c', value],
        problem: null,
      });
    },
  );

  test.each([
    ['90s', 90_000, 0],
    ['0.5m', 30_000, 0],
    ['11m', 600_000, 1],
    ['0s', 30_000, 1],
    ['30', 30_000, 1],
    ['1\u001b[31m', 30_000, 1],
  ])('the time-out %j', (value, timeoutMs, warnings) => {
    const settings = parse({ 'post-snapshot': 'thaw', 'hook-timeout': value });
    expect(settings?.timeoutMs).toBe(timeoutMs);
    expect(settings?.warnings).toHaveLength(warnings);
    expect(settings?.warnings.join()).not.toContain('\u001b');
  });

  test('an unreadable on-error fails', () => {
    expect(parse({ 'pre-snapshot': 'x', 'hook-on-error': 'Continue' })).toMatchObject({
      onError: 'continue',
    });
    const odd = parse({ 'pre-snapshot': 'x', 'hook-on-error': 'ignore' });
    expect(odd).toMatchObject({ onError: 'fail', warnings: [expect.stringContaining('fail counts')] });
  });

  test('a pod without a command has no hook', () => {
    expect(parse({})).toBeNull();
    expect(parse({ 'pre-snapshot': ' ', 'hook-timeout': '1s' })).toBeNull();
  });
});

describe('the hooks of claims', () => {
  const plan = (pods: Pod[], claims = ['data'], elsewhere: string[] = []) =>
    planHooks({ pods, claims: new Set(claims), elsewhere: new Set(elsewhere), prefix });
  const names = (pods: Pod[], claims?: string[]) => plan(pods, claims).hooks.map((hook) => hook.pod);

  test('are those of the running pods that mount one, in the order of their names, each pod once', () => {
    const pods = [
      pod('z'),
      pod('b', { claims: ['data', 'wal'] }),
      pod('other', { claims: ['x'] }),
      pod('a', { annotations: {} }),
      pod('done', { phase: 'Succeeded' }),
      pod('failed', { phase: 'Failed' }),
      pod('waits', { phase: 'Pending' }),
      pod('Z'),
    ];
    expect(names(pods, ['data', 'wal'])).toEqual(['Z', 'b', 'z']);
  });

  test('include a claim that Kubernetes made for the pod', () => {
    const own = pod('job', { claims: [] });
    const scratch = { ...own, spec: { ...own.spec, volumes: [{ name: 'scratch', ephemeral: {} }] } };
    expect(names([scratch], ['job-scratch'])).toEqual(['job']);
  });

  test.each([
    [{}, 'main', null],
    [{ 'hook-container': 'sidecar' }, 'sidecar', null],
    [{ 'hook-container': 'second' }, 'second', 'the container "second" is not running'],
    [{ 'hook-container': 'setup' }, 'setup', 'there is no container "setup" that runs as long as the pod'],
    [{ 'hook-container': 'none' }, 'none', 'there is no container "none" that runs as long as the pod'],
  ])('run in the container that %j names', (annotations, container, problem) => {
    const { hooks } = plan([pod('a', { annotations: { 'pre-snapshot': 'x', ...annotations } })]);
    expect(hooks).toMatchObject([{ container, problem }]);
  });

  test('run in the container that kubectl takes', () => {
    const one = pod('a');
    Object.assign(one.metadata?.annotations ?? {}, { 'kubectl.kubernetes.io/default-container': 'sidecar' });
    expect(plan([one]).hooks).toMatchObject([{ container: 'sidecar' }]);
  });

  test('a misspelt annotation is told', () => {
    const { hooks, warnings } = plan([pod('a', { annotations: { 'pre-snaphsot\n': 'x' } })]);
    expect(hooks).toEqual([]);
    expect(warnings).toEqual([
      `pod/shop/a: annotation ${prefix}/pre-snaphsot\\n is unknown and has no effect`,
    ]);
  });

  test('are refused where another shard would hold the same pod', () => {
    const { hooks } = plan([pod('a', { claims: ['data', 'wal'] }), pod('b')], ['data'], ['wal']);
    expect(hooks).toMatchObject([
      { pod: 'a', problem: expect.stringContaining('it also mounts wal, which another shard') as unknown },
      { pod: 'b', problem: null },
    ]);
  });

  test('an odd pod costs nobody else', () => {
    expect(names([{}, { metadata: {} }, { status: { phase: 'Running' } }, pod('a')])).toEqual(['a']);
  });
});
