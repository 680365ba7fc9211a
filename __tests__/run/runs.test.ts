import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { installationId } from '../../lib/ownership/names.js';
import { attachImage } from '../../sandbox/ceph.js';
import { resticProgram, searchPath } from '../../sandbox/tools.js';
import { worldChanges } from '../../sandbox/world.js';
import { FaultyPrograms } from '../support/faults.js';
import { prefix, Scenario, type SeededClaim } from '../support/scenario.js';
import { temporaryFolder } from '../support/temporary.js';
import { expectCleanWorld } from '../support/world.js';

let scenario: Scenario;
let claim: SeededClaim;

beforeAll(async () => {
  scenario = await Scenario.create({ standIn: true });
  claim = await scenario.claim('data', { fill: (root) => writeFile(path.join(root, 'f'), 'data') });
});

afterEach(() => {
  scenario.faults.clear();
});

const patchesOfVolumes = ({ verb, resource }: { verb: string; resource: string }) =>
  verb === 'patch' && resource === 'persistentvolumes';

describe('what cannot be used as a whole is exit 3, and nothing is left or marked', () => {
  test('a wrong repository password', async () => {
    const before = await scenario.world();
    const marks = await scenario.annotations(claim);
    const report = await scenario.run({ env: { RESTIC_PASSWORD_FILE: await file('wrong-password') } });
    expect(report.code).toBe(3);
    expect(report.error?.code).toBe('REPOSITORY_PASSWORD_WRONG');
    expect(report.volume(claim)).toMatchObject({ outcome: 'not-attempted', snapshot: null });
    expect(report.stderr).not.toContain('wrong-password');
    expect(await scenario.annotations(claim)).toEqual(marks);
    await expectCleanWorld(before, scenario.worldScope);
  });

  test('a repository that turns out to be unusable only when volumes are prepared: they are unwound', async () => {
    const before = await scenario.world();
    const marks = await scenario.annotations(claim);
    const late = { program: 'restic', when: 'snapshots*', mode: 'delay' as const };
    const programs = new FaultyPrograms([late], searchPath(), ['rbd', 'mount']);
    const report = await scenario.run({
      programs,
      env: { RESTIC_PASSWORD_FILE: await file('wrong-password') },
    });
    expect(report.code).toBe(3);
    expect(report.error?.code).toBe('REPOSITORY_PASSWORD_WRONG');
    expect(report.volume(claim)).toMatchObject({
      outcome: 'not-attempted',
      error: { code: 'NOT_ATTEMPTED' },
    });
    expect(report.leftovers).toEqual([]);
    // Else this has shown nothing.
    expect(programs.calls().join('\n')).toMatch(/^mount .*ext4/m);
    expect(await scenario.annotations(claim)).toEqual(marks);
    expect((await scenario.events(claim)).map(({ reason }) => reason)).not.toContain('BackupFailed');
    await expectCleanWorld(before, scenario.worldScope);
  });

  test('a repository that does not exist', async () => {
    const report = await scenario.run({
      env: { RESTIC_REPOSITORY: path.join(scenario.temporary, 'nowhere') },
    });
    expect(report.code).toBe(3);
    expect(report.error?.code).toBe('REPOSITORY_MISSING');
  });

  test('a repository that another process has locked: waits a while, and never unlocks', async () => {
    // `check` takes the exclusive lock; stopped, it keeps it.
    const args = ['check', '--read-data', '--limit-download', '1', '--no-cache'];
    const checking = spawn(resticProgram, args, { env: { ...process.env, ...scenario.repository.env } });
    const ended = once(checking, 'close');
    try {
      const locks = path.join(scenario.repository.env.RESTIC_REPOSITORY, 'locks');
      while (readdirSync(locks).length === 0) await sleep(1);
      // It waits 200 ms for others after it has written its lock.
      await sleep(100);
      checking.kill('SIGSTOP');
      const before = await scenario.world();
      const report = await scenario.run({ args: ['--retry-lock', '5s'] });
      expect(report.code).toBe(3);
      expect(report.error?.code).toBe('REPOSITORY_LOCKED');
      expect((await scenario.repository.locks()).length).toBe(1);
      await expectCleanWorld(before, scenario.worldScope);
    } finally {
      checking.kill('SIGKILL');
      await ended;
      await scenario.repository.restic('unlock', '--remove-all');
    }
  });

  test('a Ceph that does not answer', async () => {
    const conf = await file(`[global]\nmon_host = 127.0.0.1:1\nkeyring = ${scenario.cluster.keyring}\n`);
    const report = await scenario.run({ env: { CEPHBACKUP_CEPH_CONF: conf }, args: ['--patience', '0s'] });
    expect(report.code).toBe(3);
    expect(report.error?.code).toBe('CEPH_UNREACHABLE');
  });

  test('a Kubernetes API that is down at the start', async () => {
    const kubeconfig = await file(
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name: 'c', cluster: { server: 'http://127.0.0.1:1' } }],
        users: [{ name: 'u', user: {} }],
        contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
        'current-context': 'x',
      }),
    );
    const result = await scenario.cephbackup(['run', '-o', 'json'], { env: { KUBECONFIG: kubeconfig } });
    expect(result.code).toBe(3);
    expect(result.json).toMatchObject({ error: { code: 'KUBE_UNREACHABLE' } });
    expect(await scenario.repository.locks()).toEqual([]);
  });
});

