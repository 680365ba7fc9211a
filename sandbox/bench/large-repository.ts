import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { formatTable } from '../../lib/cli/output/table.js';
import { costOfIndex } from '../../lib/commands/doctor/checks/blob-cost.js';
import { forgeIndex } from '../forge-index.js';
import { run } from '../process.js';
import { Repository } from '../repository.js';
import { writeContents } from './contents.js';
import { information, type Bench, type Figure } from './figure.js';
import { ResticWatch, type ResticCost } from './restics.js';
import { smallVolumes } from './small-volumes.js';
import { measure } from './stopwatch.js';
import { TestBed, type Volume } from './test-bed.js';

const million = 1_000_000;

/** Millions of blobs: `MILLIONS=5,20` before the command asks for others. */
function sizesOf(quick: boolean): number[] {
  const asked = process.env.MILLIONS?.split(',').map(Number) ?? [0, 1, 5, 20];
  return quick ? [0, 0.1 * million] : asked.map((millions) => millions * million);
}

/** What each kind of restic process costs where the repository holds millions of blobs. */
export const largeRepository: Bench = async ({ folder, quick, tell }) => {
  const notes: string[] = [];
  await mkdir(folder, { recursive: true });
  for (const blobs of sizesOf(quick)) {
    const repository = await Repository.create(path.join(folder, `restic-${blobs}`));
    const { name, snapshot, source } = await filled(repository, blobs, tell);
    const watch = new ResticWatch(path.join(folder, `shim-${blobs}`));
    const costs = await eachKind(repository, watch, { source, snapshot }, (cost) => {
      tell(`${name}: ${rowOf(cost).join(', ')}`);
    });
    notes.push(name, costTable(costs));
    await rm(repository.folder, { recursive: true });
  }
  return { figures: [], notes };
};

/** What a whole run of small volumes costs there. */
export const largeRepositoryRun: Bench = async ({ folder, quick, tell }) => {
  const bed = await TestBed.start(folder);
  try {
    const all = await smallVolumes(bed, quick ? 3 : 20);
    const figures: Figure[] = [];
    const notes: string[] = [];
    for (const blobs of sizesOf(quick)) {
      const repository = await bed.repository();
      const { name } = await filled(repository, blobs, tell);
      // Where each takes long, fewer of them tell the same.
      const volumes = all.slice(0, Math.max(5, Math.round((20 * million) / Math.max(million, blobs))));
      tell(`${name}: a run of ${volumes.length} volumes`);
      const watch = new ResticWatch(path.join(folder, `shim-${blobs}`));
      const done = await wholeRun(bed, repository, watch, volumes, blobs);
      for (const figure of done.figures) {
        tell(`${name}: ${figure.what}: ${figure.measured}`);
        figures.push({ ...figure, what: `${name}: ${figure.what}` });
      }
      notes.push(`${name}: all restics of the run, ${volumes.length} volumes`, done.table);
      await rm(repository.folder, { recursive: true });
    }
    return { figures, notes };
  } finally {
    await bed.stop();
  }
};

/** With a real backup of a small directory, and blobs that nobody stored. */
async function filled(repository: Repository, blobs: number, tell: (text: string) => void) {
  const source = path.join(repository.folder, 'source');
  await mkdir(source);
  writeContents(source, { seed: 1, smallFiles: 50, largeFiles: [] });
  const snapshot = await firstBackup(repository, source);
  tell(`${blobs / million} million blobs: making them`);
  await forgeIndex(repository, { blobs, packs: true });
  const bytes = await bytesBelow(path.join(repository.env.RESTIC_REPOSITORY, 'index'));
  const name = `${blobs / million} million blobs, index files of ${(bytes / 1e6).toFixed(0)} MB`;
  return { name, snapshot, source };
}

/** As the program gives them to restic, as far as it matters to what they cost. */
const backup = ['backup', '--json', '--no-scan', '--group-by=host,tags', '--host=large', '--tag=large'];

async function firstBackup(repository: Repository, source: string): Promise<string> {
  await repository.restic(...backup, source);
  const [snapshot] = await repository.snapshots();
  if (snapshot === undefined) throw new Error('no snapshot');
  return snapshot.id;
}

