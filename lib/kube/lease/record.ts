import type { KubeObject } from '../types.js';

/** https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/ */
export interface LeaseObject extends KubeObject {
  spec?: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    /** RFC 3339 with six decimals, as all times here. */
    acquireTime?: string;
    renewTime?: string;
    leaseTransitions?: number;
  };
}

/** One process that takes part in a run. */
export interface Member {
  /** Its own time of its last renewal: compared with nothing but its former values. */
  renewed: string;
  /** How many had joined the run before it. */
  ordinal: number;
}

/** What a Lease says. */
export interface LeaseRecord {
  /** The run group, or the one process that runs; null where nobody does. */
  holder: string | null;
  /** 8 hex digits, the same for all members of a run. */
  runId: string | null;
  /** How many have ever joined this run. */
  joins: number;
  members: Readonly<Record<string, Member>>;
  acquired: string | null;
  renewed: string | null;
  /** How often the lease went to another holder. */
  transitions: number;
}

/** Fixed, whatever prefix the annotations of claims have: installations that share a lease must understand each other. */
const keys = {
  run: 'cephbackup.hpc.nyu.edu/run',
  joins: 'cephbackup.hpc.nyu.edu/joins',
  members: 'cephbackup.hpc.nyu.edu/members',
};

export function readRecord({ metadata, spec }: LeaseObject): LeaseRecord {
  const annotations = metadata?.annotations ?? {};
  const runId = annotations[keys.run] ?? '';
  const joins = Number(annotations[keys.joins]);
  const holder = spec?.holderIdentity ?? '';
  return {
    holder: holder === '' ? null : holder,
    runId: /^[0-9a-f]{8}$/.test(runId) ? runId : null,
    joins: Number.isSafeInteger(joins) && joins > 0 ? joins : 0,
    members: parseMembers(annotations[keys.members]),
    acquired: spec?.acquireTime ?? null,
    renewed: spec?.renewTime ?? null,
    transitions: spec?.leaseTransitions ?? 0,
  };
}

/** Whoever wrote nonsense there is no member. */
function parseMembers(text: string | undefined): Record<string, Member> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text ?? '{}');
  } catch {
    return {};
  }
  const isMember = (value: unknown): value is Member =>
    typeof value === 'object' && value !== null && 'renewed' in value && 'ordinal' in value;
  const entries = Object.entries(parsed ?? {}) as [string, unknown][];
  return Object.fromEntries(entries.filter((entry): entry is [string, Member] => isMember(entry[1])));
}

/** `lease` with what `record` says; everything else in it stays, above all its resourceVersion. */
export function writeRecord(lease: LeaseObject, record: LeaseRecord, durationSeconds: number): LeaseObject {
  const { holder, runId, joins, members, acquired, renewed, transitions } = record;
  const annotations = {
    ...lease.metadata?.annotations,
    [keys.run]: runId ?? '',
    [keys.joins]: String(joins),
    [keys.members]: JSON.stringify(members),
  };
  return {
    ...lease,
    metadata: { ...lease.metadata, annotations },
    spec: {
      ...(holder === null ? {} : { holderIdentity: holder }),
      ...(acquired === null ? {} : { acquireTime: acquired }),
      ...(renewed === null ? {} : { renewTime: renewed }),
      leaseDurationSeconds: durationSeconds,
      leaseTransitions: transitions,
    },
  };
}

/** A new run of `holder` begins, with one member. */
export function take(
  before: LeaseRecord | null,
  holder: string,
  runId: string,
  member: string,
  now: string,
): LeaseRecord {
  return {
    holder,
    runId,
    joins: 1,
    members: { [member]: { renewed: now, ordinal: 0 } },
    acquired: now,
    renewed: now,
    transitions: before === null ? 0 : before.transitions + 1,
  };
}

/** `member` takes part from now on, or goes on to; those in `dead` do not any more. */
export function renew(
  record: LeaseRecord,
  member: string,
  now: string,
  dead: ReadonlySet<string> = new Set(),
): LeaseRecord {
  const known = record.members[member];
  const joins = known === undefined ? record.joins + 1 : record.joins;
  const mine = { renewed: now, ordinal: known?.ordinal ?? record.joins };
  return { ...record, joins, members: { ...without(record, dead), [member]: mine }, renewed: now };
}

/** `member` is done. The last one frees the lease. */
export function leave(record: LeaseRecord, member: string, dead: ReadonlySet<string>): LeaseRecord {
  const members = without(record, new Set([...dead, member]));
  return { ...record, members, holder: Object.keys(members).length === 0 ? null : record.holder };
}

function without({ members }: LeaseRecord, gone: ReadonlySet<string>): Record<string, Member> {
  return Object.fromEntries(Object.entries(members).filter(([id]) => !gone.has(id)));
}

/** Kubernetes' MicroTime. */
export function microTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('Z', '000Z');
}
