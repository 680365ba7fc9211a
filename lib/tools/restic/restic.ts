import { CephbackupError } from '../../errors/error.js';
import { CommandFailure } from '../process/ending.js';
import { belowResticArgv, type Environment } from '../process/environment.js';
import type { CommandOptions, CommandResult, Exec } from '../process/exec.js';
import { asObject, parseJson, parseJsonObjects } from '../process/json.js';
import { lastLine } from '../process/outcome.js';
import type { CacheKeeper } from './cache.js';
import { asLateAnswer, readError, repositoryError } from './errors.js';
import { locksLeftIn } from './locks.js';
import { toSnapshot, type ResticSnapshot } from './snapshot.js';
import { unlimitedMs } from '../../waiting/deadline.js';

export interface BackupSummary {
  snapshotId: string;
  /** Bytes read by restic, or known to be unchanged. */
  bytesProcessed: number;
  /** Of it that restic has read and found new; without a parent, all of it. What the parent has is not read. */
  bytesRead: number;
  /** That the repository grew by, compressed. */
  bytesAdded: number;
  filesProcessed: number;
  directories: number;
}

export interface ResticLimits {
  /** KiB/s. */
  upload: number | null;
  /** KiB/s. */
  download: number | null;
  /** How long another process's lock is waited for; default: two minutes. */
  lockPatienceMs?: number | null;
  /** Keeps the cache that restic uses below its limit; default: nobody does. */
  cache?: CacheKeeper | null;
}

/** How long another process's lock is waited for, where nothing else is asked for. */
const defaultLockPatienceMs = 120_000;
const queryDeadlineMs = 300_000;
/** Of all snapshots as JSON, 1.1 KiB each: somewhat less than what a string can hold (V8: 512 MiB). */
const listLimitBytes = 448 * 1024 * 1024;

/** The `restic` program with the repository of its environment. */
export class Restic {
  /** Locks that restic could not remove when it ended, and why: for as long as they lie there, nobody can prune. */
  readonly locksLeft = new Map<string, string>();

  constructor(
    private readonly exec: Exec,
    private readonly env: Environment,
    private readonly limits: ResticLimits,
  ) {}

  /** How long another process's lock is waited for. */
  get lockPatienceMs(): number {
    return this.limits.lockPatienceMs ?? defaultLockPatienceMs;
  }

  /** The option that says so to restic. */
  get retryLock(): string {
    return `--retry-lock=${Math.ceil(this.lockPatienceMs / 1000)}s`;
  }

  /** argv in front of a command that restic is to start. */
  get below(): string[] {
    return belowResticArgv(this.env);
  }

