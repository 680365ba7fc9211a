import { asCephbackupError, CephbackupError } from '../errors/error.js';
import { printable } from '../log/logger.js';
import { damageIn, describeDamage, type Damage } from './damage/damage.js';
import { contentsGuidance, guidanceFor } from './guidance.js';

/** Why a proof failed, and what of the repository is to blame, if that is known. */
export interface Failure {
  error: CephbackupError;
  damage: Damage | null;
}

const mayTellOfDamage = new Set(['RESTIC_FAILED', 'BACKUP_DAMAGED', 'REPOSITORY_DAMAGED']);

/** Reads what restic says of a snapshot that it could not give completely. */
export function failureOf(thrown: unknown, snapshot: string): Failure {
  const error = asCephbackupError(thrown);
  // What makes the repository unusable as a whole is no damage to one snapshot, whatever else the message names.
  const damage = mayTellOfDamage.has(error.code) ? damageIn(error.message) : null;
  if (damage === null) {
    const { code, message } = error;
    if (code !== 'BACKUP_DAMAGED') return { error, damage };
    return {
      error: new CephbackupError(code, message, { guidance: contentsGuidance, cause: error }),
      damage,
    };
  }
  const code =
    damage.object === 'index'
      ? 'INDEX_DAMAGED'
      : damage.object === 'snapshot'
        ? 'SNAPSHOT_DAMAGED'
        : 'BACKUP_DAMAGED';
  const message = `snapshot ${snapshot.slice(0, 8)} cannot be read completely: ${describeDamage(damage)} is damaged or missing (${printable(error.message)})`;
  return {
    error: new CephbackupError(code, message, { guidance: guidanceFor(damage), cause: error }),
    damage,
  };
}
