import type { snapshotsOptions } from './options.js';
import type { Values } from '../../cli/options.js';
import { asCephbackupError } from '../../errors/error.js';
import { readClaims } from '../../kube/inventory.js';
import { snapshotsTable, type SnapshotsReport } from './table.js';
import { rfc3339 } from '../../log/time.js';
import { groupByClaim, type StoredClaim } from '../../repository/claims.js';
import { clusterScope, elsewhere } from '../../repository/clusters.js';
import type { Command, CommandContext } from '../../cli/command.js';
import { readBackups } from '../shared/backups.js';
import type { OwnCluster } from '../shared/own-cluster.js';

type SnapshotsValues = Values<typeof snapshotsOptions>;

/** Shows what the repository holds. Kubernetes is asked, where it can be, which of the claims still exist. */
export const snapshots: Command<SnapshotsValues> = async (context) => {
  const { options, operands, log } = context;
  const known = await readBackups(context);
  const { own } = known;
  const { existing, warnings } = await readExisting(context, own);
  warnings.unshift(...known.warnings);
  warnings.push(...known.unreadable.map((id) => `the file of snapshot ${id} cannot be read: run verify`));

  const [namespace, pvc] = (operands[0] ?? '').split('/');
  const backups = known.backups.filter(
    (backup) => pvc === undefined || (backup.namespace === namespace && backup.pvc === pvc),
  );
  const present = new Set(backups.map(({ cluster }) => cluster));
  const scope = clusterScope(options.cluster, own.name, present);
  const claims = groupByClaim(backups.filter(({ cluster }) => scope.includes(cluster)));
  if (claims.length === 0 && present.size > 0) warnings.push(`nothing in ${scope.name}${elsewhere(present)}`);

  for (const warning of warnings) log.warn(warning);
  const report = {
    claims: claims.map((claim) => toReport(claim, claim.cluster === own.name ? existing : null)),
    warnings,
  };
  return { document: report, table: (width) => snapshotsTable(report, own.name, width), exitCode: 0 };
};

interface Existing {
  /** UIDs of the claims that exist; null where that is not known. */
  existing: ReadonlySet<string> | null;
  warnings: string[];
}

async function readExisting(
  context: CommandContext<SnapshotsValues>,
  { api }: OwnCluster,
): Promise<Existing> {
  if (api === null) return { existing: null, warnings: [] };
  try {
    const claims = await readClaims(api, { signal: context.signal });
    return { existing: new Set(claims.flatMap(({ metadata }) => metadata?.uid ?? [])), warnings: [] };
  } catch (thrown) {
    context.signal.throwIfAborted();
    const { message } = asCephbackupError(thrown);
    return { existing: null, warnings: [`not known which claims exist: ${message}`] };
  }
}

function toReport(
  { cluster, namespace, pvc, uid, backups }: StoredClaim,
  existing: ReadonlySet<string> | null,
): SnapshotsReport['claims'][number] {
  return {
    cluster,
    namespace,
    pvc,
    uid,
    exists: existing === null ? null : existing.has(uid),
    snapshots: backups.map(({ id, time, kind, sizeBytes, pv, proof }) => ({
      id,
      time: rfc3339(time),
      kind,
      sizeBytes,
      pv,
      proof,
    })),
  };
}
