import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from '@jest/globals';
import { ObjectGateway, type S3User } from '../../sandbox/ceph/gateway.js';
import { attempt, run } from '../../sandbox/process.js';
import { appendOnlyPage } from '../../sandbox/recipes/document.js';
import { resticProgram } from '../../sandbox/tools.js';
import { runCephbackup } from '../support/cephbackup.js';
import { Scenario, type SeededClaim } from '../support/scenario.js';
import { atEnd, temporaryFolder } from '../support/temporary.js';

const bucket = 'cephbackup';
const page = appendOnlyPage;

let scenario: Scenario;
let claim: SeededClaim;
let gateway: ObjectGateway;
/** Whose the bucket is, and who makes backups. */
let keeper: S3User;
let backup: S3User;
let configuration: string;

beforeAll(async () => {
  scenario = await Scenario.create({ standIn: true });
  const folder = await temporaryFolder('gateway');
  gateway = await ObjectGateway.start(scenario.cluster, path.join(folder, 'data'));
  atEnd(() => gateway.stop());
  const fill = (root: string) => writeFile(path.join(root, 'file'), randomBytes(100_000));
  claim = await scenario.claim('data', { fill });
  [keeper, backup] = [await gateway.createUser('keeper'), await gateway.createUser('backup')];

  await gateway.ask(keeper, 'PUT', `/${bucket}`, '', { 'x-amz-bucket-object-lock-enabled': 'true' });
  await gateway.ask(keeper, 'PUT', `/${bucket}?object-lock`, page.block('retention', 'xml'));
  await gateway.ask(keeper, 'PUT', `/${bucket}?policy`, page.block('policy', 'json'));
  await run(resticProgram, ['init', '--quiet'], { env: environmentOf(backup) });
  configuration = path.join(folder, 'rclone.conf');
  const remote = ({ name, secret }: S3User) =>
    `[${name}]\ntype = s3\nprovider = Ceph\naccess_key_id = ${name}\nsecret_access_key = ${secret}\nendpoint = ${gateway.url}\nno_check_bucket = true\n`;
  await writeFile(configuration, [keeper, backup].map(remote).join(''));
}, 180_000);

function environmentOf({ name, secret }: S3User): Record<string, string> {
  return {
    ...scenario.repository.env,
    RESTIC_REPOSITORY: `s3:${gateway.url}/${bucket}`,
    AWS_ACCESS_KEY_ID: name,
    AWS_SECRET_ACCESS_KEY: secret,
  };
}

async function command(user: S3User, ...args: string[]) {
  const env = scenario.environment({ env: environmentOf(user) });
  const { code, stdout } = await runCephbackup([...args, '-o', 'json'], { env });
  return { code, json: JSON.parse(stdout) as { error?: { guidance: string }; forgotten?: number } };
}

/** rclone does not take certificates that this environment names. */
const rclone = (...args: string[]) =>
  attempt('env', ['--unset=AWS_CA_BUNDLE', 'rclone', '--config', configuration, ...args]);

async function locks(): Promise<string[]> {
  const { stdout } = await rclone('lsf', '--files-only', `keeper:${bucket}/locks`);
  return stdout.split('\n').filter(Boolean);
}

test('backups, their verification and their restore need no more than the policy allows, and leave no lock', async () => {
  for (const report of [await backUp(), await backUp()]) {
    expect(report).toMatchObject({ code: 0, leftovers: [] });
    expect(report.volume(claim).error).toBeNull();
  }
  expect((await command(backup, 'status', '--repository')).code).toBe(0);
  expect((await command(backup, 'verify')).code).toBe(0);
  expect(await locks()).toEqual([]);
});

const backUp = () => scenario.run({ env: environmentOf(backup) });

test('prune: not with these credentials, but with those of the owner; the next backup goes on', async () => {
  const refused = await command(backup, 'prune', '--keep-last', '1');
  expect(refused).toMatchObject({ code: 1, json: { forgotten: 0 } });
  expect(refused.json.error?.guidance).toContain('may delete');
  expect((await command(keeper, 'prune', '--keep-last', '1')).code).toBe(0);
  expect(await backUp()).toMatchObject({ code: 0, leftovers: [] });
  expect(await locks()).toEqual([]);
});

test('whatever is overwritten or deleted, with whichever credentials, is there as it was', async () => {
  await sleep(1_500);
  const before = new Date().toISOString();
  await sleep(1_500);
  const { stdout } = await rclone('lsf', '--recursive', '--files-only', `backup:${bucket}/data`);
  const [pack = ''] = stdout.split('\n');
  expect(pack).not.toBe('');
  const garbage = path.join(await temporaryFolder('garbage'), 'file');
  await writeFile(garbage, 'garbage');
  expect((await rclone('deletefile', `backup:${bucket}/data/${pack}`)).code).not.toBe(0);
  // Who may write may overwrite.
  expect((await rclone('copyto', '--ignore-times', garbage, `backup:${bucket}/data/${pack}`)).code).toBe(0);
  expect((await rclone('delete', `keeper:${bucket}`)).code).toBe(0);
  expect((await rclone('lsf', '--recursive', '--files-only', `keeper:${bucket}`)).stdout).toBe('');
  // Not even by its owner, for as long as it is retained.
  const versions = await gateway.ask(keeper, 'GET', `/${bucket}?versions`);
  const version = /<Version><Key>config<\/Key><VersionId>([^<]+)/.exec(versions)?.[1] ?? '';
  const remove = gateway.ask(keeper, 'DELETE', `/${bucket}/config?versionId=${version}`);
  await expect(remove).rejects.toThrow(/403/);

  const folder = path.join(await temporaryFolder('recovered'), 'repository');
  const [program, ...args] = page.block('recovery', 'sh').trim().split(' ');
  expect(program).toBe('rclone');
  const typed = args.map((word) => word.replace('TIME', before).replace('/recovered', folder));
  expect(await rclone(...typed)).toMatchObject({ code: 0 });
  const env = { ...scenario.repository.env, RESTIC_REPOSITORY: folder };
  await run(resticProgram, ['check', '--read-data', '--no-cache', '--quiet'], { env });
  const snapshots = await run(
    resticProgram,
    ['snapshots', '--json', '--no-cache', '--tag', `uid=${claim.uid}`],
    {
      env,
    },
  );
  expect(JSON.parse(snapshots)).toHaveLength(2);
}, 120_000);
