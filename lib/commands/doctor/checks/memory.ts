import { accessSync, constants, mkdtempSync, rmSync, statSync } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import { totalmem } from 'node:os';
import path from 'node:path';
import { formatBytes } from '../../../log/quantity.js';
import { failed, ok, warning, type Check, type Finding } from '../check.js';
import { cacheFolder } from '../../../tools/restic/cache.js';
import { cachedIndexBytes, countIndexFiles } from './repository/facts.js';
import { repositoryDeadlineMs } from '../setup.js';

/** Of one restic, without the index: measured for small repositories. */
const baseBytes = 150 * 2 ** 20;
/** An index in memory by what it takes in the cache (compressed), and by its files, which have 50,000 blobs at most. */
const perCachedByte = 4;
const perIndexFile = 10 * 2 ** 20;

/** Each restic keeps the whole index in memory: as many as volumes are backed up at a time. */
export const memory: Check = {
  name: 'memory',
  run: async (setup, signal) => {
    const { options, restic, env } = setup.parts;
    const { id } = await setup.repository();
    const concurrency = options.concurrency ?? 4;
    const cached = cachedIndexBytes(env, id);
    const index =
      cached === null
        ? perIndexFile * (await countIndexFiles(restic, { signal, deadlineMs: repositoryDeadlineMs }))
        : perCachedByte * cached;
    const needed = concurrency * (baseBytes + index);
    const limit = await memoryLimit();
    const text = `${concurrency} × restic need about ${formatBytes(needed)} of ${formatBytes(limit)}`;
    if (needed <= limit) return ok(text);
    const fitting = Math.max(1, Math.floor(limit / (baseBytes + index)));
    return warning(
      text,
      `--concurrency ${fitting} (the chart: concurrency), or raise resources.limits.memory`,
    );
  },
};

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
