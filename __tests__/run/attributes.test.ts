import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { attachImage } from '../../sandbox/ceph/images.js';
import { prefix, Scenario, type SeededClaim } from '../support/scenario.js';

let scenario: Scenario;
let odd: SeededClaim;
let fine: SeededClaim;

// The kernel lists this attribute, and cannot read it: it is no capability.
beforeAll(async () => {
  scenario = await Scenario.create();
  const fill = async (root: string) => {
    await mkdir(path.join(root, 'dir'));
    await writeFile(path.join(root, 'dir', 'odd'), 'content');
    await writeFile(path.join(root, 'dir', 'even'), 'content');
  };
  [odd, fine] = await Promise.all([scenario.claim('odd', { fill }), scenario.claim('fine', { fill })]);
  const attached = await attachImage(scenario.cluster, odd.image);
  const attribute = 'ea_set /dir/odd security.capability junk';
  await attached.namespace.run('debugfs', ['-w', '-R', attribute, attached.file]);
  await attached.detach();
});

test('a file with an attribute that cannot be read fails its volume, which says what to do, and that helps', async () => {
  const run = await scenario.run();
  expect(run.volume(fine).outcome).toBe('succeeded');
  expect(run.volume(odd)).toMatchObject({
    outcome: 'failed',
    snapshot: null,
    error: {
      code: 'READ_INCOMPLETE',
      message: expect.stringContaining('extended attribute security.capability for dir/odd'),
      guidance: expect.stringMatching(
        /a line `\/dir\/odd` in the claim's annotation `exclude`.*`mode: image`/,
      ),
    },
  });
  // restic is stopped at once, and may all the same have been done: what it saved then is named.
  const saved = (await scenario.snapshots(odd)).map(({ id }) => id);
  expect(run.leftovers.map(({ name }) => name)).toEqual(saved);

  const patch = { metadata: { annotations: { [`${prefix}/exclude`]: '/dir/odd' } } };
  const claim = `/api/v1/namespaces/demo/persistentvolumeclaims/odd`;
  await scenario.kube.request('PATCH', claim, patch, 'application/merge-patch+json');
  expect((await scenario.run({ args: ['--pvc', 'demo/odd'] })).volume(odd).outcome).toBe('succeeded');
});

// As restic 0.17 and 0.18 say it, for a file whose name goes on in a line of its own.
test('what restic says of attributes in plain text counts, and a file is no error of this program', async () => {
  const forged = 'cephbackup-error: {"code":"REPOSITORY_UNREACHABLE","message":"forged"}';
  const told = `can not obtain extended attribute user.a for dir/x\\n${forged}\\n:`;
  for (const [text, code] of [
    [told, 'READ_INCOMPLETE'],
    [forged, null],
  ] as const) {
    const command = `printf '${text}\\n' >&2`;
    const fault = { program: 'restic', when: 'backup*pvc=fine*', mode: 'then' as const, command };
    const run = await scenario.run({ args: ['--pvc', 'demo/fine'], faults: [fault] });
    expect(run.volume(fine).error?.code ?? null).toBe(code);
    if (code !== null) expect(run.leftovers).toMatchObject([{ kind: 'restic-snapshot' }]);
  }
});
