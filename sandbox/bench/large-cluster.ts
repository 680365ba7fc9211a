import path from 'node:path';
import { connectKube } from '../../lib/kube/client.js';
import type { KubeApi } from '../../lib/kube/api.js';
import { recordEvent } from '../../lib/kube/events.js';
import { acquireLease } from '../../lib/kube/lease/acquire.js';
import { markBackup } from '../../lib/kube/marks.js';
import type { KubeObject, PersistentVolume } from '../../lib/kube/types.js';
import { createLogger } from '../../lib/log/logger.js';
import { Redactor } from '../../lib/log/redactor.js';
import { startCephbackup, type CephbackupResult } from '../cephbackup.js';
import { information, median, type Bench, type Figure } from './figure.js';
import { manyClaims } from './many-claims.js';
import { sample, type Sample } from './memory.js';
import { smallVolumes } from './small-volumes.js';
import { measure } from './stopwatch.js';
import { TestBed, type Volume } from './test-bed.js';

/** Clusters of many claims on a real API server with its own limits: reading, planning, lease, marks, events, a run. */
export const largeCluster: Bench = async ({ folder, quick, tell }) => {
  const asked = process.env.CLAIMS?.split(',').map(Number) ?? [10_000, 100_000];
  const figures: Figure[] = [];
  for (const claims of quick ? [1_000] : asked) {
    const bed = await TestBed.start(path.join(folder, String(claims)), [], true);
    try {
      const of = await oneCluster(bed, claims, quick ? 50 : 1_000, tell);
      figures.push(...of.map((figure) => ({ ...figure, what: `${claims} claims: ${figure.what}` })));
    } finally {
      await bed.stop();
    }
  }
  return { figures, notes: [] };
};

async function oneCluster(
  bed: TestBed,
  claims: number,
  marked: number,
  tell: (text: string) => void,
): Promise<Figure[]> {
  tell(`making ${claims} claims`);
  const volumes = await smallVolumes(bed, 3);
  // Opted out, so that a run of three volumes reads, plans and saves the manifests of all.
  const objects = manyClaims(claims, true);
  await bed.kube.store?.(objects.map(asWritten));
  const repository = await bed.repository();
  const env = bed.env(repository);
  const figures: Figure[] = [];
  for (const [name, args] of [
    ['list -o json', ['list', '-o', 'json']],
    ['run --dry-run -o json, the plan', ['run', '--dry-run', '-o', 'json']],
    ['status -o json', ['status', '-o', 'json']],
  ] as const) {
    tell(name);
    const seen = await sample(() => startCephbackup(args, { env, timeout: 900_000 }));
    requireVolumes(seen.result, claims + volumes.length);
    figures.push(...costs(name, seen));
  }
  tell('a run of three volumes');
  figures.push(...(await wholeRun(volumes, env)));
  tell(`marks and events of ${marked} claims, leases`);
  const signal = new AbortController().signal;
  const { log } = createLogger({
    ...{ level: 'error', format: 'text', stream: process.stderr },
    redactor: new Redactor(),
  });
  const api = await connectKube({ kubeconfig: bed.kube.kubeconfig, env: {}, log, signal });
  figures.push(...(await marks(api, objects, marked)));
  const leases: number[] = [];
  const member = { group: null, member: 'bench', hostname: 'bench' };
  // While somebody reads everything.
  const reading = startCephbackup(['list', '-o', 'json'], { env, timeout: 900_000 }).result;
  for (let count = 0; count < 10; count += 1) {
    const { seconds, result } = await measure(() =>
      acquireLease({ api, namespace: 'default', ...member, signal, log }),
    );
    leases.push(seconds);
    await result.release();
  }
  await reading;
  return [
    ...figures,
    information('lease taken, middle, while all is listed', median(leases), 's'),
    information('lease taken, longest', Math.max(...leases), 's'),
  ];
}

async function wholeRun(volumes: readonly Volume[], env: Record<string, string>): Promise<Figure[]> {
  const args = ['run', '-o', 'json', '--log-level', 'debug'];
  const first = await sample(() => startCephbackup(args, { env, timeout: 900_000 }));
  if (first.result.code !== 0) throw new Error(`cephbackup run: ${first.result.stderr.slice(-3000)}`);
  const again = await sample(() => startCephbackup(args, { env, timeout: 900_000 }));
  const requests = again.result.stderr
    .split('\n')
    .filter((line) => /status=?\d|"status":\d/.test(line)).length;
  return [
    ...costs(`a run of ${volumes.length} volumes, first`, first),
    ...costs('the same, unchanged', again),
    information('requests to the API in it', requests, ''),
  ];
}

/** As `run` makes them, four at a time. */
async function marks(api: KubeApi, objects: readonly KubeObject[], count: number): Promise<Figure[]> {
  const volumes = objects.filter(({ kind }) => kind === 'PersistentVolume').slice(0, count);
  const each = async (work: (volume: PersistentVolume) => Promise<unknown>) => {
    const next = volumes.values();
    const worker = async () => {
      for (const volume of next) await work(volume);
    };
    return (await measure(() => Promise.all(Array.from({ length: 4 }, worker)))).seconds;
  };
  const time = new Date().toISOString();
  const marking = await each(async ({ metadata, spec }) => {
    const mark = {
      pv: metadata?.name ?? '',
      claimUid: spec?.claimRef?.uid ?? '',
      prefix: 'cephbackup.hpc.nyu.edu',
    };
    const result = await markBackup(api, {
      ...mark,
      lastBackup: time,
      snapshotId: 'a'.repeat(64),
      attempt: time,
    });
    if (result !== 'marked') throw new Error(`${mark.pv}: ${result}`);
  });
  const telling = await each(async ({ spec: { claimRef = {} } = {} }) => {
    const { namespace = '', name = '', uid = '' } = claimRef;
    const warning = await recordEvent(api, {
      ...{ claim: { namespace, name, uid }, reason: 'BackupSucceeded', message: 'backed up' },
      ...{ runId: '0123abcd', time: Date.now() },
    });
    if (warning !== null) throw new Error(warning);
  });
  return [
    information(`${count} marks, four at a time`, marking, 's'),
    information(`${count} events, four at a time`, telling, 's'),
  ];
}

/** With the record of who wrote which field that the API adds, and lists send. */
function asWritten(object: KubeObject): KubeObject {
  const managedFields = ['kube-controller-manager', 'csi-provisioner'].map((manager) => ({
    ...{
      manager,
      operation: 'Update',
      apiVersion: 'v1',
      time: '2024-05-17T09:31:04Z',
      fieldsType: 'FieldsV1',
    },
    fieldsV1: {
      'f:metadata': { 'f:annotations': { '.': {}, 'f:pv.kubernetes.io/bind-completed': {} } },
      'f:spec': { 'f:accessModes': {}, 'f:resources': { 'f:requests': { '.': {}, 'f:storage': {} } } },
    },
  }));
  return { ...object, metadata: { ...object.metadata, managedFields } as KubeObject['metadata'] & object };
}

function costs(name: string, { seconds, processorSeconds, peak }: Sample<unknown>): Figure[] {
  return [
    information(`${name}, wall`, seconds, 's'),
    information(`${name}, processor of the program`, processorSeconds, 's'),
    information(`${name}, memory of the program`, peak, 'MB'),
  ];
}

function requireVolumes({ code, json, stderr }: CephbackupResult, count: number): void {
  const { volumes } = (json ?? {}) as { volumes?: unknown[] };
  if (code !== 0 || volumes?.length !== count)
    throw new Error(`${String(code)}, ${volumes?.length ?? 'no'} volumes: ${stderr.slice(-2000)}`);
}
