import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import { printable, type Logger } from '../../log/logger.js';
import type { KubeApi, RequestOptions } from '../api.js';
import { systemClock, type Clock } from '../clock.js';
import { hasStatus } from '../errors.js';
import { HeldLease } from './held.js';
import { microTime, readRecord, renew, take, type LeaseObject, type LeaseRecord } from './record.js';
import { leaseName, LeaseStore } from './store.js';

/** All in milliseconds. */
export interface LeaseTimings {
  /** Whoever is silent for so long has lost the lease. */
  duration: number;
  /** Between renewals. */
  renewal: number;
  /** After so long without a renewal nothing new is begun. */
  unhealthy: number;
  /** Between two looks at somebody else's lease. */
  poll: number;
  /** One request may take so long. */
  request: number;
  /** After a failure, before the next attempt. */
  retry: number;
  /** A release may take so long. */
  release: number;
}

export const defaultTimings: LeaseTimings = {
  duration: 60_000,
  renewal: 15_000,
  unhealthy: 45_000,
  poll: 2_000,
  request: 5_000,
  retry: 1_000,
  release: 10_000,
};

export interface LeaseOptions {
  api: KubeApi;
  namespace: string;
  /** Shared by all members of one run; null where this process is a run of its own. */
  group: string | null;
  /** Names this process among the members; need not be unique. */
  member: string;
  hostname: string;
  /** Ends the waiting for the lease, not the lease. */
  signal: AbortSignal;
  log: Logger;
  clock?: Clock;
  timings?: Partial<LeaseTimings>;
}

/** The right to be the one run of this installation, or one of its members. */
export interface Lease {
  /** 8 hex digits, the same for all members of a run. */
  readonly runId: string;
  readonly holder: string;
  /** Unlike any other member's of this run, also of those that died: 0 for the first one. */
  readonly ordinal: number;
  /** Aborted, with LEASE_LOST as its reason, once somebody else may hold the lease. */
  readonly lost: AbortSignal;
  /** Whether something new may be begun. */
  healthy(): boolean;
  /** Bounded, and never throws. */
  release(): Promise<void>;
}

/**
 * Takes the lease `cephbackup` of a namespace: at once where it is free or held by the same group, else after nobody
 * has renewed it for 60 s by this machine's own monotonic clock. Clocks of two machines are never compared.
 *
 * @throws CephbackupError RUN_IN_PROGRESS where a holder shows that it lives; else as KubeApi
 */
export async function acquireLease(options: LeaseOptions): Promise<Lease> {
  const timings = { ...defaultTimings, ...options.timings };
  const { api, namespace, signal } = options;
  const store = new LeaseStore(api, namespace, Math.max(1, Math.ceil(timings.duration / 1000)));
  const contender = new Contender(store, options, timings);
  for (;;) {
    signal.throwIfAborted();
    const lease = await contender.attempt();
    if (lease !== null) return lease;
  }
}

/** Somebody else's lease, as it was first seen. */
interface Watched {
  version: string;
  /** Monotonic, after the answer had come. */
  since: number;
}

class Contender {
  readonly #clock: Clock;
  readonly #newRun = randomBytes(4).toString('hex');
  readonly #identity: string;
  /** Unique even where two members have one host's name. */
  readonly #member: string;
  #watched: Watched | null = null;
  #troubleSince: number | null = null;

  constructor(
    private readonly store: LeaseStore,
    private readonly options: LeaseOptions,
    private readonly timings: LeaseTimings,
  ) {
    this.#clock = options.clock ?? systemClock;
    this.#identity = options.group ?? `${options.hostname}_${this.#newRun}`;
    this.#member = `${options.member}_${randomBytes(4).toString('hex')}`;
  }

