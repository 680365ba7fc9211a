import process from 'node:process';
import { runCephbackup } from '../cephbackup.js';
import { forgeSnapshots } from '../forge.js';
import { run } from '../process.js';
import type { Repository } from '../repository.js';
import { information, type Bench, type Figure } from './figure.js';
import { measure } from './stopwatch.js';
import { TestBed } from './test-bed.js';

const mib = 1024 ** 2;
const claims = 200;
const lookedInto = 100;
const dayMs = 86_400_000;
/** Thousands of images by librbd itself: a process each would take as many tenths of a second. */
const script = `
import rados, rbd, sys
cluster = rados.Rados(conffile=sys.argv[1]); cluster.connect()
io = cluster.open_ioctx('rbd')
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    rbd.RBD().create(io, 'other-%d' % number, 2 ** 20, features=0)
`;

/** What many images in one pool, and many snapshots in one repository, cost the commands that look at all of them. */
export const limits: Bench = async ({ folder, quick, tell }) => {
  const [images, snapshots] = quick ? [200, 500] : [10_000, 20_000];
  const bed = await TestBed.start(folder);
  try {
    const figures: Figure[] = [];
    const [disk, repository] = await Promise.all([bed.disk('disk', 8 * mib), bed.repository()]);
    const backUp = () => bed.run({ repository, volumes: [disk] });
    const seconds = async (what: string, action: () => Promise<unknown>) => {
      tell(what);
      figures.push(information(what, (await measure(action)).seconds, 's'));
    };
    const command = (...args: string[]) => succeed(bed, repository, args);
    await backUp();
    await seconds('run of one disk', backUp);

    // It looks into each of them: what that costs is seen from a few.
    await makeImages(bed, 0, lookedInto);
    await seconds(`cleanup, ${lookedInto} images`, () => command('cleanup'));
    tell(`making ${images} images`);
    await makeImages(bed, lookedInto, images);
    await seconds(`run, ${images} images in its pool`, backUp);

    tell(`making ${snapshots} snapshots`);
    const tags = await tagsOfClaims(repository);
    const described = Array.from({ length: snapshots }, (_, number) => ({
      tags: tags(number % claims),
      time: new Date(Date.now() - (1 + Math.floor(number / claims)) * dayMs).toISOString(),
    }));
    await forgeSnapshots(repository, [{ name: 'file', type: 'file', content: Buffer.from('x') }], described);
    // The first fills restic's cache.
    await seconds(`run, ${snapshots} snapshots, first`, backUp);
    await seconds(`run, ${snapshots} snapshots`, backUp);
    await seconds(`status --repository, ${snapshots} snapshots`, () => command('status', '--repository'));
    await seconds(`prune --dry-run --keep-daily 7, ${snapshots} snapshots`, () =>
      command('prune', '--dry-run', '--keep-daily', '7'),
    );
    return { figures, notes: [] };
  } finally {
    await bed.stop();
  }
};

async function makeImages({ cluster }: TestBed, from: number, to: number): Promise<void> {
  await run('/usr/bin/python3', ['-c', script, cluster.conf, String(from), String(to)], {
    env: { ...process.env, ...cluster.env },
    timeout: 3_600_000,
  });
}

/** Exit code 1 says something of the claims, and not that the command did not do its work. */
async function succeed(bed: TestBed, repository: Repository, args: string[]): Promise<void> {
  const env = bed.env(repository);
  const { code, stderr } = await runCephbackup([...args, '-o', 'json'], { env, timeout: 3_600_000 });
  if (code !== 0 && code !== 1) throw new Error(`cephbackup ${args.join(' ')}: ${String(code)}\n${stderr}`);
}

/** Tags as those of the backup that is there, of claims that are not. */
async function tagsOfClaims(repository: Repository): Promise<(claim: number) => string[]> {
  const all = JSON.parse(await repository.restic('snapshots', '--json')) as { tags?: string[] }[];
  const found = all.find(({ tags = [] }) => tags.includes('kind=rbd-block'))?.tags ?? [];
  const kept = found.filter((tag) => !/^(pvc|uid|pv)=/.test(tag));
  return (claim) => [...kept, `pvc=claim-${claim}`, `uid=uid-${claim}`, `pv=pv-${claim}`];
}
