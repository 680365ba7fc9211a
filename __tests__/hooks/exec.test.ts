import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { connectPodExec, type PodCommand, type PodExec } from '../../lib/kube/exec/exec.js';
import type { KubeObject } from '../../lib/kube/types.js';
import type { FaultMode, SandboxKube } from '../../sandbox/kube/index.js';
import { startStandIn } from '../../sandbox/kube/stand-in.js';
import { temporaryFolder } from '../support/temporary.js';

let kube: SandboxKube;
let exec: PodExec;
let folder: string;

beforeAll(async () => {
  folder = await temporaryFolder('exec');
  kube = await startStandIn({ dir: folder });
  await kube.seed([pod('db-0'), pod('done', 'Succeeded')]);
  exec = await connectPodExec(kube.kubeconfig, process.env);
});

afterAll(() => kube.stop());

beforeEach(() => {
  kube.faults?.clear();
});

function pod(name: string, phase = 'Running'): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'shop', name, annotations: { 'sandbox/folder': folder } },
    spec: { containers: [{ name: 'main' }] },
    status: { phase },
  } as KubeObject;
}

function command(argv: string[], given: Partial<PodCommand> = {}): PodCommand {
  const { signal } = new AbortController();
  return { namespace: 'shop', pod: 'db-0', container: 'main', argv, timeoutMs: 5_000, signal, ...given };
}

const shell = (line: string) => ['/bin/sh', '-c', line];
const inject = (mode: FaultMode, more: { times?: number; retryAfter?: number } = {}) =>
  kube.faults?.inject({ mode, ...more, matches: ({ resource }) => resource === 'pods/exec' });

test('argv arrives byte by byte, the exit code and both outputs come back', async () => {
  const odd = ['printf', '%s\\n', 'a b', '-x', '$HOME', 'é\u001b[31m', '&container=other', "'"];
  const end = await exec(command(odd));
  expect(end).toMatchObject({ exitCode: 0, mayHaveRun: true, failure: null });
  expect(end.output.lines()).toEqual(odd.slice(2));
  const failed = await exec(command(shell('echo out; echo err >&2; exit 7')));
  expect(failed).toMatchObject({ exitCode: 7, message: 'it ended with exit code 7' });
  expect(failed.output.lines().sort()).toEqual(['err', 'out']);
});

test('of a lot of output the first and the last bytes are kept, and nothing is held up', async () => {
  const end = await exec(command(shell('seq 1 200000')));
  const lines = end.output.lines();
  expect(end.exitCode).toBe(0);
  expect(lines[0]).toBe('1');
  expect(lines.at(-1)).toBe('200000');
  expect(lines.join('\n').length).toBeLessThan(66 * 1024);
  expect(lines.join('\n')).toMatch(/\(\d+ bytes left out\)/);
});

test('a command that does not end is given up at its time-out, and one that is told to stop at once', async () => {
  const late = await exec(command(shell('echo begun; exec sleep 20'), { timeoutMs: 700 }));
  expect(late).toMatchObject({ exitCode: null, mayHaveRun: true, message: 'it had not ended after 0.7 s' });
  expect(late.output.lines()).toEqual(['begun']);
  const stop = new AbortController();
  setTimeout(() => {
    stop.abort();
  }, 300);
  const stopped = await exec(command(shell('exec sleep 20'), { signal: stop.signal }));
  expect(stopped).toMatchObject({ exitCode: null, mayHaveRun: true, message: 'it was stopped' });
  const never = await exec(command(shell('touch never'), { signal: stop.signal }));
  expect(never).toMatchObject({ exitCode: null, mayHaveRun: false });
});

test.each([
  [403, false],
  [429, false],
  [500, true],
  [503, true],
] as const)('an API that answers %d is no exit code', async (mode, mayHaveRun) => {
  inject(mode, { retryAfter: 3 });
  const end = await exec(command(shell('true')));
  expect(end).toMatchObject({ exitCode: null, mayHaveRun });
  expect(end.failure).toEqual({ kind: 'status', status: mode, retryAfter: 3_000 });
  expect(end.message).toContain('injected');
});

test('a token that expired is read again, once', async () => {
  inject(401, { times: 1 });
  expect(await exec(command(shell('true')))).toMatchObject({ exitCode: 0 });
  inject(401);
  const refused = await exec(command(shell('true')));
  expect(refused).toMatchObject({ exitCode: null, mayHaveRun: false });
});

/** Where the connection breaks, and whether the command was really run. */
test.each([
  ['reset', false],
  ['reset-when-open', false],
  ['closed', true],
  ['reset-after-commit', true],
  ['truncated', true],
  ['garbage', true],
  ['timeout', false],
  ['timeout-after-commit', true],
] as const)(
  'a connection with the fault "%s" ends without an exit code, and never hangs',
  async (mode, ran) => {
    const file = path.join(folder, mode);
    await writeFile(file, '');
    inject(mode);
    const end = await exec(command(shell(`echo run >> '${file}'; echo said`), { timeoutMs: 1_500 }));
    // Not known is never taken for no.
    expect(end).toMatchObject({ exitCode: null, mayHaveRun: true });
    expect(await readFile(file, 'utf8')).toBe(ran ? 'run\n' : '');
  },
);

test('a server that is not there has run nothing', async () => {
  const other = await startStandIn({ dir: await temporaryFolder('gone') });
  const gone = await connectPodExec(other.kubeconfig, process.env);
  await other.stop();
  const end = await gone(command(shell('true')));
  expect(end).toMatchObject({ exitCode: null, mayHaveRun: false, failure: { code: 'ECONNREFUSED' } });
});

test('a pod that is not there, has ended, or has no such container says so', async () => {
  const nobody = await exec(command(shell('true'), { pod: 'db-1' }));
  expect(nobody).toMatchObject({ exitCode: null, mayHaveRun: false, failure: { status: 404 } });
  const done = await exec(command(shell('true'), { pod: 'done' }));
  expect(done).toMatchObject({ exitCode: null, failure: { status: 500 } });
  const other = await exec(command(shell('true'), { container: 'x' }));
  expect(other).toMatchObject({ exitCode: null, mayHaveRun: false, failure: { status: 400 } });
});

test('a program that is not there could not be run', async () => {
  const end = await exec(command(['/no/such/program']));
  expect(end.exitCode).toBeNull();
  expect(end.message).toMatch(/^it could not be run: .*ENOENT/);
});
