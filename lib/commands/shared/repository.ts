import type { Values } from '../../cli/options.js';
import type { volumeOptions } from './options/volumes.js';
import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import { resticEnvironment } from '../../tools/process/environment.js';
import { CacheKeeper, cacheFolder } from '../../tools/restic/cache.js';
import { Restic } from '../../tools/restic/restic.js';
import type { ResticSnapshot } from '../../tools/restic/snapshot.js';
import type { CommandContext } from '../../cli/command.js';
import { persist, steady, type Patience } from '../../waiting/persist.js';

export type LimitValues = Pick<Values<typeof volumeOptions>, 'limitUpload' | 'limitDownload'> &
  Partial<Pick<Values<typeof volumeOptions>, 'retryLock' | 'cacheLimit'>>;

/** @param cache what is kept below `--cache-limit`; null: restic keeps none */
export function resticOf(
  { options, env, exec }: CommandContext<LimitValues>,
  cache = cacheFolder(env),
): Restic {
  const limitBytes = options.cacheLimit ?? null;
  const limits = {
    upload: options.limitUpload,
    download: options.limitDownload,
    lockPatienceMs: options.retryLock ?? null,
    cache: limitBytes === null || cache === null ? null : new CacheKeeper(cache, limitBytes),
  };
  return new Restic(exec, resticEnvironment(env), limits);
}

/** The oldest restic with exit codes for what can go wrong, and `--stdin-from-command`. */
const oldest = [0, 17] as const;

/** @throws CephbackupError RESTIC_TOO_OLD, RESTIC_UNUSABLE */
export async function requireRestic(restic: Restic, signal: AbortSignal): Promise<void> {
  const [major, minor, patch] = await restic.version({ signal });
  if (major > oldest[0] || minor >= oldest[1]) return;
  const message = `restic ${major}.${minor}.${patch} is too old: ${oldest.join('.')} or newer is required`;
  throw new CephbackupError('RESTIC_TOO_OLD', message);
}

/** All snapshots of the repository. @throws CephbackupError RESTIC_TOO_OLD, REPOSITORY_… */
export async function surveyRepository(context: CommandContext<LimitValues>) {
  const restic = resticOf(context);
  const options = { signal: context.signal };
  const [survey] = await Promise.all([restic.survey(options), requireRestic(restic, context.signal)]);
  return survey;
}

/** A repository that is being opened, which takes as long as restic's key derivation was made to take. */
export interface OpeningRepository {
  /** All snapshots; rejects where the repository cannot be used: REPOSITORY_… */
  snapshots: Promise<ResticSnapshot[]>;
  /** Why it cannot be used, as far as that is known at once: restic's version always is. Never rejects. */
  refused(): Promise<CephbackupError | null>;
  /** Ends the opening and waits for its end; resolves with what had failed by itself. Never rejects. */
  abandon(reason: unknown): Promise<CephbackupError | null>;
}

/** Without waiting for a lock. */
const openingMs = 180_000;

/** Lists the snapshots beside asking restic for its version, which is judged first. */
export function openRepository(
  restic: Restic,
  runSignal: AbortSignal,
  outage: Patience = steady(0, 0),
): OpeningRepository {
  const early = new AbortController();
  const signal = AbortSignal.any([runSignal, early.signal]);
  let failed: CephbackupError | null = null;
  const list = () => restic.snapshots([], { signal, deadlineMs: openingMs + restic.lockPatienceMs });
  const snapshots = persist(
    list,
    ({ end, elapsedMs }) => {
      const away = !end.ok && asCephbackupError(end.thrown).code === 'REPOSITORY_UNREACHABLE';
      return away && elapsedMs < outage.patienceMs && !signal.aborted ? outage.intervalMs : null;
    },
    signal,
  );
  const opened = snapshots.then(
    () => undefined,
    (thrown: unknown) => (failed = asCephbackupError(thrown)),
  );
  // A restic that is left to die with this program would leave its lock behind.
  const end = async (reason: unknown) => {
    early.abort(reason);
    await opened;
  };
  const version = requireRestic(restic, signal).then(() => null, asCephbackupError);
  return {
    snapshots,
    refused: async () => {
      const tooOld = await version;
      if (tooOld !== null) await end(tooOld);
      return tooOld ?? failed;
    },
    abandon: async (reason) => {
      await end(reason);
      return (await version) ?? failed;
    },
  };
}
