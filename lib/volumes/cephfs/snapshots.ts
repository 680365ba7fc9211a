import { CephbackupError } from '../../errors/error.js';
import { forbidden } from '../../tools/ceph/fs.js';
import type { Environment } from '../../tools/process/environment.js';
import type { CommandOptions, Exec, NamespaceRef } from '../../tools/process/exec.js';
import { lastLine } from '../../tools/process/outcome.js';
import { clientDirectory } from './client.js';
import { queryDeadlineMs } from '../../waiting/deadline.js';

/** The `.snap` of the mounted directory. Only children touch the mount: a hanging one must not block this program. */
export class SnapshotDirectory {
  readonly path = snapshotsOf('');

  constructor(
    private readonly exec: Exec,
    private readonly namespace: NamespaceRef,
    private readonly env: Environment,
  ) {}

  /**
   * The names in a directory of the mount, `.snap` itself by default. Reads them without looking at what they name:
   * ceph-fuse would number each snapshot that it meets, and the kernel would remember for ever which do not exist.
   *
   * @param of a directory of the mount; by default the mount itself
   */
  async list(below = '', options: Partial<CommandOptions> = {}, of = ''): Promise<string[]> {
    const directory = below === '' ? snapshotsOf(of) : `${snapshotsOf(of)}/${below}`;
    const result = await this.#run('ls', ['-a', '-U', '-1', '--', directory], options);
    const names = result.stdout.split('\n').filter((name) => name !== '');
    // Every directory has itself: a list without it is none.
    if (result.exitCode === 0 && names.includes('.'))
      return names.filter((name) => name !== '.' && name !== '..');
    if (result.exitCode === 0)
      throw new CephbackupError(
        'COMMAND_OUTPUT_INVALID',
        `list of snapshots: ls printed none of ${directory}`,
      );
    throw new CephbackupError('COMMAND_FAILED', `list of snapshots: ${lastLine(result.stderr)}`);
  }

  async isDirectory(below: string, options: Partial<CommandOptions> = {}, of = ''): Promise<boolean> {
    const args = ['--format=%F', '--', `${snapshotsOf(of)}/${below}`];
    const { exitCode, stdout } = await this.#run('stat', args, options);
    return exitCode === 0 && stdout.trim() === 'directory';
  }

  /** @throws CephbackupError SNAPSHOT_IMPOSSIBLE, SNAPSHOT_LIMIT, CEPH_FORBIDDEN, SNAPSHOT_FAILED */
  async make(name: string, options: Partial<CommandOptions> = {}): Promise<void> {
    const result = await this.#run('mkdir', ['--', `${this.path}/${name}`], options);
    if (result.exitCode === 0) return;
    const message = `snapshot by mkdir: ${lastLine(result.stderr)}`;
    if (result.stderr.includes('Operation not permitted'))
      throw new CephbackupError('SNAPSHOT_IMPOSSIBLE', message);
    if (result.stderr.includes('Permission denied')) throw forbidden(message);
    if (result.stderr.includes('Too many links')) throw new CephbackupError('SNAPSHOT_LIMIT', message);
    if (/quota exceeded|No space left/.test(result.stderr)) throw new CephbackupError('POOL_FULL', message);
    throw new CephbackupError('SNAPSHOT_FAILED', message);
  }

  /** Succeeds where it does not exist. @param of a directory of the mount; by default the mount itself */
  async remove(name: string, options: Partial<CommandOptions> = {}, of = ''): Promise<void> {
    const result = await this.#run('rmdir', ['--', `${snapshotsOf(of)}/${name}`], options);
    if (result.exitCode === 0 || result.stderr.includes('No such file or directory')) return;
    throw new CephbackupError('COMMAND_FAILED', `removal of snapshot ${name}: ${lastLine(result.stderr)}`);
  }

  #run(program: string, args: readonly string[], options: Partial<CommandOptions>) {
    return this.exec(program, args, {
      deadlineMs: queryDeadlineMs,
      ...options,
      env: this.env,
      namespace: this.namespace,
    });
  }
}

/** The `.snap` of a directory of the mount; of the mount itself where that is empty. */
function snapshotsOf(directory: string): string {
  return directory === '' ? `${clientDirectory}/.snap` : `${clientDirectory}/${directory}/.snap`;
}
