import type { ErrorCode } from '../errors/catalogue.js';
import { asCephbackupError, CephbackupError } from '../errors/error.js';
import type { PlannedVolume } from '../plan/types.js';
import { BackupError, backupSource, type BackupRequest } from '../repository/backup.js';
import { pointInTime, type History } from '../repository/history.js';
import {
  describeExcludes,
  madeByOtherRules,
  nothingExcluded,
  type ExcludeRules,
} from '../repository/excludes.js';
import { proveSnapshot } from '../repository/proof.js';
import type { ProofNotes } from '../repository/run-record.js';
import { claimTags } from '../repository/tags.js';
import type { Logger } from '../log/logger.js';
import type { Progress } from './progress.js';
import { rfc3339, type EpochMs } from '../log/time.js';
import type { BackupSummary, Restic, ResticSnapshot } from '../tools/restic/restic.js';
import { lastLine, type Exec } from '../tools/process/exec.js';
import type { BackupSource, FutureBase } from '../repository/source.js';
import type { VolumeDriver, VolumeJob } from '../volumes/driver.js';
import { deadline } from '../waiting/deadline.js';
import { unlessAborted } from '../waiting/within.js';
import { refuseEverythingExcluded } from './everything-excluded.js';
import type { Moment } from './moment.js';
import type { Recorder } from './recorder.js';
import { emptyResult, notAttempted, type VolumeEnd, type VolumeResult } from './report.js';
import { Scope, type Leftover } from '../ownership/scope.js';

export interface VolumeTools {
  exec: Exec;
  restic: Restic;
  /**
   * What the repository held when the run began. Volumes are prepared while it is being opened; rejects where it cannot
   * be used, and then no volume was attempted.
   */
  history: Promise<History>;
  recorder: Recorder;
  proofs: ProofNotes;
  driverFor: (volume: PlannedVolume) => VolumeDriver;
  /** The tag `cluster=` of all snapshots. */
  clusterName: string;
  node: string;
  /** Null: no limit. */
  volumeTimeoutMs: number | null;
  /** The snapshot that is marked on a volume's PersistentVolume as a proven backup of its claim. */
  markedSnapshot: (volume: PlannedVolume) => string | null;
  /** What the options leave out of every filesystem. */
  exclude: Omit<ExcludeRules, 'patterns'>;
  /** A folder for temporary files. */
  temporary: string;
  clock: () => EpochMs;
  log: Logger;
  progress: Progress;
  /**
   * Before a volume is touched: what its backup needs beside its bytes. Throws where that cannot be had.
   */
  readKey: (volume: PlannedVolume, signal: AbortSignal) => Promise<void>;
  /**
   * Resolves when a volume may be marked: what its mark relies on is in the repository. Never rejects.
   * @param imageSize of the snapshot, in bytes; null where the size is of no use
   * @param time of the backup
   */
  mayMark: (volume: PlannedVolume, imageSize: number | null, time: EpochMs) => Promise<void>;
}

/** A snapshot in the repository that is known to be complete. */
interface ProvenBackup {
  summary: BackupSummary;
  snapshot: ResticSnapshot;
  /** Exact size of a disk in bytes; null for files. */
  imageSize: number | null;
  leftovers: Leftover[];
  /** Of a disk that is backed up by segments: whether the previous backup's data was used, or why not. */
  base: string | null;
  /** Bytes that were read from the volume, where the source knows better than restic. */
  bytesRead: number | null;
}

/** The volume was never used: it has no filesystem, or nothing in it. */
const nothingThere = new Set<ErrorCode>(['FILESYSTEM_MISSING', 'VOLUME_EMPTY']);
/** What a volume comes to whose claim was deleted since the plan was made. */
const notFound = new Set<ErrorCode>([
  'IMAGE_NOT_FOUND',
  'SUBVOLUME_NOT_FOUND',
  'DIRECTORY_NOT_FOUND',
  'SNAPSHOT_VANISHED',
]);
/** How long each command may take that proves a snapshot which restic has saved. */
const finishLimitMs = 900_000;
/** Longer than any volume takes: the volume's own deadline and the run's abort earlier. */
const unlimitedMs = 2 ** 31 - 1;

