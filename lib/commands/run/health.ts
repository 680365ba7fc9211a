import { asCephbackupError } from '../../errors/error.js';
import type { Logger } from '../../log/logger.js';
import type { PlannedVolume } from '../../plan/types.js';
import { cephName, clustersOf } from '../shared/ceph.js';
import { healthWarnings } from '../../volumes/cluster-health.js';
import type { ClientsFor } from '../../volumes/rbd/image.js';

/**
 * Asks the clusters of these volumes what they warn of, beside everything else: nothing waits for the answers.
 * @returns ends the questions, and says what came of them by then
 */
export function askForHealth(
  volumes: readonly PlannedVolume[],
  clientsFor: ClientsFor,
  { signal, log }: { signal: AbortSignal; log: Logger },
): () => string[] {
  const warnings: string[] = [];
  const ended = new AbortController();
  for (const monitors of clustersOf(volumes.filter(({ kind }) => kind !== null))) {
    const options = { signal: AbortSignal.any([signal, ended.signal]) };
    clientsFor(monitors)
      .ceph.status(options)
      .then((status) => {
        for (const { said } of healthWarnings(status)) warnings.push(`${cephName(monitors)} ${said}`);
      })
      .catch((thrown: unknown) => {
        // Who needs the cluster says that it does not answer.
        log.debug(`what Ceph warns of is not known: ${asCephbackupError(thrown).message}`);
      });
  }
  return () => {
    ended.abort();
    return [...warnings];
  };
}
