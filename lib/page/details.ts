import type { ClaimStatus } from '../plan/status.js';
import { claimOperand, commandTemplates } from './commands.js';
import type { PageData } from './data.js';
import { shownBackups } from './claims.js';
import { visible } from './html.js';
import { lookOf } from './words.js';

/** So many snapshots of all claims are listed in full at most, so that the page stays small; the newest of each. */
const listedSnapshots = 20_000;

/** What the page's script needs for sorting, finding and opening, in the order of the rows. */
export interface Details {
  nowMs: number;
  commands: typeof commandTemplates;
  claims: ClaimDetails[];
}

/** Short keys: there are as many of these as there are claims. */
interface ClaimDetails {
  /** Namespace and name as shown. */
  n: string;
  /** For commands: the operand; null where none can be given. */
  o: string | null;
  /** To be sorted by: state, age of the last backup, of its last proof (seconds; null: never), bytes. */
  s: [number, number | null, number | null, number | null];
  /** Which of the filters show it: unsafe, selected, not covered. */
  f: [boolean, boolean, boolean];
  /** `disk`, `files`, or none. */
  t: 'disk' | 'files' | null;
  /** What is told of it: names and values. */
  d: [string, string][];
  /** Its newest snapshots: id, seconds since the epoch, bytes held and added, proven. */
  b: [string, number, number | null, number | null, 0 | 1][];
  /** How many there are in all. */
  c: number;
}

export function detailsOf(data: PageData, ordered: readonly ClaimStatus[]): Details {
  const listed = Math.max(3, Math.min(400, Math.floor(listedSnapshots / Math.max(1, ordered.length))));
  return {
    nowMs: data.madeMs,
    commands: commandTemplates,
    claims: ordered.map((claim) => details(claim, data, listed)),
  };
}

function details(claim: ClaimStatus, data: PageData, listed: number): ClaimDetails {
  const { namespace, pvc, kind, backup, state, covered, lastError, sizeBytes, lastVerified } = claim;
  const backups = shownBackups(claim, data);
  const verified = lastVerified === null ? null : (data.madeMs - Date.parse(lastVerified)) / 1000;
  return {
    n: visible(`${namespace}/${pvc}`),
    o: claimOperand(namespace, pvc),
    s: [lookOf(claim).rank, claim.ageSeconds, verified === null ? null : Math.round(verified), sizeBytes],
    f: [backup && (state !== 'ok' || lastError !== null || !covered), backup, !covered],
    t: kind === null ? null : kind === 'rbd-block' ? 'disk' : 'files',
    d: told(claim, data).map(([name, value]) => [name, visible(value)]),
    b: backups
      .slice(-listed)
      .toReversed()
      .map(({ id, timeMs, sizeBytes: held, addedBytes, proven }) => [
        visible(id.slice(0, 8)),
        Math.floor(timeMs / 1000),
        held,
        addedBytes,
        proven ? 1 : 0,
      ]),
    c: backups.length,
  };
}

function told(claim: ClaimStatus, { facts }: PageData): [string, string][] {
  const { uid, pv, reason, why, lastAttempt, lastError, guidance, lastVerified, lastBackup } = claim;
  const all: [string, string | null][] = [
    ['Why', why ?? (claim.backup ? null : reason)],
    ['Error', lastError],
    ['What to do', guidance],
    ['Last backup', lastBackup],
    ['Last attempt', lastAttempt === lastBackup ? null : lastAttempt],
    ['Read back', lastVerified],
    ['Storage class', facts.get(uid)?.storageClass ?? null],
    ['Volume', pv],
    ['UID', uid],
  ];
  return all.filter((pair): pair is [string, string] => pair[1] !== null && pair[1] !== '');
}