/**
 * One volume from snapshot to mark. Never throws: a volume's fault touches that volume alone.
 *
 * @param name of the snapshot and the clone
 * @param unwound is called when all that was acquired is released, which may be before the end
 */
export async function backupVolume(
  tools: VolumeTools,
  volume: PlannedVolume,
  name: string,
  moment: Moment,
  runSignal: AbortSignal,
  unwound: () => void = () => undefined,
): Promise<VolumeEnd> {
  const attempt = new Attempt(tools, volume, name, moment, runSignal, unwound);
  try {
    return await attempt.run();
  } finally {
    tools.progress.end(volume);
  }
}

class Attempt {
  readonly #log: Logger;
  readonly #warnings: string[] = [];
  readonly #scope: Scope;
  readonly #began: number;
  /** The backup's point in time. */
  #time: EpochMs;
  #snapshotAsked: number | null = null;
  #strays: Leftover[] = [];
  #heldSeconds: number | null = null;
  /** What the backup leaves out, in words. */
  #excludes: string[] = [];
  /** A snapshot that unwinding leaves, until it is kept as a base or removed. */
  #futureBase: FutureBase | null = null;

  constructor(
    private readonly tools: VolumeTools,
    private readonly volume: PlannedVolume,
    private readonly name: string,
    private readonly moment: Moment,
    private readonly runSignal: AbortSignal,
    private readonly unwound: () => void,
  ) {
    this.#log = tools.log.with({ volume: `${volume.namespace}/${volume.pvc}` });
    this.#scope = new Scope(tools.node, this.#log);
    this.#began = tools.clock();
    this.#time = this.#began;
  }

