import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { prefix, Scenario, type SeededClaim } from '../support/scenario.js';
import { expectCleanWorld } from '../support/world.js';

let scenario: Scenario;
let claim: SeededClaim;
let disk: SeededClaim;
const only = ({ namespace, name }: SeededClaim) => ['--pvc', `${namespace}/${name}`];

beforeAll(async () => {
  scenario = await Scenario.create({ standIn: true });
  claim = await scenario.claim('data', { fill: (root) => writeFile(path.join(root, 'f'), 'data') });
  disk = await scenario.claim('disk', { volumeMode: 'Block' });
});

describe('what passes by itself', () => {
  const timedOut = { exitCode: 110, stderr: 'rbd: (110) Connection timed out', once: true };

  test('is waited for in every step, also where it had its effect already', async () => {
    const before = await scenario.world();
    const report = await scenario.run({
      args: only(claim),
      faults: [
        { program: 'rbd', when: '*snap create*', mode: 'fail-after', ...timedOut },
        { program: 'rbd', when: '* clone *', mode: 'fail-after', ...timedOut },
        { program: 'rbd', when: '* rm --rbd-move-to-trash-on-remove*', mode: 'fail-after', ...timedOut },
        { program: 'rbd', when: '*snap rm*', mode: 'fail', ...timedOut },
      ],
    });
    expect(report.leftovers).toEqual([]);
    expect(report.volume(claim)).toMatchObject({ outcome: 'succeeded', error: null });
    expect(report.code).toBe(0);
    expect(report.warnings).toEqual([
      expect.stringMatching(/^waited \d+ s, 4 times: Ceph's monitors or OSDs/),
    ]);
    expect(report.stderr.match(/WARN {2}waiting:/g)).not.toBeNull();
    const [saved] = await scenario.snapshots(claim);
    expect(Date.parse(saved?.time ?? '')).toBe(Date.parse(report.volume(claim).time ?? ''));
    await expectCleanWorld(before, scenario.worldScope);
  });

  test('what could not be released is released in a second attempt, before the run ends', async () => {
    const before = await scenario.world();
    const broken = { exitCode: 5, stderr: 'injected', once: true, mode: 'fail' as const };
    const report = await scenario.run({
      args: only(claim),
      faults: [{ program: 'rbd', when: '* rm --rbd-move-to-trash-on-remove*', ...broken }],
    });
    expect(report.leftovers).toEqual([]);
    expect(report.code).toBe(0);
    await expectCleanWorld(before, scenario.worldScope);
  });

  test('manifests that the repository refuses while it is being opened are saved when it is open', async () => {
    const refused = { exitCode: 1, stderr: 'Fatal: unable to open repository: injected', once: true };
    const report = await scenario.run({
      args: only(claim),
      faults: [{ program: 'restic', when: 'backup*kind=manifests*', mode: 'fail', ...refused }],
    });
    expect(report.code).toBe(0);
    expect(report.stderr).toContain('saved manifests');
  });

  test.each([
    ['files', () => claim],
    ['a disk', () => disk],
  ])(
    'a repository that refuses connections while it is opened for %s is opened in a moment',
    async (_, of) => {
      const refused = {
        exitCode: 1,
        stderr:
          'Fatal: unable to open config file: Head "http://127.0.0.1:9/config": dial tcp 127.0.0.1:9: connect: connection refused',
        times: 2,
      };
      const report = await scenario.run({
        args: only(of()),
        faults: [{ program: 'restic', when: `backup*pvc=${of().name}*`, mode: 'fail', ...refused }],
      });
      expect(report.volume(of())).toMatchObject({ error: null });
      expect(report.code).toBe(0);
      expect(report.warnings).toEqual([
        expect.stringMatching(/^waited \d+ s: the repository does not answer/),
      ]);
    },
  );

  test('a repository that refuses connections later is not waited for once more: restic did so', async () => {
    const refused = {
      exitCode: 1,
      stderr: 'Fatal: unable to save snapshot: dial tcp 127.0.0.1:9: connect: connection refused',
      once: true,
    };
    const report = await scenario.run({
      args: [...only(disk), '--patience', '1s'],
      faults: [{ program: 'restic', when: `backup*pvc=${disk.name}*`, mode: 'fail', ...refused }],
    });
    expect(report.volume(disk)).toMatchObject({ error: { code: 'REPOSITORY_UNREACHABLE' } });
  });

  test('manifests that cannot be saved at all are exit 3, and the volumes are backed up', async () => {
    const refused = { exitCode: 1, stderr: 'Fatal: injected' };
    const report = await scenario.run({
      args: only(claim),
      faults: [{ program: 'restic', when: 'backup*kind=manifests*', mode: 'fail', ...refused }],
    });
    expect(report.volume(claim)).toMatchObject({ error: null });
    expect(report.code).toBe(3);
    expect(report.stderr).toContain('the manifests of this run could not be saved');
  });

  test('a repository that refuses connections is exit 3, by its own reason', async () => {
    const report = await scenario.run({
      args: ['--patience', '1s'],
      env: { RESTIC_REPOSITORY: 'rest:http://127.0.0.1:9/' },
    });
    expect(report.code).toBe(3);
    expect(report.error?.code).toBe('REPOSITORY_UNREACHABLE');
    expect(report.error?.message).toMatch(/connection refused/);
    expect(report.stderr).not.toContain('manifests');
    expect(report.volume(claim)).toMatchObject({ outcome: 'not-attempted' });
  });
});

describe('nothing to back up is no failure', () => {
  test('a volume that was never used is empty, until there was a backup of it', async () => {
    const unused = await scenario.claim('unused', { format: 'none' });
    const report = await scenario.run({ args: only(unused) });
    expect(report.volume(unused)).toMatchObject({
      outcome: 'empty',
      snapshot: null,
      error: null,
      bytesTotal: 0,
    });
    expect(report.code).toBe(0);
    expect(await scenario.annotations(unused)).not.toHaveProperty('last-error');
    const marked = { metadata: { annotations: { [`${prefix}/last-backup`]: '2026-01-01T00:00:00Z' } } };
    const volume = `/api/v1/persistentvolumes/${unused.pv}`;
    await scenario.kube.request('PATCH', volume, marked, 'application/merge-patch+json');
    const later = await scenario.run({ args: only(unused) });
    expect(later.volume(unused)).toMatchObject({ outcome: 'failed', error: { code: 'FILESYSTEM_MISSING' } });
    expect(later.code).toBe(1);
  });

  test('a claim that is gone when its turn comes has vanished', async () => {
    const fill = (root: string) => writeFile(path.join(root, 'f'), 'x');
    const [first, gone] = [await scenario.claim('a-first', { fill }), await scenario.claim('gone', { fill })];
    const going = path.join(scenario.temporary, 'going');
    // The first volume waits until the second is deleted.
    const wait = `while [ ! -e ${going} ]; do sleep 0.1; done`;
    const running = scenario.start(
      ['run', '-o', 'json', '--concurrency', '1', ...only(first), ...only(gone)],
      {
        faults: [{ program: 'e2fsck', when: '*', mode: 'then', command: wait, once: true }],
      },
    );
    await running.said('checking filesystem');
    await scenario.kube.request('DELETE', `/api/v1/namespaces/demo/persistentvolumeclaims/${gone.name}`);
    await scenario.kube.request('DELETE', `/api/v1/persistentvolumes/${gone.pv}`);
    await scenario.cluster.rbd('rm', '--no-progress', gone.image);
    await writeFile(going, '');
    const { code, json } = await running.result;
    await rm(going);
    const { volumes } = json as {
      volumes: { uid: string; outcome: string; error: unknown; warnings: string[] }[];
    };
    expect(volumes.find(({ uid }) => uid === gone.uid)).toMatchObject({
      outcome: 'vanished',
      error: null,
      warnings: [expect.stringContaining('its claim is gone')],
    });
    expect(code).toBe(0);
  });
});
