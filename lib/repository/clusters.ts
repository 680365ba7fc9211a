import { CephbackupError } from '../errors/error.js';

/** Which clusters' backups a command looks at. */
export interface ClusterScope {
  includes(cluster: string): boolean;
  /** For messages: `cluster "x"` or `the repository`. */
  name: string;
}

/**
 * What `--cluster` says; by default the cluster that this program speaks with, and without one (`own` is null) all
 * clusters of the repository, as long as that is one.
 *
 * @param present the clusters that have something in the repository
 * @throws CephbackupError CLUSTER_UNCLEAR
 */
export function clusterScope(
  asked: string | null,
  own: string | null,
  present: Iterable<string>,
): ClusterScope {
  const chosen = asked ?? own;
  if (chosen !== null && asked !== 'all') {
    return { includes: (cluster) => cluster === chosen, name: `cluster ${JSON.stringify(chosen)}` };
  }
  const found = new Set(present);
  if (asked !== 'all' && found.size > 1) {
    const names = [...found].toSorted().map((name) => JSON.stringify(name));
    throw new CephbackupError(
      'CLUSTER_UNCLEAR',
      `the repository has backups of ${names.length} clusters: ${names.join(', ')}; choose with --cluster`,
    );
  }
  return { includes: () => true, name: 'the repository' };
}

/** Says where else something was found, or nothing. */
export function elsewhere(clusters: Iterable<string>): string {
  const names = [...new Set(clusters)].toSorted();
  if (names.length === 0) return '';
  const options = names.map((name) => `--cluster ${JSON.stringify(name)}`).join(' or ');
  return `, but elsewhere: ${options}`;
}
