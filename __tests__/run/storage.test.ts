import { randomBytes } from 'node:crypto';
import { cp, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { writeFilesystem } from '../../sandbox/ceph.js';
import { waitFor } from '../../sandbox/process.js';
import { freshPool } from '../support/ceph.js';
import { Scenario, type SeededClaim } from '../support/scenario.js';
import { smallFilesystem } from '../support/temporary.js';
import { expectCleanWorld, observeWorld } from '../support/world.js';

let scenario: Scenario;
let claim: SeededClaim;

beforeAll(async () => {
  scenario = await Scenario.create({ standIn: true });
  claim = await scenario.claim('data', {
    fill: (root) => writeFile(path.join(root, 'f'), randomBytes(16 * 1024 ** 2)),
  });
});

describe('no room left', () => {
  test.each(['the repository', 'TMPDIR'])(
    'in %s: no snapshot is claimed, nothing is marked',
    async (where) => {
      const before = await scenario.world();
      const folder = await smallFilesystem('4M');
      const env: Record<string, string> = where === 'TMPDIR' ? { TMPDIR: folder } : {};
      if (where === 'the repository') {
        env.RESTIC_REPOSITORY = path.join(folder, 'repository');
        await cp(scenario.repository.env.RESTIC_REPOSITORY, env.RESTIC_REPOSITORY, { recursive: true });
      }
      const report = await scenario.run({ env });
      expect([1, 3]).toContain(report.code);
      expect(report.volume(claim)).toMatchObject({ outcome: 'failed', snapshot: null });
      expect(report.leftovers).toEqual([]);
      expect(await scenario.annotations(claim)).not.toHaveProperty('last-backup');
      await expectCleanWorld(before, scenario.worldScope, 10_000);
    },
  );

  test('in the pool, really: nothing hangs for ever, nothing is left, and with room it succeeds', async () => {
    const pool = await freshPool();
    const image = `${pool}//image`;
    await scenario.cluster.createImage(`${pool}/image`, '16M');
    await writeFilesystem(scenario.cluster, `${pool}/image`, 'ext4', () => Promise.resolve());
    const full = await scenario.claim('full', { image });
    await scenario.cluster.ceph(`osd pool set-quota ${pool} max_objects 1`);
    await waitFor('the pool to be full', 30_000, async () =>
      new RegExp(`'${pool}'.*full`).test(await scenario.cluster.ceph('osd pool ls detail')),
    );
    const only = ['--pvc', 'demo/full'];
    // Ceph lets writes to a full pool wait: only a deadline ends them. Each command has one of its own, too.
    const report = await scenario.run({ args: [...only, '--volume-timeout', '5s'] });
    expect(report.code).toBe(1);
    expect(report.volume(full)).toMatchObject({ outcome: 'failed', snapshot: null });
    expect(report.leftovers).toEqual([]);
    await scenario.cluster.ceph(`osd pool set-quota ${pool} max_objects 0`);
    await waitFor(
      'the pool to have room',
      30_000,
      async () => !new RegExp(`'${pool}'.*full`).test(await scenario.cluster.ceph('osd pool ls detail')),
    );
    const scope = { ...scenario.worldScope, imagePools: [pool] };
    const before = await observeWorld(scope);
    expect((await scenario.run({ args: only })).code).toBe(0);
    await expectCleanWorld(before, scope, 10_000);
  });
});

describe('a Ceph key that is revoked', () => {
  const capabilities = { mon: 'profile rbd', osd: 'profile rbd pool=rbd' };
  const revoke = (id: string) => scenario.cluster.ceph(`auth rm client.${id}`);

  test('before the run: exit 3, nothing is touched, and no key is told', async () => {
    const before = await scenario.world();
    const { id, keyring } = await scenario.cluster.createUser('revoked', capabilities);
    await revoke(id);
    const env = { CEPHBACKUP_CEPH_USER: id, CEPHBACKUP_CEPH_KEYRING: keyring };
    const report = await scenario.run({ env, args: ['--pvc', 'demo/data', '--log-level', 'debug'] });
    expect(report.code).toBe(3);
    expect(report.error?.code).toBe('CEPH_UNREACHABLE');
    await expectNoKey(keyring, report.stderr);
    await expectCleanWorld(before, scenario.worldScope, 10_000);
  });

  test('during the run: what was backed up counts, what cannot be removed is named, the next run removes it', async () => {
    const before = await scenario.world();
    const { id, keyring } = await scenario.cluster.createUser('soon-revoked', capabilities);
    const running = scenario.start(['run', '-o', 'json', '--pvc', 'demo/data'], {
      env: { CEPHBACKUP_CEPH_USER: id, CEPHBACKUP_CEPH_KEYRING: keyring },
      faults: [{ program: 'restic', when: 'backup*pvc=data*', mode: 'delay' }],
    });
    await running.said('backing up');
    await revoke(id);
    const { code, json, stderr } = await running.result;
    expect(code).toBe(5);
    expect(json).toMatchObject({
      volumes: [{ outcome: 'succeeded' }],
      leftovers: [{ kind: 'clone' }, { kind: 'snapshot' }],
    });
    await expectNoKey(keyring, stderr);
    expect((await scenario.run({ args: ['--pvc', 'demo/data'] })).code).toBe(0);
    await expectCleanWorld(before, scenario.worldScope, 10_000);
  });

  async function expectNoKey(keyring: string, text: string): Promise<void> {
    const key = /key = (\S+)/.exec(await readFile(keyring, 'utf8'))?.[1];
    expect(key).toMatch(/^A[Qg].*=$/);
    expect(text).not.toContain(key);
  }
});

test('what restic read was taken away meanwhile: no backup, its snapshot is named and never a parent', async () => {
  const before = await scenario.world();
  const marks = await scenario.annotations(claim);
  const command = 'cd /; umount --lazy /run/cephbackup/volume';
  const faults = [{ program: 'restic', when: 'backup*pvc=data*', mode: 'then' as const, command }];
  const report = await scenario.run({ faults, args: ['--pvc', 'demo/data'] });
  expect(report.code).toBe(1);
  expect(report.volume(claim)).toMatchObject({ outcome: 'failed', snapshot: null });
  expect(report.leftovers).toEqual([expect.objectContaining({ kind: 'restic-snapshot' })]);
  expect((await scenario.annotations(claim))['last-snapshot']).toBe(marks['last-snapshot']);
  const next = await scenario.run({ args: ['--pvc', 'demo/data'] });
  const { parent } = JSON.parse(
    await scenario.repository.restic('cat', 'snapshot', next.volume(claim).snapshot ?? ''),
  ) as { parent?: string };
  expect(parent).toBe(marks['last-snapshot']);
  await expectCleanWorld(before, scenario.worldScope, 10_000);
});