  async run(): Promise<VolumeEnd> {
    const { volumeTimeoutMs: volumeTimeout } = this.tools;
    const limit = deadline(
      volumeTimeout,
      () => new CephbackupError('VOLUME_TIMEOUT', `not finished after ${(volumeTimeout ?? 0) / 1000} s`),
      this.runSignal,
    );
    try {
      return this.#ended(await this.#succeeded(await this.#backup(limit.signal)));
    } catch (thrown) {
      const dropped = await this.#settleBase(null);
      const leftovers = [...dropped, ...(await this.#unwind()), ...this.#strays];
      const unusable = await this.tools.history.then(() => null, asCephbackupError);
      // Not the volume's own fault, whatever has come of it meanwhile: it is not told as one.
      const error = asCephbackupError(thrown);
      // Who may still be held is told in any case.
      if (unusable !== null && error.code !== 'HOOK_FAILED')
        return this.#ended(notAttempted(this.volume, unusable, leftovers));
      const harmless = leftovers.length > 0 ? null : await this.#noFailure(error);
      if (harmless !== null) return harmless;
      return this.#ended(await this.#failed(error, leftovers));
    } finally {
      limit.clear();
    }
  }

  async #backup(signal: AbortSignal): Promise<ProvenBackup> {
    const { volume, tools } = this;
    const tags = claimTags(tools.clusterName, volume);
    await tools.readKey(volume, signal);
    const source = await tools.driverFor(volume).prepare(this.#job(signal));
    const history = await unlessAborted(tools.history, signal);
    this.#setTime(history);
    this.#step('backing up');
    const previous = history.proven(volume.uid, tools.markedSnapshot(volume));
    this.#tellExcludes(source, previous);
    const disk = source.type === 'directory' ? source.disk : undefined;
    const believed = source.type === 'stream' || source.readAll === null;
    if (!believed) this.#log.info(`everything is read: ${source.readAll}`);
    const parent = believed ? previous : null;
    const about = { host: volume.host, tags, time: this.#time };
    const summary = await this.#withStrays(() =>
      this.#save({ ...about, source, signal }, parent?.id ?? null),
    );
    try {
      // What is in the repository now is proven and marked also where the run is being stopped: that takes seconds,
      // and is bounded by the commands' own deadlines.
      const leastEntries = await this.#leastEntries(source, summary);
      await source.confirm();
      // The proof reads the repository alone, so that unwinding need not wait for it.
      this.#step('proving and unwinding');
      const expectedBytes = source.type === 'stream' ? source.length : (source.disk?.expectedBytes ?? null);
      this.#futureBase = disk?.snapshot ?? null;
      this.#futureBase?.hold();
      const proof = proveSnapshot(tools.restic, {
        ...about,
        summary,
        expectedBytes,
        leastEntries,
        deadlineMs: finishLimitMs,
      });
      const [proven, unwound] = await Promise.allSettled([proof, this.#unwind()]);
      if (proven.status === 'rejected') throw proven.reason;
      return {
        summary,
        snapshot: proven.value,
        imageSize: source.type === 'stream' ? source.imageSize : (disk?.imageSize ?? null),
        base: source.type === 'stream' ? (source.base ?? null) : (disk?.base ?? null),
        bytesRead: disk?.bytesRead() ?? null,
        leftovers: unwound.status === 'fulfilled' ? unwound.value : [],
      };
    } catch (thrown) {
      this.#stray(summary.snapshotId, asCephbackupError(thrown).message);
      throw thrown;
    }
  }

  #rules(source: BackupSource): ExcludeRules {
    const { caches, ifPresent } = this.tools.exclude;
    // Nothing of a disk is left out.
    const isFiles = source.type === 'directory' && source.disk === undefined;
    return isFiles ? { patterns: this.volume.excludes, caches, ifPresent } : nothingExcluded;
  }

  #tellExcludes(source: BackupSource, parent: ResticSnapshot | null): void {
    const rules = this.#rules(source);
    this.#excludes = describeExcludes(rules);
    if (this.#excludes.length > 0) this.#log.info(`leaving out ${this.#excludes.join(', ')}`);
    if (parent !== null && madeByOtherRules(parent, rules))
      this.#warn('what is left out has changed since the last backup');
  }

  /** @throws CephbackupError EXCLUDES_ALL */
  async #leastEntries(source: BackupSource, summary: BackupSummary): Promise<number> {
    if (source.type === 'stream') return 1;
    if (source.disk !== undefined) return source.disk.entries;
    const { exec } = this.tools;
    await refuseEverythingExcluded(exec, source, this.#rules(source), summary.filesProcessed);
    const entries = await rootEntries(exec, source);
    return this.#excludes.length === 0 ? entries : Math.min(entries, 1);
  }

  /** Data of the previous backup may be gone from the repository: then everything is read, and stored again. */
  async #save(
    request: Pick<BackupRequest, 'host' | 'tags' | 'time' | 'source' | 'signal'>,
    parent: string | null,
  ): Promise<BackupSummary> {
    const { tools, volume } = this;
    const save = (from: string | null) =>
      backupSource(tools.restic, {
        ...request,
        excludes: { rules: this.#rules(request.source), temporary: tools.temporary },
        parent: from,
        deadlineMs: unlimitedMs,
        onProgress: (progress) => {
          tools.progress.progress(volume, progress);
        },
      });
    try {
      return await save(parent);
    } catch (thrown) {
      if (
        thrown instanceof BackupError &&
        thrown.code === 'VOLUME_EMPTY' &&
        request.source.type === 'directory'
      ) {
        await refuseEverythingExcluded(tools.exec, request.source, this.#rules(request.source), 0);
        // Nothing at all is what a mount that is gone shows, too.
        await request.source.confirm();
      }
      if (parent === null || !(thrown instanceof BackupError) || !thrown.parentIncomplete) throw thrown;
      this.#warn(
        'data of the previous backup is missing in the repository: everything is read and stored again',
      );
      return save(null);
    }
  }

  #job(signal: AbortSignal): VolumeJob {
    return {
      volume: this.volume,
      name: this.name,
      scope: this.#scope,
      signal,
      log: this.#log,
      step: (text) => {
        this.#step(text);
      },
      warn: (text) => {
        this.#warn(text);
      },
      parent: async () =>
        (await this.tools.history).proven(this.volume.uid, this.tools.markedSnapshot(this.volume)),
      pointInTime: (asked = this.moment.time(this.tools.clock)) => {
        this.#time = asked;
        this.#snapshotAsked ??= performance.now();
        return asked;
      },
      takeSnapshot: (ask) =>
        this.#atMoment(signal, async (during) => {
          const begun: number[] = [];
          const job = this.#job(signal);
          const madeBy = await ask(() => {
            begun.push(job.pointInTime());
            return this.#time;
          }, during);
          return job.pointInTime(begun[madeBy - 1] ?? begun[0]);
        }),
      shares: this.moment.shares,
    };
  }

