import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import type { CommandContext, CommandOutput } from '../../lib/cli/command.js';
import { resolveOptions } from '../../lib/cli/options.js';
import { metricsOptions } from '../../lib/commands/shared/options/metrics.js';
import { withMetrics } from '../../lib/commands/shared/metrics.js';
import { CephbackupError } from '../../lib/errors/error.js';
import { silent } from '../../lib/log/logger.js';
import { Redactor } from '../../lib/log/redactor.js';

const seen: string[] = [];
let status = 200;
const server = http.createServer(({ url = '', headers }, response) => {
  seen.push(`${url} ${headers.authorization ?? ''}`.trim());
  response.writeHead(status).end();
});
let url = '';
const warnings: string[] = [];

beforeAll(async () => {
  // However busy this machine is, this server answers.
  jest.spyOn(AbortSignal, 'timeout').mockImplementation(() => new AbortController().signal);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  jest.restoreAllMocks();
  server.close();
});
beforeEach(() => {
  seen.length = warnings.length = 0;
  status = 200;
});

interface Options {
  metricsFile: null;
  metricsPush: null;
  ping: string | null;
  shard?: { index: number; count: number };
  dryRun?: boolean;
}

async function run(options: Partial<Options>, command: () => Promise<Partial<CommandOutput>>): Promise<void> {
  const context = {
    options: { metricsFile: null, metricsPush: null, ping: `http://${url}/abc`, ...options },
    env: {},
    log: { ...silent, warn: (text: string) => warnings.push(text) },
    clock: () => Date.now(),
    endedBy: () => null,
    redactor: new Redactor(),
  } as unknown as CommandContext<Options>;
  await withMetrics<Options>(
    'run',
    () => command() as Promise<CommandOutput>,
  )(context).catch(() => undefined);
}
const ends = (exitCode: number) => () => Promise.resolve({ exitCode });

test.each<[number, string[]]>([
  [0, ['/abc/start', '/abc']],
  [1, ['/abc/start', '/abc/fail']],
  // All is backed up.
  [5, ['/abc/start', '/abc']],
  // Another run is at work, and will tell.
  [4, ['/abc/start']],
  [143, ['/abc/start', '/abc/fail']],
])('exit code %i is told as %j', async (exitCode, expected) => {
  await run({}, ends(exitCode));
  expect(seen).toEqual(expected);
  expect(warnings).toEqual([]);
});

test('a command that fails as a whole is told, a dry run is not', async () => {
  await run({}, () => Promise.reject(new CephbackupError('KUBE_UNREACHABLE', 'x')));
  expect(seen).toEqual(['/abc/start', '/abc/fail']);
  await run({ dryRun: true }, ends(0));
  await run({ ping: null }, ends(0));
  expect(seen).toHaveLength(2);
});

test('the number of a shard, a query and credentials find their place', async () => {
  const ping = `http://user:p%40ss@${url}/x-{shard}/?rid=1`;
  await run({ ping, shard: { index: 2, count: 3 } }, ends(1));
  const basic = `Basic ${Buffer.from('user:p@ss').toString('base64')}`;
  expect(seen).toEqual([`/x-2/start?rid=1 ${basic}`, `/x-2/fail?rid=1 ${basic}`]);
});

test('a password with a percent sign that begins no escape stops nothing', async () => {
  await run({ ping: `http://user:100%@${url}/x` }, ends(0));
  const basic = `Basic ${Buffer.from('user:100%').toString('base64')}`;
  expect(seen).toEqual([`/x/start ${basic}`, `/x ${basic}`]);
});

test('a URL that is none is not quoted: whoever knows it can say that all is well', () => {
  const { mistakes } = resolveOptions(metricsOptions, { ping: 'hc.example/secret-id' }, {});
  expect(mistakes).toEqual(['--ping: expected a URL that begins with http:// or https://']);
});

test('what cannot be told is a warning that does not name the URL', async () => {
  status = 404;
  await run({}, ends(0));
  const gone = http.createServer();
  await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve));
  const { port } = gone.address() as AddressInfo;
  await new Promise((resolve) => gone.close(resolve));
  await run({ ping: `http://127.0.0.1:${port}/secret-id` }, ends(0));
  expect(warnings).toEqual([
    '--ping (start): the answer is 404',
    '--ping (ok): the answer is 404',
    '--ping (start): ECONNREFUSED',
    '--ping (ok): ECONNREFUSED',
  ]);
});
