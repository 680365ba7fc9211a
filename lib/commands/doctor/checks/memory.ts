import { accessSync, constants, mkdtempSync, rmSync, statSync } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import { totalmem } from 'node:os';
import path from 'node:path';
import { formatBytes } from '../../../log/quantity.js';
import { failed, ok, warning, type Check, type Finding } from '../check.js';
import { cacheFolder } from '../../../tools/restic/cache.js';
import { blobsIn, costOfIndex } from './blob-cost.js';
import { cachedIndex, countIndexFiles } from './repository/facts.js';
import { repositoryDeadlineMs } from '../setup.js';

/** What runs beside restic: the program itself, and of each volume what maps, mounts or reads it. Measured: docs/performance.md. */
const [programBytes, besideBytes] = [128 * 2 ** 20, 96 * 2 ** 20];
/** The manifests are saved, and proofs recorded, while volumes are backed up. */
const besideVolumes = 1;
/** From here on the index alone is worth a word: a run of 100 volumes spends the hour on it. */
const dearSeconds = 36;

/** Each restic keeps the whole index in memory: as many as volumes are backed up at a time. */
export const memory: Check = {
  name: 'memory',
  run: async (setup, signal) => {
    const { options, restic, env } = setup.parts;
    const { id, version } = await setup.repository();
    const concurrency = options.concurrency ?? 4;
    const files = await countIndexFiles(restic, { signal, deadlineMs: repositoryDeadlineMs });
    const blobs = blobsIn({ files, cached: cachedIndex(env, id), version });
    const { bytes, processorSeconds } = costOfIndex(blobs);
    const neededFor = (volumes: number) =>
      programBytes + volumes * besideBytes + (volumes + besideVolumes) * bytes;
    const limit = await memoryLimit();
    const needed = neededFor(concurrency);
    const text =
      `about ${(blobs / 1e6).toFixed(blobs < 1e6 ? 2 : 1)} million blobs: ${concurrency + besideVolumes} × restic ` +
      `and what runs beside them need about ${formatBytes(needed)} of ${formatBytes(limit)}, ` +
      `each restic ${processorSeconds.toFixed(processorSeconds < 10 ? 1 : 0)} s of a processor`;
    if (needed > limit) {
      const fitting = fittingConcurrency(concurrency, (volumes) => neededFor(volumes) <= limit);
      return warning(
        text,
        `--concurrency ${fitting} (the chart: concurrency), or raise resources.limits.memory`,
      );
    }
    if (processorSeconds < dearSeconds) return ok(text);
    return warning(
      text,
      'see "Large repositories" in docs/operations.md: a second repository, or fewer volumes',
    );
  },
};

/** At least 1. */
function fittingConcurrency(asked: number, fits: (volumes: number) => boolean): number {
  for (let volumes = asked; volumes > 1; volumes -= 1) if (fits(volumes)) return volumes;
  return 1;
}

/** The limit of this control group, else the machine's memory. Bytes. */
async function memoryLimit(): Promise<number> {
  const files = ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'];
  const limits = await Promise.all(
    files.map(async (file) => Number((await readFile(file, 'utf8').catch(() => '')).trim() || NaN)),
  );
  return Math.min(totalmem(), ...limits.filter((limit) => limit > 0));
}

/** Where restic's packs are put together, and its cache is kept. */
const leastFreeBytes = 1024 ** 3;

/** There is room, and leave to write, for what a run puts down for a while. */
export const folders: Check = {
  name: 'folders',
  run: async (setup) => {
    const temporary = setup.parts.env.TMPDIR ?? '/tmp';
    const cache = cacheFolder(setup.parts.env);
    const findings = [temporaryFolder(temporary), ...cacheFindings(cache)];
    for (const folder of new Set([temporary, ...(cache === null ? [] : [nearest(cache)])])) {
      const room = await statfs(folder).catch(() => null);
      // A filesystem without blocks (tmpfs without a limit) does not fill up.
      const free = room === null || room.blocks === 0 ? null : room.bavail * room.bsize;
      if (free !== null && free < leastFreeBytes)
        findings.push(warning(`${folder} has only ${formatBytes(free)} free`, `make room in ${folder}`));
    }
    const bad = findings.flatMap((finding) => finding ?? []);
    return bad.length === 0 ? ok(`${temporary} and ${cache ?? 'no cache'} can be written`) : bad;
  },
};

function temporaryFolder(folder: string): Finding | null {
  try {
    rmSync(mkdtempSync(path.join(folder, 'cephbackup-doctor-')), { recursive: true });
    return null;
  } catch (thrown) {
    const fix = `make ${folder} a folder that can be written, or set TMPDIR`;
    return failed(`${folder} cannot be written: ${(thrown as NodeJS.ErrnoException).code ?? ''}`, fix);
  }
}

function cacheFindings(cache: string | null): (Finding | null)[] {
  if (cache === null)
    return [warning('restic has no cache: each volume fetches the whole index', 'set RESTIC_CACHE_DIR')];
  try {
    const folder = nearest(cache);
    accessSync(folder, constants.W_OK);
    if (!statSync(folder).isDirectory()) throw new Error(`${folder} is no folder`);
    return [null];
  } catch {
    return [warning(`the cache ${cache} cannot be written`, 'set RESTIC_CACHE_DIR to a folder that can')];
  }
}

/** The folder itself, or the nearest one above that exists. */
function nearest(folder: string): string {
  for (let at = folder; ; at = path.dirname(at)) {
    try {
      accessSync(at);
      return at;
    } catch {
      if (at === path.dirname(at)) return at;
    }
  }
}