  /** One look at the lease and what follows from it. Null: look again. */
  async attempt(): Promise<Lease | null> {
    const { signal, log } = this.options;
    const asked = this.#clock.monotonic();
    const lease = await this.store.read(this.#request());
    const before = lease === null ? null : readRecord(lease);
    if (lease !== null && before !== null && this.#isForeign(before) && !this.#isDead(lease, before, asked)) {
      this.#troubleSince = null;
      await pause(this.timings.poll, signal);
      return null;
    }
    const record = this.#claim(before);
    const started = this.#clock.monotonic();
    if (!(await this.#write(lease, record))) return null;
    if (before !== null && this.#isForeign(before)) {
      log.warn(`took over the lease of a run that has not renewed it: ${printable(before.holder ?? '')}`);
    }
    return new HeldLease({
      store: this.store,
      record: { ...record, holder: this.#identity, runId: record.runId ?? this.#newRun },
      member: this.#member,
      renewedAt: started,
      clock: this.#clock,
      timings: this.timings,
      log,
    });
  }

  #request(): RequestOptions {
    return { signal: this.options.signal, timeoutMs: this.timings.request };
  }

  #isForeign({ holder }: LeaseRecord): boolean {
    return holder !== null && holder !== this.#identity;
  }

  /** A run of our own, or our part in our group's. */
  #claim(before: LeaseRecord | null): LeaseRecord {
    const now = microTime(this.#clock.now());
    if (before?.holder === this.#identity && before.runId !== null) return renew(before, this.#member, now);
    return take(before, this.#identity, this.#newRun, this.#member, now);
  }

  /** @throws CephbackupError RUN_IN_PROGRESS where the holder shows that it lives */
  #isDead({ metadata }: LeaseObject, record: LeaseRecord, asked: number): boolean {
    // A label that somebody sets changes the resourceVersion: only a renewal shows that the holder lives.
    const version = [metadata?.uid, record.holder, record.renewed].join(' ');
    const { holder, acquired } = record;
    const who = `${printable(holder ?? '')} holds the lease ${this.store.namespace}/${leaseName} since ${acquired ?? 'an unknown time'}`;
    if (this.#watched === null) {
      this.#watched = { version, since: this.#clock.monotonic() };
      const seconds = Math.round(this.timings.duration / 1000);
      this.options.log.info(`${who}; it is taken over if nobody renews it within ${seconds} s`);
      return false;
    }
    if (version !== this.#watched.version) {
      throw new CephbackupError('RUN_IN_PROGRESS', `another run is in progress: ${printable(who)}`);
    }
    return asked - this.#watched.since >= this.timings.duration;
  }

  /** False: look again. @throws as KubeApi where that has been going on for too long */
  async #write(lease: LeaseObject | null, record: LeaseRecord): Promise<boolean> {
    try {
      if (await this.store.write(lease, record, this.#request())) return true;
      this.#noteTrouble(new CephbackupError('KUBE_FAILED', 'others change the lease all the time'));
    } catch (thrown) {
      if (hasStatus(thrown, 404)) throw noNamespace(this.store.namespace);
      // Where no answer came it may have been written all the same: the next look tells.
      if (!asCephbackupError(thrown).retryable) throw thrown;
      this.#noteTrouble(thrown);
      await pause(this.timings.retry, this.options.signal);
    }
    await pause(Math.random() * 100, this.options.signal);
    return false;
  }

  #noteTrouble(thrown: unknown): void {
    const now = this.#clock.monotonic();
    this.#troubleSince ??= now;
    if (now - this.#troubleSince > this.timings.duration) throw thrown;
  }
}

function noNamespace(namespace: string): CephbackupError {
  return new CephbackupError('KUBE_FAILED', `the lease's namespace ${printable(namespace)} does not exist`, {
    guidance: 'Create the namespace, or name another one with --lease-namespace.',
  });
}

/**
 * What the lease of a namespace says now; null where there is none. A run that has freed it is not named any more.
 *
 * @throws as KubeApi
 */
export async function readLease(
  api: KubeApi,
  namespace: string,
  options: RequestOptions = {},
): Promise<LeaseRecord | null> {
  const lease = await new LeaseStore(api, namespace, 1).read(options);
  if (lease === null) return null;
  const record = readRecord(lease);
  return record.holder === null ? { ...record, runId: null } : record;
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => undefined);
  signal.throwIfAborted();
}