describe('what happens to the claim meanwhile', () => {
  test('the API is gone at the end: exit 3 with the id, and the next run makes a new snapshot', async () => {
    const marks = await scenario.annotations(claim);
    scenario.faults.inject({ mode: 500, matches: patchesOfVolumes });
    const report = await scenario.run();
    expect(report.code).toBe(3);
    const { snapshot, error } = report.volume(claim);
    expect(error?.code).toBe('PV_NOT_MARKED');
    expect((await scenario.snapshots(claim)).map(({ id }) => id)).toContain(snapshot);
    expect(await scenario.annotations(claim)).toEqual(marks);
    scenario.faults.clear();
    const next = await scenario.run();
    expect(next.code).toBe(0);
    expect(next.volume(claim).snapshot).not.toBe(snapshot);
    expect((await scenario.annotations(claim))['last-snapshot']).toBe(next.volume(claim).snapshot);
  });

  test('it is deleted and recreated: the backup belongs to the old UID, the new claim is not annotated', async () => {
    const doomed = await scenario.claim('doomed', {
      fill: (root) => writeFile(path.join(root, 'f'), 'data'),
    });
    const running = scenario.start(['run', '-o', 'json', '--pvc', 'demo/doomed'], {
      faults: [{ program: 'restic', when: 'backup*pvc=doomed*', mode: 'delay' }],
    });
    await running.said('backing up');
    const other = { spec: { claimRef: { uid: 'another-claim' } } };
    await scenario.kube.request(
      'PATCH',
      `/api/v1/persistentvolumes/${doomed.pv}`,
      other,
      'application/merge-patch+json',
    );
    const { code, json } = await running.result;
    expect(code).toBe(0);
    const [volume] = (json as { volumes: { outcome: string; warnings: string[]; snapshot: string }[] })
      .volumes;
    expect(volume).toMatchObject({ outcome: 'succeeded' });
    expect(volume?.warnings.join()).toContain('vanished');
    expect(await scenario.annotations(doomed)).toEqual({});
    expect((await scenario.snapshots(doomed)).map(({ id }) => id)).toEqual([volume?.snapshot]);
    await scenario.kube.request('DELETE', '/api/v1/namespaces/demo/persistentvolumeclaims/doomed');
  });
});

test('a clock that was set back: the backup is dated after the newest one, with a warning', async () => {
  const future = new Date(Date.now() + 3_600_000).toISOString().slice(0, 19);
  const source = await temporaryFolder('future');
  const tags = `cluster=${await scenario.clusterUid()},uid=${claim.uid}`;
  await scenario.repository.restic('backup', '--tag', tags, '--time', future.replace('T', ' '), source);
  const report = await scenario.run();
  expect(report.code).toBe(0);
  expect(report.volume(claim).warnings.join()).toContain('clock');
  const newest = (await scenario.snapshots(claim)).find(({ id }) => id === report.volume(claim).snapshot);
  expect(Date.parse(newest?.time ?? '')).toBe(Date.parse(`${future}Z`) + 1000);
});

