import pLimit from 'p-limit';
import type { ErrorCode } from '../errors/catalogue.js';
import { asCephbackupError, CephbackupError } from '../errors/error.js';
import type { PlannedVolume } from '../plan/types.js';
import { emptyResult, notAttempted, type VolumeEnd, type VolumeResult } from './report.js';
import type { Leftover } from '../ownership/scope.js';
import { backupVolume, type VolumeTools } from './volume.js';

export interface ExecuteRequest {
  /** In the order in which they are begun. */
  volumes: readonly PlannedVolume[];
  concurrency: number;
  tools: VolumeTools;
  /** The next name for a snapshot and a clone. */
  nextName: () => string;
  /** Aborts when the run must end: its reason says why. */
  signal: AbortSignal;
  /** Whether new volumes may be begun (false while the lease cannot be renewed). */
  mayBegin: () => boolean;
  /** Called once, when what volumes acquired is released; proofs may still be going on. */
  allUnwound: () => void;
}

export interface ExecuteResult {
  /** In the order of the request. */
  volumes: VolumeResult[];
  leftovers: Leftover[];
  /** One for each volume that failed. */
  errors: CephbackupError[];
}

/** Backs up volumes with bounded concurrency. Never throws; a volume's fault ends that volume alone. */
export async function executeVolumes(request: ExecuteRequest): Promise<ExecuteResult> {
  const limit = pLimit(request.concurrency);
  const gate = new Gate(request);
  const held = new Set(request.volumes);
  const unwound = (volume: PlannedVolume) => {
    if (held.delete(volume) && held.size === 0) request.allUnwound();
  };
  if (held.size === 0) request.allUnwound();
  const ends = await Promise.all(
    request.volumes.map((volume) =>
      limit(async () => {
        const end = await one(request, gate, volume, unwound);
        unwound(volume);
        return end;
      }),
    ),
  );
  return {
    volumes: ends.map(({ result }) => result),
    leftovers: ends.flatMap(({ leftovers }) => leftovers),
    errors: ends.flatMap(({ error }) => error ?? []),
  };
}

async function one(
  request: ExecuteRequest,
  gate: Gate,
  volume: PlannedVolume,
  unwound: (volume: PlannedVolume) => void,
): Promise<VolumeEnd> {
  const closed = gate.closedFor(volume);
  if (closed !== null) return notAttempted(volume, closed);
  const { tools } = request;
  const refused = refusal(volume);
  if (refused !== null) {
    const unusable = await tools.history.then(() => null, asCephbackupError);
    if (unusable !== null) return notAttempted(volume, unusable);
    await tools.recorder.failed(volume, { attempt: tools.clock(), error: refused });
    return { result: emptyResult(volume, 'failed', refused.report()), leftovers: [], error: refused };
  }
  const end = await backupVolume(tools, volume, request.nextName(), request.signal, () => {
    unwound(volume);
  });
  if (end.error !== null) gate.learn(volume, end.error);
  return end;
}

/** What the plan already knows to fail. */
function refusal(volume: PlannedVolume): CephbackupError | null {
  if (volume.reason === 'host-collision') {
    return new CephbackupError(
      'HOST_COLLISION',
      `another selected claim has the same restic host ${volume.host}`,
    );
  }
  if (volume.reason === 'unsupported' || volume.kind === null) {
    return new CephbackupError(
      'VOLUME_UNSUPPORTED',
      volume.details?.unsupported ?? 'this kind of volume is not supported',
    );
  }
  return null;
}

/** What one volume meets, every other of its cluster would, too. */
const clusterIsOut = new Set<ErrorCode>(['CEPH_UNREACHABLE', 'CEPH_KEY_UNREADABLE']);

/** Decides whether a volume may still be begun: a dead repository or cluster need not be asked once per volume. */
class Gate {
  #repository: CephbackupError | null = null;
  readonly #clusters = new Map<string, CephbackupError>();

  constructor(private readonly request: ExecuteRequest) {}

  closedFor(volume: PlannedVolume): CephbackupError | null {
    const { signal } = this.request;
    if (signal.aborted) {
      return signal.reason instanceof CephbackupError
        ? signal.reason
        : new CephbackupError('CANCELLED', 'stopped');
    }
    if (!this.request.mayBegin()) return new CephbackupError('LEASE_LOST', 'the lease could not be renewed');
    return this.#repository ?? this.#clusters.get(clusterOf(volume)) ?? null;
  }

  learn(volume: PlannedVolume, error: CephbackupError): void {
    if (clusterIsOut.has(error.code)) this.#clusters.set(clusterOf(volume), error);
    else if (error.code.startsWith('REPOSITORY_')) this.#repository ??= error;
    // Given up because the repository could not be opened.
    else if (error.code === 'NOT_ATTEMPTED') this.#repository ??= asCephbackupError(error.cause);
  }
}

function clusterOf({ details, source }: PlannedVolume): string {
  return JSON.stringify([source?.cluster ?? null, details?.monitors ?? null]);
}
