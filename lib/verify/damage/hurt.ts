import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import { groupByClaim, type Backup } from '../../repository/claims.js';
import type { Restic } from '../../tools/restic/restic.js';
import { indexedPack, snapshotsWith } from '../../tools/restic/find.js';
import { describeDamage, type Damage } from './damage.js';
import { guidanceFor } from '../guidance.js';
import type { DamageReport } from '../report.js';

export interface HurtContext {
  restic: Restic;
  /** All backups that the command looks at, of claims that it did not read as well. */
  backups: readonly Backup[];
  /** Tags that all of them have. */
  tags: readonly string[];
  signal: AbortSignal;
  warn: (text: string) => void;
}

/** Looking into all snapshots of a large repository takes long. */
const patienceMs = 3_600_000;

/** Names everything that one damage hurts. @param known snapshots that are known to be hurt */
export async function hurtBy(
  damage: Damage,
  known: readonly string[],
  context: HurtContext,
): Promise<DamageReport> {
  const found = await findHurt(damage, context);
  return damageReport(found.damage, new Set([...known, ...found.ids]), context.backups, found.complete);
}

function damageReport(
  damage: Damage,
  ids: ReadonlySet<string>,
  backups: readonly Backup[],
  complete: boolean,
): DamageReport {
  const hurt = backups.filter(({ id }) => ids.has(id));
  const named = new Set(hurt.map(({ id }) => id));
  return {
    object: damage.object,
    id: damage.id,
    pack: damage.object === 'blob' ? damage.pack : damage.object === 'pack' ? damage.id : null,
    message: `${describeDamage(damage)} is damaged or missing`,
    claims: hurtClaims(hurt),
    others: [...ids].filter((id) => !named.has(id)),
    complete,
    guidance: guidanceFor(damage),
  };
}

export function hurtClaims(backups: readonly Backup[]): DamageReport['claims'] {
  return groupByClaim(backups).map((claim) => {
    const { cluster, namespace, pvc, uid } = claim;
    return { cluster, namespace, pvc, uid, snapshots: claim.backups.map(({ id }) => id) };
  });
}

async function findHurt(
  damage: Damage,
  context: HurtContext,
): Promise<{ damage: Damage; ids: Iterable<string>; complete: boolean }> {
  const { backups, signal, warn } = context;
  if (damage.object === 'snapshot') return { damage, ids: [damage.id], complete: true };
  // Without its index nothing of a repository can be read.
  if (damage.object === 'index') return { damage, ids: backups.map(({ id }) => id), complete: true };
  try {
    return { ...(await search(damage, context)), complete: true };
  } catch (thrown) {
    signal.throwIfAborted();
    const { message } = asCephbackupError(thrown);
    warn(`not known which other snapshots are hurt by ${describeDamage(damage)}: ${message}`);
    return { damage, ids: [], complete: false };
  }
}

type Searched = Exclude<Damage, { object: 'index' | 'snapshot' }>;

async function search(damage: Searched, context: HurtContext): Promise<{ damage: Damage; ids: string[] }> {
  const { restic, tags, signal } = context;
  const { named, objects } = await look(damage, context);
  const ids: string[] = [];
  for (const [object, wanted] of objects) {
    if (wanted.length === 0) continue;
    const found = await snapshotsWith(
      restic,
      { object, ids: wanted, tags },
      { signal, deadlineMs: patienceMs },
    );
    ids.push(...found.containing);
    // A directory that cannot be read is not found by its id: restic names the snapshots in which it failed.
    if (object === 'tree') ids.push(...found.unreadable);
  }
  return { damage: named, ids };
}

interface Search {
  /** With full ids, where the index tells them. */
  named: Damage;
  objects: ['blob' | 'tree', string[]][];
}

/** What of the repository to look for, as the index tells it: a pack that is not whole cannot be asked. */
async function look(damage: Searched, { restic, signal }: HurtContext): Promise<Search> {
  const prefix = damage.object === 'pack' ? damage.id : damage.pack;
  const full = prefix?.length === 64 && damage.object === 'blob';
  const pack = prefix === null || full ? null : await indexedPack(restic, prefix, { signal });
  if (damage.object === 'blob') {
    const named = pack === null ? damage : { ...damage, pack: pack.id };
    const short = [damage.id.length === 64 ? damage.id : damage.id.slice(0, 8)];
    const types = damage.type === null ? (['tree', 'data'] as const) : [damage.type];
    return { named, objects: types.map((type) => [type === 'tree' ? 'tree' : 'blob', short]) };
  }
  if (pack === null) throw new CephbackupError('RESTIC_FAILED', `no index names the pack ${damage.id}`);
  const of = (wanted: string) => pack.blobs.filter(({ type }) => type === wanted).map(({ id }) => id);
  return {
    named: { ...damage, id: pack.id },
    objects: [
      ['tree', of('tree')],
      ['blob', of('data')],
    ],
  };
}