async function eachKind(
  repository: Repository,
  watch: ResticWatch,
  { source, snapshot }: { source: string; snapshot: string },
  seen: (cost: ResticCost) => void,
): Promise<ResticCost[]> {
  const unlocked = ['--no-cache', '--no-lock'];
  const costs: ResticCost[] = [];
  const one = async (name: string, args: readonly string[], env: Record<string, string> = {}) => {
    const environment = { ...repository.env, PATH: watch.searchPath, ...env };
    const { restics } = await watch.during(() =>
      run('restic', args, { env: environment, timeout: 1_800_000 }),
    );
    const [cost] = restics;
    if (cost === undefined) throw new Error(`restic ${args.join(' ')} was not seen`);
    costs.push({ ...cost, kind: name });
    seen({ ...cost, kind: name });
    return cost;
  };
  const again = [...backup, `--parent=${snapshot}`, source];
  await rm(repository.env.RESTIC_CACHE_DIR, { recursive: true });
  await one('backup, parent, empty cache', again);
  const { peak } = await one('backup', again);
  await one('backup, GOMEMLIMIT of two thirds of that', again, {
    GOMEMLIMIT: `${Math.ceil(((peak * 2) / 3) * 1e6)}B`,
  });
  await one('backup (record of proofs), from a pipe', [
    ...[...backup, '--stdin-filename=/record', '--stdin-from-command', '--', 'echo', 'nothing'],
  ]);
  await one('snapshots', ['snapshots', '--json']);
  await one('snapshots (proof)', ['snapshots', '--json', ...unlocked, '--', snapshot]);
  await one('cat snapshot', ['cat', 'snapshot', ...unlocked, snapshot]);
  await one('ls', ['ls', '--json', '--', snapshot]);
  await one('restore', [
    'restore',
    '--json',
    `--target=${path.join(repository.folder, 'restored')}`,
    snapshot,
  ]);
  await one('prune, dry run', ['prune', '--dry-run']);
  return costs;
}

/** How much of the machine's memory restics may take at a time, and about what one takes. */
const share = 0.6;
const megabytesOf = (blobs: number) => costOfIndex(blobs).bytes / 1e6;

async function wholeRun(
  bed: TestBed,
  repository: Repository,
  watch: ResticWatch,
  volumes: readonly Volume[],
  blobs: number,
) {
  // The manifests are saved beside the volumes.
  const fitting = Math.floor((share * os.totalmem()) / 1e6 / megabytesOf(blobs)) - 1;
  const concurrency = Math.max(1, Math.min(4, fitting));
  const args = ['--concurrency', String(concurrency)];
  const first = await measure(() =>
    watch.during(() => bed.run({ repository, volumes, args, searchPath: watch.searchPath })),
  );
  const { restics, peakTogether } = first.result;
  const again = await measure(() => bed.run({ repository, volumes, args }));
  const each = again.seconds / volumes.length;
  return {
    figures: [
      information(`${volumes.length} volumes, --concurrency ${concurrency}, new, wall`, first.seconds, 's'),
      information('the same, unchanged, wall', again.seconds, 's'),
      information('the same, unchanged, processor of the whole machine', again.processorSeconds, 's'),
      information('100 of them, by that', 100 * each, 's'),
      information('memory of all restics together, at most', peakTogether, 'MB'),
      information('restic processes', restics.length, ''),
    ],
    table: costTable(byKind(restics)),
  };
}

/** Of each kind the most memory, and the middle of the rest. */
function byKind(restics: readonly ResticCost[]): ResticCost[] {
  const kinds = new Map<string, ResticCost[]>();
  for (const cost of restics) kinds.set(cost.kind, [...(kinds.get(cost.kind) ?? []), cost]);
  return [...kinds].map(([kind, costs]) => ({
    kind: `${costs.length} × ${kind}`,
    seconds: mean(costs.map(({ seconds }) => seconds)),
    processorSeconds: mean(costs.map(({ processorSeconds }) => processorSeconds)),
    peak: Math.max(...costs.map((cost) => cost.peak)),
  }));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function costTable(costs: readonly ResticCost[]): string {
  return formatTable(['RESTIC', 'SECONDS', 'PROCESSOR', 'MB AT MOST'], costs.map(rowOf));
}

function rowOf({ kind, seconds, processorSeconds, peak }: ResticCost): string[] {
  return [kind, seconds.toFixed(2), processorSeconds.toFixed(2), peak.toFixed(0)];
}

async function bytesBelow(folder: string): Promise<number> {
  const files = await readdir(folder);
  const sizes = await Promise.all(files.map(async (file) => (await stat(path.join(folder, file))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