  async #atMoment<T>(signal: AbortSignal, take: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const warn = (text: string) => {
      this.#warn(text);
    };
    const { value, heldSeconds } = await this.moment.around({ signal, log: this.#log, warn }, take);
    this.#heldSeconds = heldSeconds;
    if (heldSeconds !== null) this.#log.info('applications were held', { heldSeconds });
    await unlessAborted(this.moment.turn(), signal);
    return value;
  }

  /** The point in time as it was read before the snapshot was asked for, or later where the repository demands it. */
  #setTime(history: History): void {
    const { time, adjusted } = pointInTime(this.#time, newestOf(history, this.moment.uids));
    this.#time = time;
    if (!adjusted) return;
    this.#warn(
      'the clock is behind the newest snapshot of this claim: the backup is dated one second after it',
    );
  }

  #step(text: string): void {
    this.#log.info(text);
    this.tools.progress.step(this.volume, text);
  }

  #warn(text: string): void {
    this.#warnings.push(text);
    this.#log.warn(text);
  }

  /** Runs the backup; on failure names the snapshot that restic may have saved all the same. */
  async #withStrays(backup: () => Promise<BackupSummary>): Promise<BackupSummary> {
    try {
      return await backup();
    } catch (thrown) {
      if (!(thrown instanceof BackupError)) throw thrown;
      for (const id of await this.#savedAllTheSame(thrown))
        this.#stray(id, 'restic saved it although it failed');
      throw thrown;
    }
  }

  async #savedAllTheSame({ savedSnapshot, kind }: BackupError): Promise<string[]> {
    if (savedSnapshot !== null) return [savedSnapshot];
    // A repository that cannot be used cannot be asked, and holds nothing new.
    if (kind === 'unusable') return [];
    try {
      const tags = claimTags(this.tools.clusterName, this.volume);
      const found = await this.tools.restic.snapshots(tags, { deadlineMs: 60_000 });
      return found.filter(({ time }) => Date.parse(time) === this.#time).map(({ id }) => id);
    } catch (thrown) {
      this.#log.warn(`could not look for a partial snapshot: ${asCephbackupError(thrown).message}`);
      return [];
    }
  }

  #stray(id: string, reason: string): void {
    const { node, proofs } = this.tools;
    proofs.unproven(id);
    this.#strays.push({ kind: 'restic-snapshot', name: id, cluster: this.tools.clusterName, node, reason });
  }

  async #unwind(): Promise<Leftover[]> {
    const left = await this.#scope.release();
    // What is left may go in a second attempt.
    if (left.length === 0 && this.#futureBase === null) this.unwound();
    return left;
  }

  /** What could not be released is kept for another try. */
  #ended(end: VolumeEnd): VolumeEnd {
    return end.leftovers.some(({ kind }) => kind !== 'restic-snapshot')
      ? { ...end, unreleased: this.#scope }
      : end;
  }

  /** The end of a volume that could not be backed up because there is nothing to back up; null where it failed. */
  async #noFailure(error: CephbackupError): Promise<VolumeEnd | null> {
    const outcome = nothingThere.has(error.code)
      ? (await this.#hadBackup())
        ? null
        : ('empty' as const)
      : notFound.has(error.code) && (await this.#isGone())
        ? ('vanished' as const)
        : null;
    if (outcome === null) return null;
    const text = outcome === 'empty' ? 'there is nothing in it yet' : 'its claim is gone';
    this.#warn(`${text}: ${error.message}`);
    this.#log.info(outcome);
    const seconds = Math.round(this.#seconds() * 1000) / 1000;
    const result = emptyResult(this.volume, outcome, null);
    return { result: { ...result, seconds, warnings: this.#warnings }, leftovers: [], error: null };
  }

  /** Also one whose snapshot is not in this repository any more. */
  async #hadBackup(): Promise<boolean> {
    const { tools, volume } = this;
    const history = await tools.history;
    return (
      volume.lastBackup !== null ||
      tools.markedSnapshot(volume) !== null ||
      history.newest(volume.uid) !== null
    );
  }

  async #isGone(): Promise<boolean> {
    try {
      return await this.tools.recorder.isGone(this.volume);
    } catch (thrown) {
      this.#log.warn(`could not look for the claim: ${asCephbackupError(thrown).message}`);
      return false;
    }
  }

  /**
   * Keeps the snapshot as the base of the backup that is marked now, or removes it. A base that could not be named is no
   * failure of the backup: the next run reads everything.
   */
  async #settleBase(marked: string | null): Promise<Leftover[]> {
    const base = this.#futureBase;
    this.#futureBase = null;
    if (base === null) return [];
    try {
      if (marked !== null) {
        await base.keep(marked);
        return [];
      }
    } catch (thrown) {
      this.#warn(`the snapshot could not be kept as a base: ${asCephbackupError(thrown).message}`);
    }
    this.#scope.add({ kind: 'snapshot', name: this.name, cluster: null }, () => base.drop());
    return this.#unwind();
  }

  #seconds(): number {
    return this.#snapshotAsked === null ? 0 : (performance.now() - this.#snapshotAsked) / 1000;
  }

  async #succeeded(backup: ProvenBackup): Promise<VolumeEnd> {
    const { volume, tools } = this;
    const { summary, snapshot, imageSize } = backup;
    const seconds = this.#seconds();
    tools.proofs.proven(snapshot);
    const previous = (await tools.history).proven(volume.uid, tools.markedSnapshot(volume));
    const unchanged = previous !== null && previous.tree === snapshot.tree;
    let error: CephbackupError | null = null;
    let marked = false;
    try {
      await tools.mayMark(volume, imageSize, this.#time);
      const mark = await tools.recorder.succeeded(volume, {
        time: this.#time,
        attempt: this.#began,
        snapshot: snapshot.id,
      });
      marked = mark !== 'claim-gone';
      if (mark === 'claim-gone')
        this.#warn('the claim vanished while it was backed up: its volume is not annotated');
    } catch (thrown) {
      error = asCephbackupError(thrown);
      this.#log.error(error.message, { code: error.code });
    }
    const leftovers = [...backup.leftovers, ...(await this.#settleBase(marked ? snapshot.id : null))];
    const result: VolumeResult = {
      ...emptyResult(volume, unchanged ? 'unchanged' : 'succeeded', error?.report() ?? null),
      snapshot: snapshot.id,
      time: rfc3339(this.#time),
      bytesTotal: summary.bytesProcessed,
      bytesRead: backup.bytesRead ?? summary.bytesRead,
      bytesAdded: summary.bytesAdded,
      seconds: Math.round(seconds * 1000) / 1000,
      heldSeconds: this.#heldSeconds,
      excludes: this.#excludes,
      warnings: this.#warnings,
      ...(backup.base === null ? {} : { base: backup.base }),
    };
    this.#log.info(result.outcome, { snapshot: snapshot.id.slice(0, 8), seconds: result.seconds });
    return { result, leftovers, error };
  }

  async #failed(error: CephbackupError, leftovers: Leftover[]): Promise<VolumeEnd> {
    const seconds = Math.round(this.#seconds() * 1000) / 1000;
    this.#log.error(error.message, { code: error.code });
    await this.tools.recorder.failed(this.volume, { attempt: this.#began, error });
    const result = emptyResult(this.volume, 'failed', error.report());
    return {
      result: { ...result, seconds, excludes: this.#excludes, warnings: this.#warnings },
      leftovers,
      error,
    };
  }
}

/** Backups of one moment have one point in time: it is later than the newest of all of these claims. */
function newestOf(history: History, uids: readonly string[]): ReturnType<History['newest']> {
  const all = uids.map((uid) => history.newest(uid)).filter((newest) => newest !== null);
  return all.sort((a, b) => b.time - a.time)[0] ?? null;
}

/** Files and directories directly below the volume's root: the least that a complete backup has seen. */
async function rootEntries(
  exec: Exec,
  { namespace, path }: Extract<BackupSource, { type: 'directory' }>,
): Promise<number> {
  const args = [path, '-mindepth', '1', '-maxdepth', '1', '-type', 'f,d', '-printf', 'x'];
  const { stdout, stderr, exitCode } = await exec('find', args, { namespace, deadlineMs: finishLimitMs });
  if (exitCode !== 0)
    throw new CephbackupError('COMMAND_FAILED', `find in the volume's root: ${lastLine(stderr)}`);
  return stdout.length;
}
