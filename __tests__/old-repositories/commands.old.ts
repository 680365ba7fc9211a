import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { mountImage, mountShare, whileMounted } from '../../sandbox/ceph.js';
import { randomBytesOf } from '../../sandbox/workload/random.js';
import { freshGroup } from '../support/ceph.js';
import { runCephbackup } from '../support/cephbackup.js';
import { temporaryFolder } from '../support/temporary.js';
import { scene } from '../restore/scene.js';

const MiB = 1024 * 1024;
const here = scene();
const disk = randomBytesOf(51, 3 * MiB);
const withoutApi = { KUBECONFIG: '' };
const names = ['disk', 'files', 'share'] as const;
/** Where the share lives in its filesystem. */
let share: string;

/** What an earlier run has found in each claim, by the number of the run. */
const fill = (number: number) => async (root: string) => {
  await mkdir(`${root}/folder`, { recursive: true });
  await writeFile(`${root}/folder/file`, `of run ${number}`);
};

async function command(args: string[], { env = {}, old = false } = {}) {
  const { OLD_RELEASE_PROGRAM: program = '' } = process.env;
  const answer = await runCephbackup([...args, '-o', 'json'], {
    env: { ...here.current.env, ...env },
    ...(old ? { program } : {}),
  });
  return { ...answer, json: answer.json as Record<string, unknown> };
}

/** @throws Error with what it said, unless it exits 0 */
async function succeeds(args: string[], options: { env?: Record<string, string>; old?: boolean } = {}) {
  const { code, json, stderr } = await command(args, options);
  if (code !== 0) throw new Error(`${args.join(' ')}: exit code ${String(code)}\n${stderr}`);
  return json;
}

interface Stored {
  pvc: string;
  snapshots: { id: string; time: string; proof: string }[];
}

/** What the repository holds of each claim, oldest first. */
async function stored(env: Record<string, string> = {}): Promise<Map<string, Stored['snapshots']>> {
  const { claims } = (await succeeds(['snapshots'], { env })) as { claims: Stored[] };
  const inOrder = ({ snapshots }: Stored) => snapshots.toSorted((a, b) => a.time.localeCompare(b.time));
  return new Map(claims.map((claim) => [claim.pvc, inOrder(claim)]));
}

/** The text of the file that a restore brings. */
async function restored(args: string[], options: { env?: Record<string, string>; old?: boolean } = {}) {
  const target = path.join(await temporaryFolder('restored'), 'new');
  const { warnings } = await succeeds(['restore', ...args, '--to-directory', target], options);
  return { text: await readFile(`${target}/folder/file`, 'utf8'), warnings: warnings as string[] };
}

async function diskRestored(options: { env?: Record<string, string>; old?: boolean } = {}): Promise<Buffer> {
  const file = path.join(await temporaryFolder('restored'), 'disk.raw');
  await succeeds(['restore', 'app/disk', '--to-file', file, '--format', 'raw'], options);
  return readFile(file);
}

const inShare = (work: (root: string) => Promise<void>) =>
  whileMounted(mountShare(here.current.cluster, 'cephfs', share), work);
const inFiles = (work: (root: string) => Promise<void>) =>
  whileMounted(mountImage(here.current.cluster, here.current.image('files'), 'ext4'), work);

beforeAll(async () => {
  await here.current.filesystemClaim('files', 64 * MiB, 'ext4', fill(1));
  await here.current.blockClaim('disk', disk);
  share = await here.current.shareClaim('share', freshGroup(), 64 * MiB, fill(1));
  await succeeds(['run'], { old: true });
  await inFiles(fill(2));
  await inShare(fill(2));
  await succeeds(['run'], { old: true });
}, 600_000);

test('all that it has counts, with the API and without', async () => {
  const known = await stored();
  expect([...known.keys()].toSorted()).toEqual(names);
  for (const snapshots of known.values())
    expect(snapshots.map(({ proof }) => proof)).toEqual(['untold', 'proven']);
  for (const snapshots of (await stored(withoutApi)).values())
    expect(snapshots.map(({ proof }) => proof)).toEqual(['untold', 'untold']);
});

test('each kind is restored, and is told as of a release without a record where nothing else tells', async () => {
  const known = await stored();
  expect((await diskRestored()).equals(disk)).toBe(true);
  for (const name of ['files', 'share'] as const) {
    expect(await restored([`app/${name}`])).toEqual({ text: 'of run 2', warnings: [] });
    const alone = await restored([`app/${name}`], { env: withoutApi });
    expect(alone.text).toBe('of run 2');
    expect(alone.warnings).toEqual([expect.stringContaining('a release that kept no record')]);
    const first = known.get(name)?.[0]?.id ?? '';
    expect((await restored([`app/${name}`, '--snapshot', first])).text).toBe('of run 1');
  }
  await succeeds(['restore', 'app/files', '--to-image', here.current.image('anew')]);
  await whileMounted(mountImage(here.current.cluster, here.current.image('anew'), 'ext4'), async (root) => {
    expect(await readFile(`${root}/folder/file`, 'utf8')).toBe('of run 2');
  });
});

test('its manifests, a look into it, its age, and a proof by reading', async () => {
  const { code, stdout } = await command(['manifests', 'app/files']);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('PersistentVolumeClaim') });
  expect(JSON.stringify(await succeeds(['ls', 'app/files', '/folder'], { env: withoutApi }))).toContain(
    'file',
  );
  await succeeds(['status', '--repository', '--max-age', '1h']);
  const { claims } = (await succeeds(['verify'])) as { claims: { outcome: string }[] };
  expect(claims.map(({ outcome }) => outcome)).toEqual(['verified', 'verified', 'verified']);
});

test('a run of today builds on it, and what it had counts on', async () => {
  const before = await stored();
  const { volumes } = (await succeeds(['run'])) as { volumes: { pvc: string; outcome: string }[] };
  expect(volumes.map(({ pvc }) => pvc).toSorted()).toEqual(names);
  expect(volumes.filter(({ outcome }) => !['succeeded', 'unchanged'].includes(outcome))).toEqual([]);
  for (const env of [{}, withoutApi]) {
    const after = await stored(env);
    for (const name of names) {
      const ids = before.get(name)?.map(({ id }) => id) ?? [];
      expect(after.get(name)?.slice(0, 2)).toMatchObject([
        { id: ids[0], proof: 'untold' },
        { id: ids[1], proof: 'proven' },
      ]);
      expect(after.get(name)?.slice(2)).toMatchObject([{ proof: 'proven' }]);
    }
  }
  // Nothing is forgotten that the rules keep, and nothing else is kept.
  const prune = async (last: string) => {
    const { claims } = (await succeeds(['prune', '--keep-last', last, '--dry-run'])) as {
      claims: { forget: unknown[] }[];
    };
    return claims.map(({ forget }) => forget.length);
  };
  expect([await prune('3'), await prune('1')]).toEqual([
    [0, 0, 0],
    [2, 2, 2],
  ]);
});

test('the old release still restores everything, also what is new, and goes on', async () => {
  expect((await restored(['app/files'], { old: true })).text).toBe('of run 2');
  expect((await restored(['app/share'], { old: true })).text).toBe('of run 2');
  expect((await diskRestored({ old: true })).equals(disk)).toBe(true);
  await succeeds(['run'], { old: true });
  await succeeds(['prune', '--keep-last', '2']);
  for (const [name, snapshots] of await stored()) {
    expect([name, snapshots.map(({ proof }) => proof)]).toEqual([name, ['proven', 'proven']]);
  }
  expect((await diskRestored()).equals(disk)).toBe(true);
});
