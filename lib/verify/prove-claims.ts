import pLimit from 'p-limit';
import { CephbackupError } from '../errors/error.js';
import type { Logger } from '../log/logger.js';
import { Steps } from '../log/progress/steps.js';
import type { ProgressView } from '../log/progress/view.js';
import type { Damage } from './damage/damage.js';
import { failureOf } from './failure.js';
import type { DrillTarget, ProofOutcome } from './report.js';
import type { Candidate } from './rotation.js';

/** What was read of one backup. */
export interface Proven {
  bytes: number;
  /** Null for a disk. */
  files: number | null;
  /** Where it was restored to; null without a drill. */
  drill: DrillTarget | null;
}

/** Everything that one proof needs of its surroundings. */
export interface ProofJob {
  signal: AbortSignal;
  log: Logger;
  step: (text: string, totalBytes?: number | null) => void;
  moved: (bytes: number) => void;
  warn: (text: string) => void;
}

export interface ProofEnd {
  candidate: Candidate;
  outcome: ProofOutcome;
  proven: Proven | null;
  seconds: number;
  warnings: string[];
  error: CephbackupError | null;
  damage: Damage | null;
}

export interface ProveRequest {
  /** In the order in which they are begun. */
  candidates: readonly Candidate[];
  concurrency: number;
  /** After which no further claim is begun; null: no limit. */
  budgetMs: number | null;
  signal: AbortSignal;
  log: Logger;
  progress: ProgressView;
  /** @throws CephbackupError where the backup is not sound, or cannot be read */
  prove: (candidate: Candidate, job: ProofJob) => Promise<Proven>;
  /** Called as soon as a claim's backup is proven. */
  proved: (end: ProofEnd) => Promise<void>;
}

/** Proves one backup after the other. Never throws: one that is damaged does not keep others from being read. */
export async function proveClaims(request: ProveRequest): Promise<ProofEnd[]> {
  const limit = pLimit(request.concurrency);
  const gate = new Gate(request);
  return Promise.all(request.candidates.map((candidate) => limit(() => one(request, gate, candidate))));
}

async function one(request: ProveRequest, gate: Gate, candidate: Candidate): Promise<ProofEnd> {
  const closed = gate.closed();
  if (closed !== null) return { ...notBegun(candidate), ...closed };
  const { namespace, pvc } = candidate.claim;
  const name = `${namespace}/${pvc}`;
  const log = request.log.with({ volume: name });
  const steps = new Steps(log, request.progress.begin(name));
  const warnings: string[] = [];
  const started = performance.now();
  const end: ProofEnd = { ...notBegun(candidate), warnings };
  try {
    end.proven = await request.prove(candidate, {
      signal: AbortSignal.any([request.signal, steps.stalled]),
      log,
      step: steps.step,
      moved: steps.moved,
      warn: (text) => {
        warnings.push(text);
        log.warn(text);
      },
    });
    end.outcome = 'verified';
  } catch (thrown) {
    const { error, damage } = failureOf(thrown, candidate.backup.id);
    end.error = error;
    end.damage = damage;
    end.outcome = damage !== null || error.code === 'BACKUP_DAMAGED' ? 'damaged' : 'failed';
    log.error(error.message, { code: error.code });
    gate.learn(end);
  } finally {
    steps.close();
  }
  end.seconds = Math.round(performance.now() - started) / 1000;
  if (end.outcome === 'verified') await request.proved(end);
  return end;
}

export function notBegun(candidate: Candidate): ProofEnd {
  return {
    candidate,
    outcome: 'not-attempted',
    proven: null,
    seconds: 0,
    warnings: [],
    error: null,
    damage: null,
  };
}

/** Decides whether another claim is begun. */
class Gate {
  readonly #started = performance.now();
  /** Without its index, or if it is not there at all, the repository need not be asked once per claim. */
  #stopped: Pick<ProofEnd, 'outcome' | 'error' | 'damage'> | null = null;

  constructor(private readonly request: ProveRequest) {}

  closed(): Pick<ProofEnd, 'outcome' | 'error' | 'damage'> | null {
    const { signal, budgetMs } = this.request;
    if (signal.aborted) return { outcome: 'not-attempted', error: notAttempted(signal.reason), damage: null };
    if (this.#stopped !== null) return this.#stopped;
    const over = budgetMs !== null && performance.now() - this.#started >= budgetMs;
    return over ? { outcome: 'not-attempted', error: null, damage: null } : null;
  }

  learn({ error, damage }: ProofEnd): void {
    if (error === null) return;
    if (damage?.object === 'index') this.#stopped ??= { outcome: 'damaged', error, damage };
    else if (error.kind === 'unusable') {
      this.#stopped ??= { outcome: 'not-attempted', error: notAttempted(error), damage: null };
    }
  }
}

function notAttempted(reason: unknown): CephbackupError {
  const why = reason instanceof Error ? reason.message : 'stopped';
  return new CephbackupError('NOT_ATTEMPTED', `not attempted: ${why}`);
}
