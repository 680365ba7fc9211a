import os from 'node:os';
import path from 'node:path';
import type { Bench } from './bench/figure.js';
import { figureTable, holds } from './bench/figure.js';
import { own } from './owner.js';

/** By the names under which they can be asked for; loaded when they are. */
const benches: Record<string, () => Promise<Bench>> = {
  startup: async () => (await import('./bench/startup.js')).startup,
  list: async () => (await import('./bench/list.js')).listing,
  'report-page': async () => (await import('./bench/report-page.js')).reportPage,
  'rbd-filesystem': async () => (await import('./bench/rbd-filesystem.js')).rbdFilesystem,
  'rbd-block': async () => (await import('./bench/rbd-block.js')).rbdBlock,
  'block-changes': async () => (await import('./bench/block-changes.js')).blockChanges,
  'block-memory': async () => (await import('./bench/block-memory.js')).blockMemory,
  'small-volumes': async () => (await import('./bench/small-volumes.js')).fixedCost,
  restore: async () => (await import('./bench/restore.js')).restore,
  'restore-disk': async () => (await import('./bench/restore-disk.js')).restoreDisk,
  'many-snapshots': async () => (await import('./bench/many-snapshots.js')).manySnapshots,
  'large-cluster': async () => (await import('./bench/large-cluster.js')).largeCluster,
  'large-repository': async () => (await import('./bench/large-repository.js')).largeRepository,
  limits: async () => (await import('./bench/limits.js')).limits,
  'large-repository-run': async () => (await import('./bench/large-repository.js')).largeRepositoryRun,
  'many-volumes': async () => (await import('./bench/many-volumes.js')).manyVolumes,
  'other-writers': async () => (await import('./bench/other-writers.js')).otherWriters,
  shards: async () => (await import('./bench/shards.js')).sharding,
  'million-files': async () => (await import('./bench/million-files.js')).millionFiles,
  'flat-directory': async () => (await import('./bench/flat-directory.js')).flatDirectory,
  cephfs: async () => (await import('./bench/cephfs.js')).cephfs,
  'cephfs-directory': async () => (await import('./bench/cephfs-directory.js')).cephfsDirectory,
  concurrency: async () => (await import('./bench/concurrency.js')).concurrency,
  hold: async () => (await import('./bench/hold.js')).holding,
  incremental: async () => (await import('./bench/incremental.js')).incremental,
  'incremental-fourfold': async () => (await import('./bench/incremental.js')).fourfold,
  'incremental-large': async () => (await import('./bench/incremental-large.js')).incrementalLarge,
};

/** `npm run bench [-- [--quick] [--rounds=N] NAME...]`: all or some figures and their limits; exit code 1 where one does not hold. */
await own(async ({ folder }) => {
  const args = process.argv.slice(2);
  const quick = args.includes('--quick');
  const rounds = Number(/^--rounds=(\d+)$/m.exec(args.join('\n'))?.[1] ?? Number.NaN) || null;
  const asked = args.filter((arg) => !/^--(quick|rounds=\d+)$/.test(arg));
  const unknown = asked.filter((name) => !(name in benches));
  if (unknown.length > 0) {
    console.error(`no such benchmark: ${unknown.join(', ')}; there are: ${Object.keys(benches).join(', ')}`);
    return 2;
  }
  let missed = 0;
  for (const [name, load] of Object.entries(benches)) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    const tell = (text: string) => {
      console.error(`${name}: ${text}`);
    };
    const load1 = os.loadavg()[0];
    const { figures, notes } = await (await load())({ folder: path.join(folder, name), quick, rounds, tell });
    missed += figures.filter((figure) => !holds(figure)).length;
    const heading = `${name} (load at the start ${load1?.toFixed(1) ?? '?'}, at the end ${os.loadavg()[0]?.toFixed(1) ?? '?'})`;
    console.log([heading, figureTable(figures), ...notes].join('\n'));
  }
  console.log(missed === 0 ? 'Every limit holds.' : `Limits that do not hold: ${missed}`);
  return missed === 0 ? 0 : 1;
});
