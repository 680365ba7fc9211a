import { asCephbackupError } from '../errors/error.js';
import { printable } from '../log/logger.js';
import type { KubeApi, RequestOptions } from './api.js';
import { KubeStatusError } from './errors.js';
import { allJobsPath, eventsPath } from './paths.js';
import type { KubeObject } from './types.js';

interface Job extends KubeObject {
  spec?: { suspend?: boolean };
  status?: { active?: number; ready?: number; succeeded?: number; failed?: number; conditions?: unknown[] };
}

interface Event extends KubeObject {
  reason?: string;
  message?: string;
  lastTimestamp?: string | null;
  involvedObject?: { name?: string; uid?: string };
}

/** Of all releases of the chart. */
const labelSelector =
  'app.kubernetes.io/component in (backup,verify,prune,restore,init,doctor,cleanup),helm.sh/chart';
/** A pod is made within seconds; the clocks of the API's objects tell whole ones. */
const patienceMs = 120_000;

/**
 * What is wrong with the Jobs of the chart that were not given a pod: a namespace that refuses privileged ones, for
 * example, which nothing else tells. A line each; null where this account may not look.
 */
export async function jobsWithoutPod(
  api: KubeApi,
  now: number,
  options: RequestOptions = {},
): Promise<string[] | null> {
  let jobs: Job[];
  try {
    jobs = await api.list<Job>(allJobsPath, { ...options, query: { labelSelector } });
  } catch (thrown) {
    if (thrown instanceof KubeStatusError) return null;
    throw thrown;
  }
  const found = await Promise.all(
    jobs.filter((job) => isChartJob(job) && hasNoPod(job)).map((job) => describe(api, job, now, options)),
  );
  return found.filter((line) => line !== null).toSorted();
}

function isChartJob({ metadata }: Job): boolean {
  return metadata?.labels?.['helm.sh/chart']?.startsWith('cephbackup-') === true;
}

function hasNoPod({ spec, status = {} }: Job): boolean {
  const { active = 0, ready = 0, succeeded = 0, failed = 0, conditions = [] } = status;
  return spec?.suspend !== true && active + ready + succeeded + failed + conditions.length === 0;
}

async function describe(
  api: KubeApi,
  { metadata = {} }: Job,
  now: number,
  options: RequestOptions,
): Promise<string | null> {
  const { namespace = '', name = '', uid = '', creationTimestamp } = metadata;
  const why = await reason(api, namespace, uid, options);
  const ageMs = now - Date.parse(String(creationTimestamp));
  if (why === null && !(ageMs > patienceMs)) return null;
  return `the Job ${namespace}/${name} has no pod: ${why ?? 'no event says why'}`;
}

async function reason(
  api: KubeApi,
  namespace: string,
  uid: string,
  options: RequestOptions,
): Promise<string | null> {
  const query = { fieldSelector: `involvedObject.uid=${uid},reason=FailedCreate` };
  try {
    const events = await api.list<Event>(eventsPath(namespace), { ...options, query });
    const newest = events
      .toSorted((a, b) => (a.lastTimestamp ?? '').localeCompare(b.lastTimestamp ?? ''))
      .at(-1);
    return newest?.message === undefined ? null : printable(newest.message.slice(0, 600));
  } catch (thrown) {
    return thrown instanceof KubeStatusError ? `events: ${asCephbackupError(thrown).message}` : null;
  }
}