test('two runs at once: the second exits 4 and touches nothing', async () => {
  const first = scenario.start(['run', '-o', 'json'], {
    faults: [{ program: 'e2fsck', when: '*', mode: 'hang' }],
  });
  try {
    await first.said('checking filesystem');
    const before = await scenario.world();
    const second = await scenario.cephbackup(['run', '-o', 'json']);
    expect(second.code).toBe(4);
    expect(second.json).toMatchObject({ error: { code: 'RUN_IN_PROGRESS' } });
    // The first one's processes come and go.
    const changes = worldChanges(before, await scenario.world()).filter(
      (line) => !line.includes(' process '),
    );
    expect(changes).toEqual([]);
  } finally {
    first.kill('SIGTERM');
    expect((await first.result).code).toBe(143);
  }
});

describe('what crashed runs left', () => {
  const dead = 'deadbeef';

  test('a clone that somebody watches is kept and named; once it is not, the next run removes it', async () => {
    const installation = installationId(await scenario.clusterUid(), 'default', prefix);
    const name = `cephbackup-${installation}-${dead}-1`;
    const clone = `${scenario.place}/${name}`;
    const before = await scenario.world();
    await scenario.cluster.rbd('snap', 'create', '--no-progress', `${claim.image}@${name}`);
    await scenario.cluster.rbd('clone', '--rbd-default-clone-format', '2', `${claim.image}@${name}`, clone);
    const watching = await attachImage(scenario.cluster, clone);
    try {
      const report = await scenario.run();
      expect(report.code).toBe(5);
      expect(report.leftovers).toEqual([
        expect.objectContaining({
          kind: 'clone',
          name: clone,
          reason: expect.stringContaining('watched by'),
        }),
      ]);
    } finally {
      await watching.detach();
    }
    const next = await scenario.run();
    expect(next.code).toBe(0);
    await expectCleanWorld(before, scenario.worldScope, 10_000);
  });

  test('another installation’s is foreign: shown, never touched; `--installation` removes it', async () => {
    await scenario.kube.seed([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'elsewhere' } }]);
    const theirs = installationId(await scenario.clusterUid(), 'elsewhere', prefix);
    const snapshot = `${claim.image}@cephbackup-${theirs}-${dead}-1`;
    await scenario.cluster.rbd('snap', 'create', '--no-progress', snapshot);
    const shown = await scenario.cephbackup(['cleanup', '-o', 'json']);
    expect(shown.code).toBe(0);
    expect(shown.json).toMatchObject({
      removed: [],
      leftovers: [],
      foreign: [{ kind: 'snapshot', name: snapshot }],
    });
    expect((await scenario.run()).code).toBe(0);
    const dry = await scenario.cephbackup(['cleanup', '-o', 'json', '--installation', theirs, '--dry-run']);
    expect(dry.json).toMatchObject({ dryRun: true, removed: [{ name: snapshot }] });
    const removed = await scenario.cephbackup(['cleanup', '-o', 'json', '--installation', theirs]);
    expect(removed.json).toMatchObject({ dryRun: false, removed: [{ name: snapshot }] });
    expect(removed.code).toBe(0);
    const again = await scenario.cephbackup(['cleanup', '-o', 'json', '--installation', theirs]);
    expect(again.json).toMatchObject({ removed: [] });
  });

  test('one that is not found in this cluster, so that its runs cannot be seen, is refused without --force', async () => {
    const lost = installationId(await scenario.clusterUid(), 'deleted', prefix);
    const snapshot = `${claim.image}@cephbackup-${lost}-${dead}-1`;
    await scenario.cluster.rbd('snap', 'create', '--no-progress', snapshot);
    const refused = await scenario.cephbackup(['cleanup', '-o', 'json', '--installation', lost]);
    expect(refused.code).toBe(2);
    expect(refused.json).toMatchObject({
      error: { code: 'USAGE', guidance: expect.stringContaining('--force') },
    });
    const forced = await scenario.cephbackup(['cleanup', '-o', 'json', '--installation', lost, '--force']);
    expect(forced.json).toMatchObject({ removed: [{ name: snapshot }] });
  });

  test('cleanup says where it could not look, and not that nothing is left', async () => {
    const faults = [
      { program: 'rbd', when: '* ls *', mode: 'fail', exitCode: 5, stderr: 'rbd: out of order' },
    ] as const;
    const { code, stdout, stderr } = await scenario.cephbackup(['cleanup'], { faults });
    expect(code).toBe(5);
    expect(stdout).not.toContain('nothing is left behind');
    expect(stdout).toMatch(/Not looked at everywhere:\n.*out of order/);
    expect(stderr).toContain('out of order');
  });

  test('a snapshot of an image in the trash goes, too, so that the image can', async () => {
    const installation = installationId(await scenario.clusterUid(), 'default', prefix);
    const image = `${scenario.place}/csi-vol-trashed`;
    await scenario.cluster.createImage(image, '8M');
    await scenario.cluster.rbd(
      'snap',
      'create',
      '--no-progress',
      `${image}@cephbackup-${installation}-${dead}-2`,
    );
    await scenario.cluster.rbd('trash', 'mv', image);
    const report = await scenario.run();
    expect(report.code).toBe(0);
    const [trashed] = (await scenario.cluster.json('rbd', ['trash', 'ls', scenario.place])) as {
      id: string;
    }[];
    const where = [
      '--pool',
      'rbd',
      '--namespace',
      scenario.place.split('/')[1] ?? '',
      '--image-id',
      trashed?.id ?? '',
    ];
    expect(await scenario.cluster.json('rbd', ['snap', 'ls', '--all', ...where])).toEqual([]);
    await scenario.cluster.rbd('trash', 'rm', '--no-progress', `${scenario.place}/${trashed?.id ?? ''}`);
  });
});

