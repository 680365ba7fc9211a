import { CephbackupError } from '../../errors/error.js';
import type { Ceph } from './ceph.js';
import { cephError, connectionArguments, errno, type CephConnection } from './connection.js';
import { expectReadableKey } from './unreadable-key.js';
import type { CommandOptions, CommandResult, Exec } from '../process/exec.js';
import { lastLine } from '../process/outcome.js';
import { asObject, numberField, parseJson, parseJsonObjects, stringField } from '../process/json.js';
import { Once } from '../../waiting/once.js';
import { finishingMs, queryDeadlineMs } from '../../waiting/deadline.js';

export interface Filesystem {
  /** Ceph's numeric id (fscid), as volume handles carry it. */
  id: number;
  name: string;
  /** Whether a metadata server is active for each of its ranks. */
  available: boolean;
}

export interface Filesystems {
  all: Filesystem[];
  /** What a client gets that names none. */
  defaultId: number | null;
}

export interface SubvolumeSpec {
  fs: string;
  /** Null for subvolumes without a group. */
  group: string | null;
  subvolume: string;
}

/** Names that cannot be taken for an option or another place by any Ceph tool. */
const safeName = /^[A-Za-z0-9_.+=:][A-Za-z0-9_.+=:@-]*$/;

/** A spec out of names that a PersistentVolume gives. @throws CephbackupError SOURCE_NAME_INVALID */
export function subvolumeSpec(fs: string, group: string | null, subvolume: string): SubvolumeSpec {
  for (const name of [fs, subvolume, ...(group === null ? [] : [group])]) {
    if (safeName.test(name) && name !== '.' && name !== '..') continue;
    throw new CephbackupError(
      'SOURCE_NAME_INVALID',
      `not a name of a filesystem, group or subvolume: ${JSON.stringify(name)}`,
    );
  }
  return { fs, group, subvolume };
}

/** `fs/group/subvolume`. */
export function formatSubvolume({ fs, group, subvolume }: SubvolumeSpec): string {
  return [fs, ...(group === null ? [] : [group]), subvolume].join('/');
}

/**
 * `ceph fs …` with one connection. Each call starts a Python program and most wait for the manager, which works on
 * one command at a time: use few.
 */
export class CephFs {
  readonly #filesystems = new Once<Filesystems>();
  readonly #waiting = new Map<string, Once<Filesystems>>();
  /** Those that were waited for in vain. */
  readonly #away = new Set<string>();

  constructor(
    private readonly exec: Exec,
    readonly ceph: Ceph,
  ) {}

  get connection(): CephConnection {
    return this.ceph.connection;
  }

  async #run(args: readonly string[], options: Partial<CommandOptions> = {}): Promise<CommandResult> {
    const argv = [...connectionArguments(this.connection), ...args];
    return expectReadableKey(
      this.connection,
      await this.exec('ceph', argv, { deadlineMs: queryDeadlineMs, patience: {}, ...options }),
    );
  }

  /** Asked once; asked again if it failed, or if a filesystem was not available. */
  filesystems(options: Partial<CommandOptions> = {}): Promise<Filesystems> {
    const areAvailable = ({ all }: Filesystems) => all.every(({ available }) => available);
    return this.#filesystems.get(() => this.#readFilesystems(options), options.signal, areAvailable);
  }

  /**
   * Waits while a filesystem has no active metadata server, as after a failover: once for all who ask, and once in vain,
   * after which it is only looked at until it is there again.
   */
  async available(fs: string, options: Partial<CommandOptions> = {}): Promise<boolean> {
    const isThere = ({ all }: Filesystems) => all.some(({ name, available }) => name === fs && available);
    if (isThere(await this.filesystems(options))) {
      this.#away.delete(fs);
      return true;
    }
    if (this.#away.has(fs)) return false;
    const waiting = this.#waiting.get(fs) ?? new Once<Filesystems>();
    this.#waiting.set(fs, waiting);
    const ask = () => this.#readFilesystems({ ...options, patience: { passes } });
    const passes = (result: CommandResult) =>
      result.exitCode === 0 && !isThere(toFilesystems(result))
        ? `the filesystem ${fs} has no metadata server that is active`
        : null;
    const there = isThere(await waiting.get(ask, options.signal, () => false));
    if (!there) this.#away.add(fs);
    return there;
  }

  async #readFilesystems(options?: Partial<CommandOptions>): Promise<Filesystems> {
    const result = await this.#run(['fs', 'dump', '--format', 'json'], options);
    if (result.exitCode !== 0) throw cephfsError('COMMAND_FAILED', fsDump, result);
    return toFilesystems(result);
  }

  /** The directory of a subvolume within its filesystem. @throws CephbackupError SUBVOLUME_NOT_FOUND … */
  async subvolumePath(spec: SubvolumeSpec, options?: Partial<CommandOptions>): Promise<string> {
    const { fs, subvolume } = spec;
    const result = await this.#run(['fs', 'subvolume', 'getpath', fs, subvolume, ...inGroup(spec)], options);
    const path = result.stdout.trim();
    if (result.exitCode === 0 && path.startsWith('/')) return path;
    throw cephfsError('COMMAND_FAILED', `path of subvolume ${formatSubvolume(spec)}`, result);
  }

  /** Names of the subvolumes of a group; none where there is no such group. @throws CephbackupError CEPHFS_NOT_FOUND … */
  async subvolumes(fs: string, group: string | null, options?: Partial<CommandOptions>): Promise<string[]> {
    const what = `ceph fs subvolume ls ${fs}`;
    const where = inGroup({ fs, group, subvolume: '' });
    const result = await this.#run(['fs', 'subvolume', 'ls', fs, ...where, '--format', 'json'], options);
    if (result.exitCode === 0)
      return parseJsonObjects(result.stdout, what).map((entry) => stringField(entry, 'name', what));
    const error = cephfsError('COMMAND_FAILED', what, result);
    if (error.code === 'SUBVOLUME_NOT_FOUND') return [];
    throw error;
  }

  /**
   * Succeeds, without doing anything, where a snapshot of that name exists: look before, and after.
   * @throws CephbackupError SNAPSHOT_FAILED, SNAPSHOT_IMPOSSIBLE, SNAPSHOT_LIMIT, SUBVOLUME_NOT_FOUND …
   */
  async createSnapshot(
    spec: SubvolumeSpec,
    snapshot: string,
    options?: Partial<CommandOptions>,
  ): Promise<void> {
    const { fs, subvolume } = spec;
    const args = ['fs', 'subvolume', 'snapshot', 'create', fs, subvolume, snapshot, ...inGroup(spec)];
    const result = await this.#run(args, { finishMs: finishingMs, ...options });
    if (result.exitCode === 0) return;
    const what = `snapshot of ${formatSubvolume(spec)}`;
    // The manager may do everything there: it is the filesystem that takes none. Who may not ask it gets EACCES.
    if (result.exitCode === errno.EPERM && result.stderr.includes('error in mkdir'))
      throw new CephbackupError('SNAPSHOT_IMPOSSIBLE', `${what}: ${lastLine(result.stderr)}`);
    throw cephfsError('SNAPSHOT_FAILED', what, result);
  }

  /**
   * Succeeds where the snapshot, or its subvolume, does not exist. A subvolume that was removed with
   * `--retain-snapshots` goes with its last snapshot.
   */
  async removeSnapshot(
    spec: SubvolumeSpec,
    snapshot: string,
    options?: Partial<CommandOptions>,
  ): Promise<void> {
    const { fs, subvolume } = spec;
    const args = ['fs', 'subvolume', 'snapshot', 'rm', fs, subvolume, snapshot, ...inGroup(spec)];
    const result = await this.#run(args, { finishMs: finishingMs, ...options });
    if (result.exitCode === 0 || result.exitCode === errno.ENOENT) return;
    throw cephfsError('COMMAND_FAILED', `removal of snapshot ${formatSubvolume(spec)}@${snapshot}`, result);
  }
}

