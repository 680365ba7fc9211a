import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { excludeFile } from '../../lib/repository/excludes.js';
import { prefix, Scenario, type SeededClaim } from '../support/scenario.js';

let scenario: Scenario;

beforeAll(async () => {
  scenario = await Scenario.create();
});

const signature = 'Signature: 8a477f597d28d172789f06886806bc55';
/** Each tag file and each file that is named by a pattern below, and their likes that must stay. */
const files = {
  'cache/a': 'x',
  'keep/cache/b': 'x',
  'x.tmp': 'x',
  'deep/er/y.tmp': 'x',
  // Names of the folders above the volume, and of what restic would find in its environment.
  'run/z': 'x',
  'volume/z': 'x',
  'cephbackup/z': 'x',
  $RESTIC_PASSWORD: 'x',
  $HOME: 'x',
  'logs/1': 'x',
  'logs/kept': 'x',
  'made/CACHEDIR.TAG': signature,
  'made/c': 'x',
  'skipped/.nobackup': '',
  'skipped/d': 'x',
  ' é \u001b[31m': 'x',
};

async function fill(root: string): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true });
    await writeFile(path.join(root, name), content);
  }
  await symlink('/etc/passwd', path.join(root, 'link'));
}

async function annotate({ namespace, name }: SeededClaim, exclude: string | null): Promise<void> {
  const patch = { metadata: { annotations: { [`${prefix}/exclude`]: exclude } } };
  const claims = `/api/v1/namespaces/${namespace}/persistentvolumeclaims/${name}`;
  await scenario.kube.request('PATCH', claims, patch, 'application/merge-patch+json');
}

async function saved({ uid }: SeededClaim): Promise<string[]> {
  const lines = (await scenario.repository.restic('ls', '--json', '--tag', `uid=${uid}`, 'latest')).split(
    '\n',
  );
  return lines
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { type?: string; path?: string })
    .filter(({ type }) => type === 'file')
    .map((entry) => (entry.path ?? '').slice(1))
    .sort();
}

const without = (...left: string[]) =>
  Object.keys(files)
    .filter((name) => !left.includes(name))
    .sort();

test('a pattern means paths below the root of the volume, and none of its words is replaced', () => {
  expect(excludeFile(['/a$b', 'c', '!/d', '!e'], '/v').split('\n').slice(1)).toEqual([
    '/v/a$$b',
    '/v/**/c',
    '!/v/d',
    '!/v/**/e',
    '',
  ]);
});

test('a backup leaves out what the claim says, and tells it; what changes is told by the next run', async () => {
  const claim = await scenario.claim('excludes', { fill });
  await scenario.run({ args: ['--pvc', 'demo/excludes'] });
  expect(await saved(claim)).toEqual(without());

  await annotate(claim, '/cache\n*.tmp\n$RESTIC_PASSWORD\nlogs/*\n!logs/kept\n');
  const changed = (await scenario.run({ args: ['--pvc', 'demo/excludes'] })).volume(claim);
  expect(changed).toMatchObject({
    outcome: 'succeeded',
    error: null,
    excludes: ['/cache', '*.tmp', '$RESTIC_PASSWORD', 'logs/*', '!logs/kept'],
    warnings: ['what is left out has changed since the last backup'],
  });
  const left = ['cache/a', 'x.tmp', 'deep/er/y.tmp', '$RESTIC_PASSWORD', 'logs/1'];
  expect(await saved(claim)).toEqual(without(...left));

  // The folders above the volume are nobody's business.
  await annotate(claim, 'run\nvolume\ncephbackup\n');
  await scenario.run({ args: ['--pvc', 'demo/excludes'] });
  expect(await saved(claim)).toEqual(without('run/z', 'volume/z', 'cephbackup/z'));

  await annotate(claim, null);
  const args = ['--pvc', 'demo/excludes', '--exclude-caches', '--exclude-if-present', '.nobackup'];
  const options = (await scenario.run({ args })).volume(claim);
  expect(options.excludes).toEqual(['--exclude-caches', '--exclude-if-present=.nobackup']);
  expect(await saved(claim)).toEqual(without('made/c', 'skipped/d'));
  const same = (await scenario.run({ args })).volume(claim);
  expect(same).toMatchObject({ outcome: 'unchanged', warnings: [] });
  const none = (await scenario.run({ args: ['--pvc', 'demo/excludes'] })).volume(claim);
  expect(none).toMatchObject({
    excludes: [],
    warnings: ['what is left out has changed since the last backup'],
  });
  const drill = await scenario.cephbackup(['verify', 'demo/excludes', '--drill', '-o', 'json']);
  expect(drill.code).toBe(0);
});

test.each([
  ['all', '*', []],
  ['all-below', '/**', []],
  ['all-files', 'f*', []],
  ['all-cache', null, ['--exclude-caches']],
])('what leaves no file of a volume is a failure: %s', async (name, exclude, options) => {
  const claim = await scenario.claim(name, {
    fill: async (root) => {
      await mkdir(path.join(root, 'd'));
      await writeFile(path.join(root, 'd/f'), 'x');
      await writeFile(path.join(root, 'f'), 'x');
      if (exclude === null) await writeFile(path.join(root, 'CACHEDIR.TAG'), signature);
    },
    ...(exclude === null ? {} : { annotations: { [`${prefix}/exclude`]: exclude } }),
  });
  const report = await scenario.run({ args: ['--pvc', `demo/${name}`, ...options] });
  expect(report.volume(claim)).toMatchObject({
    outcome: 'failed',
    snapshot: null,
    error: { code: 'EXCLUDES_ALL' },
  });
  expect(report.code).toBe(1);
  expect(await scenario.annotations(claim)).toMatchObject({ 'last-error': 'EXCLUDES_ALL' });
  const ids = (await scenario.snapshots(claim)).map(({ id }) => id);
  expect(report.leftovers.map((left) => left.name)).toEqual(ids);
});
