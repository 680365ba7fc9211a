import { asCephbackupError } from '../../errors/error.js';
import type { Logger } from '../../log/logger.js';
import { hurtClaims, hurtBy, type HurtContext } from './hurt.js';
import { damageKey } from './damage.js';
import { contentsGuidance, snapshotGuidance } from '../guidance.js';
import { describeLost, type LostSnapshot } from './lost.js';
import type { ProofEnd } from '../prove-claims.js';
import type { DamageReport } from '../report.js';

interface DamageContext extends Omit<HurtContext, 'warn'> {
  lost: readonly LostSnapshot[];
  log: Logger;
}

/** Everything that is damaged, each once, with all that needs it: also snapshots that were not read. */
export async function reportDamage(
  ends: readonly ProofEnd[],
  context: DamageContext,
): Promise<{ damage: DamageReport[]; warnings: string[] }> {
  const warnings: string[] = [];
  const warn = (text: string) => {
    warnings.push(text);
    context.log.warn(text);
  };
  const damage: DamageReport[] = [];
  try {
    for (const group of grouped(ends)) {
      context.log.info('looking for everything that is hurt', {
        object: group.damage.object,
        id: group.damage.id,
      });
      damage.push(await hurtBy(group.damage, group.snapshots, { ...context, warn }));
    }
  } catch (thrown) {
    warn(`not known what else is hurt: ${asCephbackupError(thrown).message}`);
  }
  const broken = ends.filter(({ outcome, damage: known }) => outcome === 'damaged' && known === null);
  return { damage: [...damage, ...broken.map(ofContents), ...context.lost.map(ofLost)], warnings };
}

function grouped(ends: readonly ProofEnd[]) {
  const groups = new Map<string, { damage: NonNullable<ProofEnd['damage']>; snapshots: string[] }>();
  for (const { damage, candidate } of ends) {
    if (damage === null) continue;
    const group = groups.get(damageKey(damage)) ?? { damage, snapshots: [] };
    group.snapshots.push(candidate.backup.id);
    groups.set(damageKey(damage), group);
  }
  return groups.values();
}

/** What restic finds sound and makes no sense all the same. */
function ofContents({ candidate: { backup }, error }: ProofEnd): DamageReport {
  return {
    object: 'contents',
    id: backup.id,
    pack: null,
    message: error?.message ?? '',
    claims: hurtClaims([backup]),
    others: [],
    complete: true,
    guidance: contentsGuidance,
  };
}

function ofLost(lost: LostSnapshot): DamageReport {
  const { id, claim } = lost;
  const whose = claim && {
    cluster: claim.cluster,
    namespace: claim.namespace,
    pvc: claim.pvc,
    uid: claim.uid,
  };
  return {
    object: 'snapshot',
    id,
    pack: null,
    message: `${describeLost(lost)}${claim === null ? '; it is not known whose it was' : ''}`,
    claims: whose === null ? [] : [{ ...whose, snapshots: [id] }],
    others: claim === null ? [id] : [],
    complete: claim !== null,
    guidance: snapshotGuidance,
  };
}
