import type { CommandContext } from '../../cli/command.js';
import { rfc3339 } from '../../log/time.js';
import { chooseBackup, type Wanted } from '../../repository/choose.js';
import type { Backup } from '../../repository/claims.js';
import { clusterScope } from '../../repository/clusters.js';
import { counts } from '../../repository/proofs.js';
import type { ResticSnapshot } from '../../tools/restic/snapshot.js';
import { readBackups, type KnownValues } from './backups.js';
import { wantedOf } from './wanted.js';

type ChoiceValues = KnownValues & Omit<Wanted, 'namespace' | 'pvc'> & { cluster: string | null };

export interface Chosen {
  backup: Backup;
  /** All backups of the same claim that count, oldest first. */
  history: Backup[];
  snapshots: ResticSnapshot[];
  warnings: string[];
}

/**
 * The backup that operand and options ask for: what `ls` and `open` see is what `restore` takes.
 * @throws CephbackupError SNAPSHOT_NOT_FOUND, CLAIM_AMBIGUOUS, CLUSTER_UNCLEAR, REPOSITORY_…
 */
export async function chosenBackup(context: CommandContext<ChoiceValues>): Promise<Chosen> {
  const { options, operands, log } = context;
  const known = await readBackups(context);
  const { snapshots, backups, own } = known;
  const warnings = [
    ...known.warnings,
    ...known.unreadable.map(
      (id) => `the file of snapshot ${id} cannot be read: it may have been newer than the one chosen`,
    ),
  ];
  const scope = clusterScope(options.cluster, own.name, new Set(backups.map(({ cluster }) => cluster)));
  const wanted = wantedOf(operands[0] ?? '', options);
  const backup = chooseBackup(backups, wanted, scope, (text) => warnings.push(text));
  for (const warning of warnings) log.warn(warning);
  log.info('chosen', { snapshot: backup.id.slice(0, 8), time: rfc3339(backup.time), kind: backup.kind });
  const history = backups
    .filter(({ cluster, uid, proof }) => cluster === backup.cluster && uid === backup.uid && counts(proof))
    .toSorted((a, b) => a.time - b.time);
  return { backup, history, snapshots, warnings };
}
