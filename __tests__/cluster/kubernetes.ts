import path from 'node:path';
import { attempt, run, waitFor } from '../../sandbox/process.js';

const assets = process.env.KUBEBUILDER_ASSETS ?? '';
export const namespace = 'cephbackup';
const within = ['--namespace', namespace];

/** For shell commands as users type them: `helm` and `kubectl` are on PATH. */
export const commandPath = `${assets}:${process.env.PATH ?? ''}`;

export function kubectl(...args: string[]): Promise<string> {
  return run(path.join(assets, 'kubectl'), args);
}

/** `kubectl` in the namespace of the release. */
export function inNamespace(...args: string[]): Promise<string> {
  return kubectl(...within, ...args);
}

export function helm(...args: string[]): Promise<string> {
  return run(path.join(assets, 'helm'), [...within, ...args]);
}

export async function getJson<T>(...args: string[]): Promise<T> {
  return JSON.parse(await kubectl('get', ...args, '--output', 'json')) as T;
}

/** Creates objects; their status, which only the controllers set, is left out. */
export async function create(objects: readonly object[]): Promise<void> {
  const list = { apiVersion: 'v1', kind: 'List', items: objects };
  await run(path.join(assets, 'kubectl'), ['create', '--filename', '-'], { input: JSON.stringify(list) });
}

/** Posts to a path of the API that has no command of its own. */
export async function postRaw(at: string, object: object): Promise<void> {
  const args = ['create', '--raw', at, '--filename', '-'];
  await run(path.join(assets, 'kubectl'), args, { input: JSON.stringify(object) });
}

export interface Pod {
  metadata: { name: string; annotations: Record<string, string>; deletionTimestamp?: string };
  status: {
    phase: string;
    containerStatuses?: { state: { terminated?: { exitCode: number }; running?: object } }[];
  };
}

export interface Job {
  metadata: { name: string; creationTimestamp: string };
  status: { conditions?: { type: string; status: string; reason: string }[]; failedIndexes?: string };
}

export async function jobs(): Promise<Job[]> {
  const { items } = await getJson<{ items: Job[] }>('jobs', ...within);
  return items;
}

/** Waits until a Job has ended. @returns `Complete` or `Failed` */
export async function outcome(name: string, timeout = 120_000): Promise<string> {
  let result = '';
  await waitFor(
    `job ${name} to end`,
    timeout,
    async () => {
      const { status } = await getJson<Job>('job', name, ...within);
      const ended = status.conditions?.find(
        ({ type, status: is }) => is === 'True' && (type === 'Complete' || type === 'Failed'),
      );
      result = ended?.type ?? '';
      return result !== '';
    },
    500,
  );
  return result;
}

/** Starts a Job as users do, without waiting for its pod. */
export async function startJob(name: string, cronJob = 'cephbackup'): Promise<void> {
  await inNamespace('create', 'job', name, `--from=cronjob/${cronJob}`);
}

export async function podsOf(job: string): Promise<Pod[]> {
  const selector = `--selector=batch.kubernetes.io/job-name=${job}`;
  const { items } = await getJson<{ items: Pod[] }>('pods', ...within, selector);
  return items;
}

/** Waits for a running pod of a Job that has printed this. */
export async function whenLogged(job: string, text: string, timeout = 60_000): Promise<Pod> {
  let found: Pod | undefined;
  await waitFor(
    `a pod of ${job} to print ${text}`,
    timeout,
    async () => {
      for (const pod of await podsOf(job)) {
        const { stdout } = await attempt(path.join(assets, 'kubectl'), [
          ...within,
          'logs',
          pod.metadata.name,
        ]);
        if (stdout.includes(text)) found = pod;
      }
      return found !== undefined;
    },
    250,
  );
  if (found === undefined) throw new Error('unreachable');
  return found;
}

export function exitCodeOf({ status }: Pod): number | undefined {
  return status.containerStatuses?.[0]?.state.terminated?.exitCode;
}

/** What a pod printed: log lines on stderr and one document on stdout, which Kubernetes mixes. */
export interface PodOutput<Document> {
  log: { level: string; message: string }[];
  document: Document | undefined;
}

export async function outputOf<Document extends object>(pod: Pod): Promise<PodOutput<Document>> {
  const text = await inNamespace('logs', pod.metadata.name);
  // Every line must be JSON, whatever wrote it.
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Document | { level: string; message: string });
  return {
    log: lines.filter((line): line is { level: string; message: string } => 'level' in line),
    document: lines.find((line): line is Document => !('level' in line)),
  };
}

export interface Event {
  reason: string;
  message: string;
  involvedObject: { name: string };
}

export async function eventsIn(tenant: string): Promise<Event[]> {
  const { items } = await getJson<{ items: Event[] }>('events', '--namespace', tenant);
  return items;
}
