import { setTimeout as sleep } from 'node:timers/promises';
import type { Daemon } from '../process/daemon.js';
import type { NamespaceRef } from '../process/exec.js';
import { expectNamespace } from './namespace.js';

const betweenLooksMs = 10;

/** What is waited for, and what it means where it does not come. */
export interface Served {
  daemon: Daemon;
  /** In which it serves. */
  namespace: NamespaceRef;
  isServed: () => Promise<boolean>;
  withinMs: number;
  /** The error where the daemon has ended. */
  dead: () => Error | Promise<Error>;
  /** The error where nothing came in time. */
  late: () => Error;
  signal: AbortSignal;
}

/** Waits until a daemon serves what it was started for. @throws CephbackupError NAMESPACE_FAILED, and what is told above */
export async function untilServed(wanted: Served): Promise<void> {
  const end = performance.now() + wanted.withinMs;
  while (!(await wanted.isServed())) {
    wanted.signal.throwIfAborted();
    await expectNamespace(wanted.namespace);
    if (!wanted.daemon.alive()) throw await wanted.dead();
    if (performance.now() > end) throw wanted.late();
    await sleep(betweenLooksMs);
  }
}