  #argv([command = '', ...args]: readonly string[]): string[] {
    const { upload, download } = this.limits;
    return [
      command,
      // In front: what follows `--` is an operand, or belongs to the program that restic starts.
      ...(upload === null ? [] : [`--limit-upload=${upload}`]),
      ...(download === null ? [] : [`--limit-download=${download}`]),
      ...args,
    ];
  }

  /**
   * Runs restic with one of its commands; the exit code is the caller's to read.
   * @throws CephbackupError REPOSITORY_… where the repository did not answer in time; else as `Exec`
   */
  async run(args: readonly string[], options: Partial<CommandOptions> = {}): Promise<CommandResult> {
    const command = () =>
      this.exec('restic', args, {
        deadlineMs: queryDeadlineMs + this.lockPatienceMs,
        killGraceMs: 10_000,
        ...options,
        env: this.env,
      });
    try {
      const result = await (args.includes('--no-cache') ? command() : this.keepingCache(command));
      for (const { id, reason } of locksLeftIn(result.stderr)) this.locksLeft.set(id, reason);
      return result;
    } catch (thrown) {
      throw options.patience === undefined
        ? thrown
        : asLateAnswer(`restic ${args.slice(0, 1).join(' ')}`, thrown);
    }
  }

  /** Keeps the cache below its limit while a restic is at work that is not started here. */
  keepingCache<T>(work: () => Promise<T>): Promise<T> {
    const { cache } = this.limits;
    return cache == null ? work() : cache.during(work);
  }

  /** E.g. `[0, 19, 1]`. @throws CephbackupError RESTIC_UNUSABLE */
  async version(options?: Partial<CommandOptions>): Promise<[number, number, number]> {
    const { exitCode, stdout, stderr } = await this.run(['version'], { patience: {}, ...options }).catch(
      (thrown: unknown) => {
        if (!(thrown instanceof CommandFailure)) throw thrown;
        throw new CephbackupError('RESTIC_UNUSABLE', thrown.message, { cause: thrown });
      },
    );
    const match = /^restic (\d+)\.(\d+)(?:\.(\d+))?/.exec(stdout);
    if (match === null) {
      const said = `no version in its output, exit code ${exitCode}: ${lastLine(stderr)}`;
      throw new CephbackupError('RESTIC_UNUSABLE', `restic version: ${said}`);
    }
    return [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
  }

  /** Snapshots that have all of these tags. @throws CephbackupError REPOSITORY_… */
  async snapshots(tags: readonly string[], options?: Partial<CommandOptions>): Promise<ResticSnapshot[]> {
    const args = [
      'snapshots',
      '--json',
      this.retryLock,
      ...(tags.length === 0 ? [] : ['--tag', tags.join(',')]),
    ];
    return (await this.#list(args, options)).snapshots;
  }

  /** All snapshots, and the ids of those whose file cannot be read: restic passes them over and exits 0. */
  async survey(
    options?: Partial<CommandOptions> & { noCache?: boolean; noLock?: boolean },
  ): Promise<{ snapshots: ResticSnapshot[]; unreadable: string[] }> {
    const lock = options?.noLock ? '--no-lock' : this.retryLock;
    const args = ['snapshots', '--json', lock, ...(options?.noCache ? ['--no-cache'] : [])];
    const { snapshots, stderr } = await this.#list(args, options);
    return {
      snapshots,
      unreadable: [...stderr.matchAll(/^Ignoring "([0-9a-f]{64})"/gm)].flatMap(([, id]) => id ?? []),
    };
  }

  async #list(args: readonly string[], options: Partial<CommandOptions> | undefined) {
    const result = await this.run(this.#argv(args), {
      stdoutLimitBytes: listLimitBytes,
      patience: {},
      ...options,
    });
    if (result.exitCode !== 0) throw repositoryError('restic snapshots', result);
    const snapshots = parseJsonObjects(result.stdout, 'restic snapshots').map(toSnapshot);
    return { snapshots, stderr: result.stderr };
  }

  /** One snapshot, from the repository itself and not from the local cache. */
  async catSnapshot(id: string, options?: Partial<CommandOptions>): Promise<ResticSnapshot> {
    const args = this.#argv(['cat', 'snapshot', '--no-cache', '--no-lock', id]);
    const result = await this.run(args, { patience: {}, ...options });
    if (result.exitCode !== 0) throw repositoryError(`restic cat snapshot ${id}`, result, 'BACKUP_UNPROVEN');
    return toSnapshot(asObject(parseJson(result.stdout, 'restic cat snapshot'), 'restic cat snapshot'));
  }

  /**
   * Snapshots by their full ids, from the repository itself as by `catSnapshot`, but with one process for all of them.
   * What cannot be read is left out.
   */
  async readSnapshots(ids: readonly string[], options?: Partial<CommandOptions>): Promise<ResticSnapshot[]> {
    const args = ['snapshots', '--json', '--no-cache', '--no-lock', '--', ...ids];
    return (await this.#list(args, options)).snapshots;
  }

  /**
   * One file of a snapshot, or a folder as an archive, as it comes. restic checks each blob by its hash.
   * @throws CephbackupError REPOSITORY_…, RESTIC_FAILED, or what `consumer` throws
   */
  async dump(
    id: string,
    file: string,
    consumer: (chunks: AsyncIterable<Uint8Array>) => Promise<void>,
    options: Partial<CommandOptions> & { noCache?: boolean; archive?: 'tar' | 'zip' } = {},
  ): Promise<void> {
    const { noCache = false, archive = 'tar', ...rest } = options;
    const args = [
      'dump',
      `--archive=${archive}`,
      this.retryLock,
      ...(noCache ? ['--no-cache'] : []),
      '--',
      id,
      file,
    ];
    const result = await this.run(this.#argv(args), { ...rest, output: consumer });
    if (result.exitCode !== 0) throw readError(`restic dump ${id.slice(0, 8)}`, result);
  }

  /** `restic restore` with its exit code still to be judged. It writes as root does: owners, modes, devices. */
  async restore(args: readonly string[], options: Partial<CommandOptions>): Promise<CommandResult> {
    const fixed = ['restore', '--json', this.retryLock];
    return this.run(this.#argv([...fixed, ...args]), { deadlineMs: unlimitedMs, ...options });
  }

  /** `restic ls` of a path, or of everything, as JSON lines, with its exit code still to be judged. */
  async list(id: string, path: string | null, options: Partial<CommandOptions>): Promise<CommandResult> {
    const what = path === null ? [] : [path];
    const args = ['ls', '--json', this.retryLock, '--', id, ...what];
    return this.run(this.#argv(args), { deadlineMs: unlimitedMs, ...options });
  }

  /** Any other command, with the limits of bandwidth; the exit code is the caller's to read. */
  async limited(args: readonly string[], options: Partial<CommandOptions> = {}): Promise<CommandResult> {
    return this.run(this.#argv(args), options);
  }

  /** `restic backup` with its exit code still to be judged; see `lib/repository/backup.ts`. */
  async backup(args: readonly string[], options: Partial<CommandOptions>): Promise<CommandResult> {
    const fixed = ['backup', '--json', '--no-scan', '--group-by=host,tags', this.retryLock];
    return this.run(this.#argv([...fixed, ...args]), options);
  }
}