function inGroup({ group }: SubvolumeSpec): string[] {
  return group === null ? [] : ['--group_name', group];
}

const fsDump = 'ceph fs dump';

/** @throws CephbackupError COMMAND_OUTPUT_INVALID */
function toFilesystems({ stdout }: CommandResult): Filesystems {
  const dump = asObject(parseJson(stdout, fsDump), fsDump);
  if (!Array.isArray(dump.filesystems)) {
    throw new CephbackupError('COMMAND_OUTPUT_INVALID', `${fsDump}: no list of filesystems`);
  }
  const { default_fscid: defaultId } = dump;
  return {
    all: dump.filesystems.map((entry) => toFilesystem(asObject(entry, fsDump), fsDump)),
    defaultId: typeof defaultId === 'number' && defaultId >= 0 ? defaultId : null,
  };
}

/** Format: `ceph fs dump`, the FSMap. */
function toFilesystem(entry: Record<string, unknown>, what: string): Filesystem {
  const map = asObject(entry.mdsmap, what);
  const daemons = Object.values(asObject(map.info ?? {}, what)).map((daemon) => asObject(daemon, what));
  const active = daemons.filter(({ state }) => state === 'up:active').length;
  const ranks = Array.isArray(map.in) ? map.in.length : 1;
  return {
    id: numberField(entry, 'id', what),
    name: stringField(map, 'fs_name', what),
    available: active >= Math.max(ranks, 1),
  };
}

/** mkdir in a `.snap` that is full (`mds_max_snaps_per_dir`). */
const tooManyLinks = 31;

/** A failed `ceph fs` command as the error it means for a volume. */
function cephfsError(
  fallback: 'SNAPSHOT_FAILED' | 'COMMAND_FAILED',
  what: string,
  result: CommandResult,
): CephbackupError {
  const { exitCode, stderr } = result;
  const message = `${what}: ${lastLine(stderr)} (exit code ${exitCode})`;
  if (exitCode === errno.ENOENT) {
    // `FS 'x' not found`, `Volume 'x' not found`; else it is the group or the subvolume.
    const missing = /(FS|volume) '.*' not found/i.test(stderr) ? 'CEPHFS_NOT_FOUND' : 'SUBVOLUME_NOT_FOUND';
    return new CephbackupError(missing, message);
  }
  if (exitCode === tooManyLinks) return new CephbackupError('SNAPSHOT_LIMIT', message);
  const error = cephError(fallback, what, result);
  return error.code === 'CEPH_FORBIDDEN' ? forbidden(message) : error;
}

/** The user may not do what a backup of CephFS needs. */
export function forbidden(message: string): CephbackupError {
  return new CephbackupError('CEPH_FORBIDDEN', message, {
    guidance:
      'Give the Ceph user the capabilities that docs/cephfs.md lists, e.g. `ceph auth caps client.USER mon "allow r" mgr "allow rw" mds "allow rws fsname=FS" osd "allow r tag cephfs data=FS"`.',
  });
}
