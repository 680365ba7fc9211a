import type { KubeApi, RequestOptions } from '../api.js';
import { hasStatus } from '../errors.js';
import { allCronJobsPath, allLeasesPath } from '../paths.js';
import type { KubeObject } from '../types.js';
import { readRecord, type LeaseObject } from './record.js';
import { leaseName, LeaseStore } from './store.js';

/** Requests at a time. */
const width = 8;

export interface LeaseNamespaces {
  /** Where an installation has its lease, or will have it once it runs; in order. */
  found: string[];
  /**
   * Those of them with a CronJob or a run in progress: a free lease may be all that is left of an installation. All of
   * them where CronJobs may not be listed.
   */
  alive: string[];
  /** False where this account may not look everywhere. */
  everywhere: boolean;
}

/**
 * The namespaces of the cluster in which backups have their lease: those with a Lease of the name, also a free one, and
 * those with a CronJob of the chart, which may not have run yet.
 *
 * @param namespaces all of the cluster: an account that may not list leases may perhaps get them
 * @throws as KubeApi
 */
export async function leaseNamespaces(
  api: KubeApi,
  namespaces: readonly string[],
  options: RequestOptions = {},
): Promise<LeaseNamespaces> {
  const [leases, cronJobs] = await Promise.all([
    withLease(api, namespaces, options),
    withCronJob(api, options),
  ]);
  const sorted = (...names: string[]) => [...new Set(names)].toSorted();
  return {
    found: sorted(...namespacesOf(leases.found), ...(cronJobs ?? [])),
    alive: sorted(
      ...namespacesOf(cronJobs === null ? leases.found : leases.found.filter(isHeld)),
      ...(cronJobs ?? []),
    ),
    everywhere: leases.everywhere,
  };
}

function isHeld(lease: LeaseObject): boolean {
  return readRecord(lease).holder !== null;
}

interface FoundLeases {
  found: LeaseObject[];
  everywhere: boolean;
}

async function withLease(
  api: KubeApi,
  namespaces: readonly string[],
  options: RequestOptions,
): Promise<FoundLeases> {
  const query = { fieldSelector: `metadata.name=${leaseName}` };
  try {
    return { found: await api.list<LeaseObject>(allLeasesPath, { ...options, query }), everywhere: true };
  } catch (thrown) {
    if (!hasStatus(thrown, 403, 404)) throw thrown;
    return askOneByOne(api, namespaces, options);
  }
}

async function askOneByOne(
  api: KubeApi,
  namespaces: readonly string[],
  options: RequestOptions,
): Promise<FoundLeases> {
  const found: LeaseObject[] = [];
  let everywhere = true;
  const queue = namespaces.values();
  const work = async () => {
    for (const namespace of queue) {
      try {
        const lease = await new LeaseStore(api, namespace, 1).read(options);
        if (lease !== null) found.push(lease);
      } catch (thrown) {
        if (!hasStatus(thrown, 403)) throw thrown;
        everywhere = false;
      }
    }
  };
  await Promise.all(Array.from({ length: width }, work));
  return { found, everywhere };
}

/** Null where they may not be listed. */
async function withCronJob(api: KubeApi, options: RequestOptions): Promise<string[] | null> {
  const query = { labelSelector: 'app.kubernetes.io/name=cephbackup,app.kubernetes.io/component=backup' };
  try {
    return namespacesOf(await api.list(allCronJobsPath, { ...options, query }));
  } catch (thrown) {
    if (hasStatus(thrown, 403, 404)) return null;
    throw thrown;
  }
}

function namespacesOf(objects: readonly KubeObject[]): string[] {
  return objects.flatMap(({ metadata }) => metadata?.namespace ?? []);
}
