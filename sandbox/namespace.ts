import { readFile } from 'node:fs/promises';
import { serverCommand } from '../lib/tools/node/namespace.js';
import { Daemon, attempt, run, type RunOptions, type RunResult } from './process.js';

/**
 * A private mount namespace: what is mounted in it is seen by nobody else, and is gone when it is, however that ends.
 * (A slave: what others unmount goes here, too, and is not held.)
 * Its files can be reached from outside by `path`.
 */
export class MountNamespace {
  private constructor(private readonly holder: Daemon) {}

  static async create(): Promise<MountNamespace> {
    const command = ['--mount', '--propagation', 'slave', '--'];
    // Says why, where it cannot be done.
    await run('unshare', [...command, 'true']);
    const holder = new Daemon('mount namespace', 'unshare', [...command, 'sleep', 'infinity'], '/dev/null');
    const { pid } = holder;
    // unshare becomes sleep when the namespace is complete.
    await holder.until(async () => (await readFile(`/proc/${pid}/comm`, 'utf8')) === 'sleep\n');
    return new MountNamespace(holder);
  }

  get pid(): number {
    return this.holder.pid;
  }

  /** The absolute `file` of this namespace, as seen from outside. */
  path(file: string): string {
    return `/proc/${this.pid}/root${file}`;
  }

  run(program: string, args: readonly string[], options?: RunOptions): Promise<string> {
    return run('nsenter', this.#enter(program, args), options);
  }

  attempt(program: string, args: readonly string[], options?: RunOptions): Promise<RunResult> {
    return attempt('nsenter', this.#enter(program, args), options);
  }

  daemon(name: string, args: readonly string[], log: string, env: Record<string, string> = {}): Daemon {
    return new Daemon(name, 'nsenter', this.#enter(name, args), log, env);
  }

  /**
   * A program that serves files which are mounted here, as `serverCommand` runs it. Of what it mounts, this namespace sees
   * only what is below `folder`.
   */
  async server(
    name: string,
    args: readonly string[],
    { folder, log, env }: { folder: string; log: string; env: Record<string, string> },
  ): Promise<Daemon> {
    await this.run('mount', ['--bind', '--make-shared', folder, folder]);
    return new Daemon(name, 'nsenter', this.#enter(...serverCommand(name, args)), log, env);
  }

  /** @param text to be found in /proc/mounts */
  async mounted(text: string): Promise<boolean> {
    return (await readFile(`/proc/${this.pid}/mounts`, 'utf8')).includes(text);
  }

  async close(): Promise<void> {
    await this.holder.stop('SIGKILL');
  }

  #enter(program: string, args: readonly string[]): string[] {
    return [`--mount=/proc/${this.pid}/ns/mnt`, '--', program, ...args];
  }
}
