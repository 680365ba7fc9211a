import { cp, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { attempt, run, type RunResult } from './process.js';
import { makeKeyQuick } from './quick-key.js';
import { resticProgram } from './tools.js';

export type ResticEnvironment = Record<
  'RESTIC_REPOSITORY' | 'RESTIC_PASSWORD_FILE' | 'RESTIC_CACHE_DIR',
  string
>;

/** What `restic snapshots --json` says of each, as far as it is of use here. */
export interface ResticSnapshot {
  id: string;
  time: string;
  hostname: string;
  tags?: string[];
  paths: string[];
  parent?: string;
  tree: string;
}

/** A restic repository in a folder, and the restic that belongs to this checkout. */
export class Repository {
  private constructor(
    readonly folder: string,
    /** restic's own configuration, as a user would set it. */
    readonly env: ResticEnvironment,
  ) {}

  /**
   * Initializes an empty repository in the new folder `folder`.
   *
   * @param quick whether it is opened without the time that restic spends on passwords: for everything but measurements
   */
  static async create(folder: string, { password = 'sandbox', quick = false } = {}): Promise<Repository> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const repository = new Repository(folder, environmentIn(folder));
    await writeFile(repository.env.RESTIC_PASSWORD_FILE, `${password}\n`, { mode: 0o600 });
    await repository.restic('init', '--quiet');
    if (quick) await makeKeyQuick(repository.env.RESTIC_REPOSITORY, password);
    return repository;
  }

  /** As it is now, in the new folder `folder`. With the same key, opening the one costs what opening the other does. */
  async copy(folder: string): Promise<Repository> {
    await cp(this.folder, folder, { recursive: true });
    return new Repository(folder, environmentIn(folder));
  }

  /** @throws Error unless restic exits 0 */
  restic(...args: string[]): Promise<string> {
    return run(resticProgram, args, { env: this.env, timeout: 600_000 });
  }

  attempt(...args: string[]): Promise<RunResult> {
    return attempt(resticProgram, args, { env: this.env, timeout: 600_000 });
  }

  /** All of them, oldest first; `filter` are restic's own options. */
  async snapshots(...filter: string[]): Promise<ResticSnapshot[]> {
    const output = await this.restic('snapshots', '--json', ...filter);
    return JSON.parse(output) as ResticSnapshot[];
  }

  async locks(): Promise<string[]> {
    const output = await this.restic('list', 'locks', '--no-lock', '--quiet');
    return output.split('\n').filter((line) => line !== '');
  }

  /** Restores a snapshot (or `ID:PATH` of it) by restic alone, as somebody without cephbackup would. */
  async restore(snapshot: string, target: string): Promise<void> {
    await this.restic('restore', snapshot, '--quiet', '--sparse', '--target', target);
  }
}

function environmentIn(folder: string): ResticEnvironment {
  return {
    RESTIC_REPOSITORY: path.join(folder, 'repository'),
    RESTIC_PASSWORD_FILE: path.join(folder, 'password'),
    RESTIC_CACHE_DIR: path.join(folder, 'cache'),
  };
}
