import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { freePorts } from '../../sandbox/ports.js';
import { Daemon } from '../../sandbox/process.js';
import { runCephbackup } from '../support/cephbackup.js';
import { RestServer } from '../support/rest-server.js';
import { Scenario, type SeededClaim } from '../support/scenario.js';
import { atEnd, temporaryFolder } from '../support/temporary.js';

let scenario: Scenario;
let claim: SeededClaim;
/** Of the repository, on the server's side. */
let folder: string;

beforeAll(async () => {
  scenario = await Scenario.create({ standIn: true });
  const fill = (root: string) => writeFile(path.join(root, 'file'), randomBytes(100_000));
  claim = await scenario.claim('data', { fill });
  folder = scenario.repository.env.RESTIC_REPOSITORY;
});

async function command(args: string[], env: Record<string, string>) {
  const { code, stdout } = await runCephbackup([...args, '-o', 'json'], {
    env: scenario.environment({ env }),
  });
  const json = JSON.parse(stdout) as { error?: { code: string; guidance: string }; forgotten?: number };
  return { code, json };
}

describe('rclone serve restic --append-only', () => {
  let url: string;
  let env: Record<string, string>;

  beforeAll(async () => {
    const [port = 0] = await freePorts(1);
    const log = path.join(await temporaryFolder('rclone'), 'log');
    const flags = ['--append-only', '--addr', `127.0.0.1:${port}`, '--config', '/dev/null'];
    const daemon = new Daemon('rclone', 'rclone', ['serve', 'restic', ...flags, folder], log);
    atEnd(() => daemon.stop());
    url = `http://127.0.0.1:${port}`;
    const answers = () => fetch(`${url}/config`, { method: 'HEAD' });
    await daemon.until(() =>
      answers().then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    env = { RESTIC_REPOSITORY: `rest:${url}/` };
  });

  test('run, status, verify and restore need nothing more, and leave no lock', async () => {
    for (const run of [await scenario.run({ env }), await scenario.run({ env })]) {
      expect(run.volume(claim).error).toBeNull();
      expect(run).toMatchObject({ code: 0, leftovers: [], warnings: [] });
    }
    expect((await command(['status', '--repository'], env)).code).toBe(0);
    expect((await command(['verify'], env)).code).toBe(0);
    const target = path.join(await temporaryFolder('restored'), 'new');
    expect((await command(['restore', 'demo/data', '--to-directory', target], env)).code).toBe(0);
    expect(await scenario.repository.locks()).toEqual([]);
  });

  test('prune is refused there and says why; where the storage is, it is done, and the next run goes on', async () => {
    // Those of one second come in any order.
    const saved = async () => (await scenario.repository.snapshots()).map(({ id }) => id).sort();
    const before = await saved();
    const refused = await command(['prune', '--keep-last', '1'], env);
    expect(refused).toMatchObject({ code: 1, json: { forgotten: 0, error: { code: 'RESTIC_FAILED' } } });
    expect(refused.json.error?.guidance).toContain('may delete');
    expect(await saved()).toEqual(before);
    expect(await scenario.repository.locks()).toEqual([]);
    // The server does not notice.
    expect((await command(['prune', '--keep-last', '1'], {})).code).toBe(0);
    expect(await scenario.repository.snapshots('--tag', `uid=${claim.uid}`)).toHaveLength(1);
    expect(await scenario.run({ env })).toMatchObject({ code: 0, leftovers: [] });
    await scenario.repository.restic('check', '--read-data', '--quiet');
  });

  test('whoever steals the credentials can neither remove nor overwrite', async () => {
    for (const type of ['snapshots', 'index', 'keys']) {
      const [name = ''] = await readdir(path.join(folder, type));
      const file = path.join(folder, type, name);
      const content = await readFile(file);
      const answers = await Promise.all([
        fetch(`${url}/${type}/${name}`, { method: 'DELETE' }),
        fetch(`${url}/${type}/${name}`, { method: 'POST', body: 'overwritten' }),
      ]);
      expect([type, ...answers.map(({ status }) => status)]).toEqual([type, 403, 403]);
      expect(await readFile(file)).toEqual(content);
    }
  });

  test('the lock of a restic that was killed goes by `restic unlock`', async () => {
    await writeFile(path.join(folder, 'locks', 'a'.repeat(64)), 'not even readable');
    const unlocked = await scenario.repository.attempt(
      '-r',
      env.RESTIC_REPOSITORY ?? '',
      'unlock',
      '--remove-all',
    );
    expect(unlocked.code).toBe(0);
    expect(await scenario.repository.locks()).toEqual([]);
  });
});

test('credentials that may delete nothing at all: the locks that stay are named, and what lets them go', async () => {
  const server = await RestServer.start(folder);
  server.keepsLocks = true;
  const run = await scenario.run({ env: { RESTIC_REPOSITORY: server.repository } });
  expect(run.volume(claim)).toMatchObject({ error: null });
  expect(run.code).toBe(5);
  const locks = await scenario.repository.locks();
  expect(locks.length).toBeGreaterThan(0);
  expect(run.leftovers).toHaveLength(1);
  const [left] = run.leftovers;
  expect(left).toMatchObject({ kind: 'lock' });
  for (const lock of locks) expect(left?.name).toContain(lock.slice(0, 10));
  expect(left?.reason).toMatch(/403.*delete below locks\//);
  server.keepsLocks = false;
  await scenario.repository.restic('unlock', '--remove-all', '--quiet');
});
