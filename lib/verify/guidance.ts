import type { Damage } from './damage/damage.js';

const first = 'First find out why the storage lost or changed it, and stop that. ';

/** What to do about damage, in the order in which it has to be done; docs/verify.md says why. */
export function guidanceFor(damage: Damage): string {
  switch (damage.object) {
    case 'index':
      return `${first}No data is lost by this: \`restic repair index\` makes the index anew from the packs. Then run verify again.`;
    case 'snapshot':
      return snapshotGuidance;
    case 'pack':
      return `${first}${repair(damage.missing ? null : damage.id)}`;
    case 'blob':
      return damage.pack === null
        ? `${first}\`restic repair index\` finds it if its pack is still there; else \`cephbackup run\` stores it again if the volume still has it. Then run verify again.`
        : `${first}${repair(damage.pack)}`;
  }
}

export const snapshotGuidance = `${first}\`cephbackup run --pvc NAMESPACE/PVC\` makes a new backup, which needs little new space: the data is still there. Older backups are not hurt.`;

export const contentsGuidance =
  'Restore an older backup (`cephbackup restore --as-of`). `cephbackup run --pvc NAMESPACE/PVC` makes a new one; `restic check --read-data` tells whether the storage is sound.';

/** @param pack null where it is not there at all, which `restic repair packs` does not take */
function repair(pack: string | null): string {
  const command = pack === null ? 'restic repair index' : `restic repair packs ${pack}`;
  return `Then \`${command}\` takes what is lost out of the index, \`cephbackup run\` stores again whatever of it the volumes still have, which mends older backups, too, and \`cephbackup verify\` tells what is still damaged.`;
}