test('children see what they need and no secret; argv and logs have none either', async () => {
  const secret = 'sesame-open-4711';
  const programs = new FaultyPrograms([], searchPath(), [
    'rbd',
    'restic',
    'mount',
    'e2fsck',
    'qemu-storage-daemon',
  ]);
  const env = {
    AWS_SECRET_ACCESS_KEY: secret,
    UNRELATED: secret,
    RESTIC_HOST: 'other',
    LD_LIBRARY_PATH: '/nowhere',
  };
  const report = await scenario.run({ programs, env, args: ['--log-level', 'debug'] });
  expect(report.code).toBe(0);
  expect(report.stderr).not.toContain(secret);
  expect(programs.calls().join('\n')).not.toContain(secret);
  for (const program of ['rbd', 'mount', 'e2fsck', 'qemu-storage-daemon']) {
    const names = programs
      .environmentOf(program)
      .split('\n')
      .map((line) => line.split('=')[0] ?? '');
    expect(names.filter((name) => !/^(PATH|HOME|TMPDIR|LANG|TZ|PWD|OLDPWD|SHLVL|_|)$/.test(name))).toEqual(
      [],
    );
    expect(programs.environmentOf(program)).toMatch(/^TZ=UTC$/m);
  }
  expect(programs.environmentOf('restic')).toContain(`AWS_SECRET_ACCESS_KEY=${secret}`);
  expect(programs.environmentOf('restic')).not.toMatch(/UNRELATED|RESTIC_HOST|LD_LIBRARY_PATH/);
  const [newest] = (await scenario.snapshots(claim)).toReversed();
  expect(newest?.hostname).toBe('k8s-demo-nspvc-data');
});

test('a dry run prints what `list` prints, and needs neither Ceph nor a repository', async () => {
  const env = { RESTIC_REPOSITORY: '', RESTIC_PASSWORD_FILE: '', CEPHBACKUP_CEPH_CONF: '' };
  const [dry, list] = await Promise.all([
    scenario.cephbackup(['run', '--dry-run', '-o', 'json'], { env }),
    scenario.cephbackup(['list', '-o', 'json'], { env }),
  ]);
  expect(dry.code).toBe(0);
  expect(dry.json).toEqual(list.json);
  expect(scenario.faults.requests.filter(({ verb }) => !['list', 'get'].includes(verb))).toEqual([]);
});

test('selecting nothing is a mistake, unless it is allowed', async () => {
  const nothing = ['run', '-o', 'json', '--namespace', 'nobody'];
  const refused = await scenario.cephbackup(nothing);
  expect(refused.code).toBe(2);
  expect(refused.json).toMatchObject({ error: { code: 'NOTHING_SELECTED' } });
  const allowed = await scenario.cephbackup([...nothing, '--allow-empty']);
  expect(allowed.code).toBe(0);
  expect(allowed.json).toMatchObject({ volumes: [], leftovers: [], exitCode: 0 });
});

async function file(content: string): Promise<string> {
  const folder = path.join(await temporaryFolder('file'), 'x');
  await mkdir(folder);
  await writeFile(path.join(folder, 'file'), content);
  return path.join(folder, 'file');
}
