import { cephError, connectionArguments, type CephConnection } from './connection.js';
import { readStatus, type CephStatus } from './status.js';
import { expectReadableKey } from './unreadable-key.js';
import type { CommandOptions, Exec } from '../process/exec.js';
import { numberField, parseJsonObjects, stringField } from '../process/json.js';
import { Once } from '../../waiting/once.js';
import { queryDeadlineMs } from '../../waiting/deadline.js';

/** The `ceph` program with one connection. */
export class Ceph {
  #pools: ReadonlyMap<number, string> = new Map();
  readonly #status = new Once<CephStatus>();

  constructor(
    private readonly exec: Exec,
    readonly connection: CephConnection,
  ) {}

  /** Runs a command and returns what it printed as JSON text. @throws CephbackupError COMMAND_FAILED … */
  async json(args: readonly string[], options: Partial<CommandOptions> = {}): Promise<string> {
    const argv = [...connectionArguments(this.connection), ...args, '--format', 'json'];
    const result = expectReadableKey(
      this.connection,
      await this.exec('ceph', argv, { deadlineMs: queryDeadlineMs, patience: {}, ...options }),
    );
    if (result.exitCode !== 0)
      throw cephError('COMMAND_FAILED', `ceph ${args.slice(0, 3).join(' ')}`, result);
    return result.stdout;
  }

  /** The cluster's own id and what it warns of, as its monitors say. Asked once; again where the answer failed. */
  status(options: Partial<CommandOptions> = {}): Promise<CephStatus> {
    return this.#status.get(async () => readStatus(await this.json(['status'], options)), options.signal);
  }

  /** The pool with a numeric id, or null. Asked once; again where it was not there, or the answer failed. */
  async poolName(id: number, options: Partial<CommandOptions> = {}): Promise<string | null> {
    const known = this.#pools.get(id);
    if (known !== undefined) return known;
    this.#pools = await this.pools(options);
    return this.#pools.get(id) ?? null;
  }

  /** Pool names by their numeric id. */
  async pools(options: Partial<CommandOptions> = {}): Promise<Map<number, string>> {
    const pools = parseJsonObjects(await this.json(['osd', 'lspools'], options), 'ceph osd lspools');
    return new Map(
      pools.map((pool) => [
        numberField(pool, 'poolnum', 'ceph osd lspools'),
        stringField(pool, 'poolname', 'ceph osd lspools'),
      ]),
    );
  }
}
