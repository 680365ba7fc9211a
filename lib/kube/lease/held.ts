import { setTimeout as sleep } from 'node:timers/promises';
import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import { printable, type Logger } from '../../log/logger.js';
import type { RequestOptions } from '../api.js';
import type { Clock } from '../clock.js';
import { leave, microTime, readRecord, renew, take, type LeaseRecord } from './record.js';
import type { LeaseStore } from './store.js';
import type { Lease, LeaseTimings } from './acquire.js';
import { PeerWatch } from './peer-watch.js';

export interface HeldLeaseParts {
  store: LeaseStore;
  /** As it was written when the lease was acquired. */
  record: LeaseRecord & { holder: string; runId: string };
  member: string;
  /** Monotonic, before that was sent. */
  renewedAt: number;
  clock: Clock;
  timings: LeaseTimings;
  log: Logger;
}

const longestStepMs = 100;

/** A lease that renews itself until it is released or lost. */
export class HeldLease implements Lease {
  readonly runId: string;
  readonly holder: string;
  readonly ordinal: number;
  readonly lost: AbortSignal;
  readonly #loss = new AbortController();
  readonly #stop = new AbortController();
  readonly #renewing: Promise<void>;
  readonly #peers: PeerWatch;
  #renewedAt: number;
  #expiry: NodeJS.Timeout | undefined;
  #releasing: Promise<void> | undefined;

  constructor(private readonly parts: HeldLeaseParts) {
    const { record, member, clock, timings } = parts;
    this.runId = record.runId;
    this.holder = record.holder;
    this.ordinal = record.members[member]?.ordinal ?? 0;
    this.lost = this.#loss.signal;
    this.#peers = new PeerWatch(member, timings.duration, clock);
    this.#peers.observe(record);
    this.#renewedAt = parts.renewedAt;
    this.#watchExpiry();
    this.#renewing = this.#keepRenewing();
  }

  healthy(): boolean {
    return !this.lost.aborted && this.#silenceMs() < this.parts.timings.unhealthy;
  }

  release(): Promise<void> {
    this.#releasing ??= this.#release();
    return this.#releasing;
  }

  /** Since the last renewal that is known to have succeeded was sent. */
  #silenceMs(): number {
    return this.parts.clock.monotonic() - this.#renewedAt;
  }

  async #keepRenewing(): Promise<void> {
    const { timings, log } = this.parts;
    let delay = timings.renewal;
    while (await this.#waited(delay)) {
      try {
        await this.#renew();
        delay = timings.renewal;
      } catch (thrown) {
        if (this.#stop.signal.aborted) return;
        const error = asCephbackupError(thrown);
        if (error.code === 'LEASE_LOST') {
          this.#lose(error);
          return;
        }
        const seconds = Math.round(this.#silenceMs() / 1000);
        log.warn(`the lease could not be renewed for ${seconds} s: ${error.message}`);
        delay = timings.retry;
      }
    }
  }

  /** False where the lease was released or lost meanwhile. */
  async #waited(milliseconds: number): Promise<boolean> {
    await sleep(milliseconds, undefined, { signal: this.#stop.signal, ref: false }).catch(() => undefined);
    return !this.#stop.signal.aborted;
  }

  /** @throws CephbackupError LEASE_LOST where somebody else holds it; as KubeApi where it is not known who does */
  async #renew(): Promise<void> {
    const { store, member, clock } = this.parts;
    for (;;) {
      const lease = await store.read(this.#request(this.#stop.signal));
      const now = microTime(clock.now());
      const next =
        lease === null
          ? take(null, this.holder, this.runId, member, now)
          : renew(this.#ours(readRecord(lease)), member, now, this.#peers.dead());
      const sent = clock.monotonic();
      if (!(await store.write(lease, next, this.#request(this.#stop.signal)))) {
        // Members of one run write to the same Lease: not all at once again.
        await this.#waited(Math.random() * longestStepMs);
        continue;
      }
      this.#renewedAt = sent;
      this.#watchExpiry();
      return;
    }
  }

  /** The record if it is of our run, also where somebody has freed it under us. @throws CephbackupError LEASE_LOST */
  #ours(record: LeaseRecord): LeaseRecord {
    if (record.runId === this.runId && (record.holder === null || record.holder === this.holder)) {
      this.#peers.observe(record);
      return { ...record, holder: this.holder };
    }
    const other = printable(record.holder ?? 'another run, which has ended,');
    throw new CephbackupError(
      'LEASE_LOST',
      `the lease was taken over: ${other} has it since ${record.acquired ?? '?'}`,
    );
  }

  /** One attempt: waiting and trying again is this class's own business. */
  #request(signal: AbortSignal): RequestOptions {
    return { signal, timeoutMs: this.parts.timings.request, patienceMs: 0 };
  }

  #watchExpiry(): void {
    const { duration } = this.parts.timings;
    clearTimeout(this.#expiry);
    this.#expiry = setTimeout(() => {
      const seconds = Math.round(duration / 1000);
      this.#lose(new CephbackupError('LEASE_LOST', `the lease could not be renewed for ${seconds} s`));
    }, duration - this.#silenceMs());
    this.#expiry.unref();
  }

  #lose(error: CephbackupError): void {
    clearTimeout(this.#expiry);
    this.#stop.abort();
    this.#loss.abort(error);
  }

  async #release(): Promise<void> {
    const { timings, log } = this.parts;
    clearTimeout(this.#expiry);
    this.#stop.abort();
    await this.#renewing;
    const deadline = AbortSignal.timeout(timings.release);
    for (;;) {
      try {
        if (await this.#leave(deadline)) return;
      } catch (thrown) {
        if (deadline.aborted || !asCephbackupError(thrown).retryable) {
          const { message } = asCephbackupError(thrown);
          log.warn(`the lease could not be released, and expires by itself: ${message}`);
          return;
        }
        await sleep(timings.retry, undefined, { signal: deadline }).catch(() => undefined);
      }
    }
  }

  /** False where somebody else wrote at the same time. */
  async #leave(signal: AbortSignal): Promise<boolean> {
    const { store, member } = this.parts;
    const lease = await store.read(this.#request(signal));
    if (lease === null) return true;
    const record = readRecord(lease);
    const ours = record.runId === this.runId && record.holder === this.holder;
    if (!ours || record.members[member] === undefined) return true;
    this.#peers.observe(record);
    return store.write(lease, leave(record, member, this.#peers.dead()), this.#request(signal));
  }
}
