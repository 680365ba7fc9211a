import type { ErrorCode } from '../errors/catalogue.js';
import { asCephbackupError, CephbackupError } from '../errors/error.js';
import type { Logger } from '../log/logger.js';
import type { PlannedVolume } from '../plan/types.js';
import { pause, persist, type Patience } from '../waiting/persist.js';
import { unlessAborted } from '../waiting/within.js';

/** What may keep every volume of a cluster, or every volume, from being backed up. */
export interface GateRequest {
  signal: AbortSignal;
  /** False while the lease cannot be renewed. */
  mayBegin: () => boolean;
  /** Asks the cluster of a volume for something small. @throws CephbackupError CEPH_UNREACHABLE where it does not answer */
  probeCluster: (volume: PlannedVolume) => Promise<void>;
  /** Asks the repository for something small. @throws CephbackupError REPOSITORY_… */
  probeRepository: () => Promise<void>;
  /** How long, and how often, what does not answer is asked again. */
  outage: Patience;
  log: Logger;
}

/** What one volume meets, every other of its cluster would, too. */
const clusterIsOut = new Set<ErrorCode>(['CEPH_UNREACHABLE', 'CEPH_KEY_UNREADABLE']);
/** These pass by themselves; of everything else that is wrong with a cluster or repository, one answer is enough. */
const passing = new Set<ErrorCode>(['REPOSITORY_UNREACHABLE', 'REPOSITORY_LOCKED']);
const passes = ({ code, retryable }: CephbackupError) =>
  passing.has(code) || (code === 'CEPH_UNREACHABLE' && retryable);
const leasePollMs = 250;

/**
 * Decides whether a volume may still be begun. A dead repository or cluster is not asked once per volume: the volumes
 * wait while it is asked now and then, and begin as soon as it answers.
 */
export class Gate {
  readonly #repository: Door;
  readonly #clusters = new Map<string, Door>();
  #leaseTold = false;

  constructor(private readonly request: GateRequest) {
    this.#repository = new Door('the repository', request);
  }

  /** Waits while that is not decided. Null where the volume may begin, else why it may not. Never rejects. */
  async admit(volume: PlannedVolume): Promise<CephbackupError | null> {
    const { signal, mayBegin } = this.request;
    const cluster = this.#clusterOf(volume);
    try {
      for (;;) {
        signal.throwIfAborted();
        await this.#leaseIsRenewed();
        const refused =
          (await unlessAborted(this.#repository.verdict, signal)) ??
          (await unlessAborted(cluster.verdict, signal));
        if (refused !== null) return refused;
        if (mayBegin() && this.#repository.open && cluster.open) return null;
      }
    } catch (thrown) {
      return thrown instanceof CephbackupError ? thrown : new CephbackupError('CANCELLED', 'stopped');
    }
  }

  /**
   * Waits while the cluster of a volume is asked again; whether it answers, as far as anybody has noticed. False also
   * where the run is to end.
   */
  async answers(volume: PlannedVolume): Promise<boolean> {
    const { signal } = this.request;
    if (signal.aborted) return false;
    return unlessAborted(this.#clusterOf(volume).verdict, signal).then(
      (refused) => refused === null,
      () => false,
    );
  }

  /** What a volume has met may concern others. */
  learn(volume: PlannedVolume, error: CephbackupError): void {
    if (clusterIsOut.has(error.code)) {
      this.#clusterOf(volume).shut(error, () => this.request.probeCluster(volume));
    } else if (error.code.startsWith('REPOSITORY_')) {
      this.#repository.shut(error, () => this.request.probeRepository());
    } else if (error.code === 'NOT_ATTEMPTED') {
      // Given up because the repository could not be opened, for which it was waited already.
      this.#repository.close(asCephbackupError(error.cause));
    }
  }

  /** A lease that is not renewed is lost within seconds, which aborts the run, or renewed. */
  async #leaseIsRenewed(): Promise<void> {
    const { mayBegin, signal, log } = this.request;
    if (mayBegin()) return;
    if (!this.#leaseTold) log.warn('waiting: the lease cannot be renewed; no new volume is begun');
    this.#leaseTold = true;
    while (!mayBegin()) await pause(leasePollMs, signal);
    this.#leaseTold = false;
  }

  #clusterOf({ details, source }: PlannedVolume): Door {
    const key = JSON.stringify([source?.cluster ?? null, details?.monitors ?? null]);
    const door =
      this.#clusters.get(key) ?? new Door(`the Ceph cluster ${source?.cluster ?? ''}`.trim(), this.request);
    this.#clusters.set(key, door);
    return door;
  }
}

/** Open; or shut, while what is behind it is asked whether it answers again; or closed for good. */
class Door {
  open = true;
  /** What waiting at the door comes to: null where it is open again. */
  verdict: Promise<CephbackupError | null> = Promise.resolve(null);
  #closed = false;

  constructor(
    private readonly name: string,
    private readonly request: GateRequest,
  ) {}

  shut(error: CephbackupError, probe: () => Promise<void>): void {
    if (!this.open) return;
    if (!passes(error)) {
      this.close(error);
      return;
    }
    this.open = false;
    this.request.log.warn(`waiting: ${this.name} does not answer; no new volume is begun there`, {
      reason: error.message,
    });
    this.verdict = this.#ask(error, probe);
  }

  close(error: CephbackupError): void {
    if (this.#closed) return;
    this.open = false;
    this.#closed = true;
    this.verdict = Promise.resolve(error);
  }

  async #ask(first: CephbackupError, probe: () => Promise<void>): Promise<CephbackupError | null> {
    const { outage, signal, log } = this.request;
    let last = first;
    const attempt = async (): Promise<boolean> => {
      try {
        await probe();
        return true;
      } catch (thrown) {
        last = asCephbackupError(thrown);
        return false;
      }
    };
    // No sooner than a pause after the failure that has shut the door.
    if (outage.patienceMs > 0)
      await pause(Math.min(outage.intervalMs, outage.patienceMs), signal).catch(() => undefined);
    const answers =
      outage.patienceMs > 0 &&
      (await persist(
        attempt,
        ({ end, elapsedMs }) =>
          (end.ok && end.value) || signal.aborted || !passes(last) || elapsedMs >= outage.patienceMs
            ? null
            : outage.intervalMs,
        signal,
      ).catch(() => false));
    if (answers) {
      log.info(`${this.name} answers again`);
      this.open = true;
      return null;
    }
    this.#closed = true;
    return last;
  }
}
