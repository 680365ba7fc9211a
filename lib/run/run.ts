import { asCephbackupError, CephbackupError } from '../errors/error.js';
import type { PlannedVolume } from '../plan/types.js';
import { Gate, type GateRequest } from './gate.js';
import { emptyResult, notAttempted, type VolumeEnd, type VolumeResult } from './report.js';
import { GroupMoment } from './group-moment.js';
import { OwnMoment, type Holding, type Moment } from './moment.js';
import { Slots } from './slots.js';
import type { Leftover } from '../ownership/scope.js';
import type { Over } from './volume/attempt.js';
import { backupVolume } from './volume/backup.js';
import type { VolumeTools } from './volume/tools.js';

export interface ExecuteRequest<Look, Kept> {
  volumes: readonly PlannedVolume[];
  /** The same in the order in which they are begun. */
  inTurn: readonly PlannedVolume[];
  concurrency: number;
  tools: VolumeTools;
  holding: Holding;
  /** The next name for a snapshot and a clone. */
  nextName: () => string;
  /** Aborts when the run must end: its reason says why. */
  signal: AbortSignal;
  /** What decides whether another volume may be begun. */
  gate: Omit<GateRequest, 'signal'>;
  /** The last look, begun when what volumes acquired is released; proofs may still be going on. */
  lastLook: () => Promise<Look>;
  /**
   * Keeps what was proven. Begun when nothing more will be, while the last look may still be going on; and as soon as the run
   * is told to end: a volume that hangs while it is undone takes all the time that there is. Never throws.
   */
  keepProofs: () => Promise<Kept>;
}

export interface ExecuteResult {
  /** In the order of the request. */
  volumes: VolumeResult[];
  leftovers: Leftover[];
  /** One for each volume that failed. */
  errors: CephbackupError[];
}

/** Backs up volumes with bounded concurrency. Never throws; a volume's fault ends that volume and its group alone. */
export async function executeVolumes<Look, Kept>(
  request: ExecuteRequest<Look, Kept>,
): Promise<ExecuteResult & { looked: Look; kept: Kept }> {
  const { volumes, signal, holding } = request;
  const slots = new Slots(request.concurrency);
  const gate = new Gate({ ...request.gate, signal });
  request.tools.readBack.expect(volumes.map(({ uid }) => uid));
  const held = new Set(volumes);
  let look: Promise<Look> | null = held.size === 0 ? request.lastLook() : null;
  const unwound = (volume: PlannedVolume) => {
    if (held.delete(volume) && held.size === 0) look ??= request.lastLook();
  };
  const released = (volume: PlannedVolume, end: VolumeEnd): VolumeEnd => {
    request.tools.readBack.settled(volume.uid);
    // What could not be released is looked for when that was tried again.
    if (end.unreleased === undefined) unwound(volume);
    return end;
  };
  const alone = async (volume: PlannedVolume): Promise<VolumeEnd> => {
    const giveBack = await slots.acquire();
    const over = {
      read: giveBack,
      unwound: () => {
        unwound(volume);
      },
    };
    try {
      return released(volume, await one(request, gate, volume, new OwnMoment(holding, volume), over));
    } finally {
      giveBack();
    }
  };
  /** All members come to the moment together, however many they are; what they read is bounded as ever. */
  const together = (members: readonly PlannedVolume[]): Promise<VolumeEnd>[] => {
    const slot = slots.acquire();
    const group = new GroupMoment(holding, members);
    void Promise.all([slot, group.over]).then(([giveBack]) => {
      giveBack();
    });
    return members.map(async (volume) => {
      await slot;
      const seat = group.seat(volume, slots);
      const over = {
        read: () => {
          seat.rest();
        },
        unwound: () => {
          unwound(volume);
        },
      };
      const end = await one(request, gate, volume, seat, over);
      seat.leave(end.error);
      return released(volume, end);
    });
  };
  const keepEarly = () => void request.keepProofs();
  signal.addEventListener('abort', keepEarly, { once: true });
  const endOf = new Map<PlannedVolume, Promise<VolumeEnd>>();
  for (const volume of request.inTurn) {
    if (endOf.has(volume)) continue;
    const members = partnersOf(volume, volumes);
    if (members.length === 1) endOf.set(volume, alone(volume));
    else for (const [index, end] of together(members).entries()) endOf.set(members[index] ?? volume, end);
  }
  const ends = await Promise.all(volumes.map((volume) => endOf.get(volume) ?? alone(volume)));
  signal.removeEventListener('abort', keepEarly);
  // A restic of its own, which takes as long as the last look.
  const keeping = request.keepProofs();
  const leftovers = await Promise.all(
    volumes.map(async (volume, index) => {
      const end = ends[index];
      return end === undefined ? [] : releaseAgain(end, gate, volume);
    }),
  );
  look ??= request.lastLook();
  return {
    volumes: ends.map(({ result }) => result),
    leftovers: leftovers.flat(),
    errors: ends.flatMap(({ error }) => (error === null ? [] : asVolumeError(error))),
    looked: await look,
    kept: await keeping,
  };
}

/** A watch may have expired, a manager may have come back since. Whoever was told to end does not wait for that. */
async function releaseAgain(
  { unreleased, leftovers }: VolumeEnd,
  gate: Gate,
  volume: PlannedVolume,
): Promise<Leftover[]> {
  if (unreleased === undefined || !(await gate.answers(volume))) return leftovers;
  const left = await unreleased.release();
  const released = (name: string) => !left.some((other) => other.name === name);
  return leftovers
    .filter(({ kind, name }) => kind === 'restic-snapshot' || !released(name))
    .map((old) => left.find(({ kind, name }) => kind === old.kind && name === old.name) ?? old);
}

/** A program that is missing for one volume is that volume's failure: others were backed up. */
function asVolumeError(error: CephbackupError): CephbackupError {
  if (error.kind === 'failed' || error.kind === 'unusable') return error;
  return new CephbackupError('COMMAND_FAILED', error.message, { guidance: error.guidance, cause: error });
}

/** The volumes that share a volume's moment, itself among them. */
function partnersOf(volume: PlannedVolume, volumes: readonly PlannedVolume[]): readonly PlannedVolume[] {
  if (volume.group === null) return [volume];
  return volumes.filter(({ namespace, group }) => namespace === volume.namespace && group === volume.group);
}

async function one(
  { tools, nextName, signal }: Pick<ExecuteRequest<unknown, unknown>, 'tools' | 'nextName' | 'signal'>,
  gate: Gate,
  volume: PlannedVolume,
  moment: Moment,
  over: Over,
): Promise<VolumeEnd> {
  const closed = await gate.admit(volume);
  if (closed !== null) return notAttempted(volume, closed);
  const refused = refusal(volume);
  if (refused !== null) {
    const unusable = await tools.history.then(() => null, asCephbackupError);
    if (unusable !== null) return notAttempted(volume, unusable);
    await tools.recorder.failed(volume, { attempt: tools.clock(), error: refused });
    return { result: emptyResult(volume, 'failed', refused.report()), leftovers: [], error: refused };
  }
  const end = await backupVolume(tools, volume, nextName(), moment, signal, over);
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
