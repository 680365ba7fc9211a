import { randomBytes, randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { KubeObject, PersistentVolume } from '../../lib/kube/types.js';
import { attempt } from '../../sandbox/process.js';
import type { Repository, ResticSnapshot } from '../../sandbox/repository.js';
import { startKube, type Faults, type SandboxKube } from '../../sandbox/kube/index.js';
import { resticProgram, searchPath } from '../../sandbox/tools.js';
import { runCephbackup, startCephbackup, type RunningCephbackup } from '../support/cephbackup.js';
import { FaultyPrograms, type Fault } from '../support/faults.js';
import { claimObjects } from '../support/kube/objects.js';
import { freshRepository } from '../support/repository.js';
import { atEnd, temporaryFolder } from '../support/temporary.js';

export const prefix = 'cephbackup.hpc.nyu.edu';

export interface BedClaim {
  namespace: string;
  pvc: string;
  uid: string;
  kind?: string;
}

/** What `prune -o json` prints, as far as tests look at it. */
export interface Answer {
  code: number | null;
  signal: NodeJS.Signals | null;
  stderr: string;
  json: {
    claims: {
      namespace: string;
      pvc: string;
      uid: string;
      exists: boolean;
      keep: { id: string; time: string; reasons: string[] }[];
      forget: { id: string; time: string; reasons: string[] }[];
    }[];
    manifests: { keep: { id: string }[]; forget: { id: string }[] };
    others: number;
    forgotten: number;
    repository: { snapshots: number | null; bytesFreed: number | null; bytesRemaining: number | null };
    warnings: string[];
    error?: { code: string; message: string; guidance: string };
  };
}

export interface PruneOptions {
  repository?: Repository;
  faults?: readonly Fault[];
  env?: Record<string, string>;
}

/** A Kubernetes API and a repository with backups of the past: no Ceph, which prune does not need. */
export class Bed {
  private constructor(
    readonly folder: string,
    readonly kube: SandboxKube & { faults: Faults },
    readonly repository: Repository,
    /** The UID of kube-system: the tag `cluster=`. */
    readonly cluster: string,
  ) {}

  static async create(): Promise<Bed> {
    const folder = await temporaryFolder('prune');
    const [kube, repository] = await Promise.all([
      startKube({ dir: path.join(folder, 'kube'), real: false }),
      freshRepository(),
    ]);
    atEnd(() => kube.stop());
    const { body } = await kube.request('GET', '/api/v1/namespaces/kube-system');
    const cluster = (body as KubeObject).metadata?.uid ?? '';
    const { faults } = kube;
    if (faults === null) throw new Error('no stand-in');
    return new Bed(folder, { ...kube, faults }, repository, cluster);
  }

  /** A claim that exists. */
  async claim(namespace: string, pvc: string): Promise<BedClaim> {
    const [claim] = await this.kube.seed(claimObjects(namespace, pvc));
    return { namespace, pvc, uid: claim?.metadata?.uid ?? '' };
  }

  /** A claim that exists no more. */
  deleted(namespace: string, pvc: string): BedClaim {
    return { namespace, pvc, uid: randomUUID() };
  }

  /** Marks a snapshot as the claim's proven backup, as `run` does. */
  async mark({ pvc, uid }: BedClaim, snapshot: string): Promise<void> {
    const file = `/api/v1/persistentvolumes/pv-${pvc}`;
    const { body } = await this.kube.request('GET', file);
    const volume = body as PersistentVolume;
    const annotations = {
      [`${prefix}/last-snapshot`]: snapshot,
      [`${prefix}/last-backup-claim`]: uid,
    };
    await this.kube.request('PUT', file, { ...volume, metadata: { ...volume.metadata, annotations } });
  }

  tags({ namespace, pvc, uid, kind = 'rbd-filesystem' }: BedClaim, cluster = this.cluster): string[] {
    return [
      `cluster=${cluster}`,
      `namespace=${namespace}`,
      `pvc=${pvc}`,
      `uid=${uid}`,
      `pv=pv-${pvc}`,
      `kind=${kind}`,
    ];
  }

  /** A backup of `time` (`YYYY-MM-DD hh:mm:ss`); returns its id. `bytes` of data that are in no other. */
  async backup(
    claim: BedClaim,
    time: string,
    { tags = this.tags(claim), bytes = 20_000, repository = this.repository } = {},
  ): Promise<string> {
    const host = `k8s-${claim.namespace}-nspvc-${claim.pvc}`;
    return this.save(host, tags, time, randomBytes(bytes), repository);
  }

  /** The manifests of a run. */
  manifests(time: string, { tags = [`cluster=${this.cluster}`, 'kind=manifests'] } = {}): Promise<string> {
    return this.save('k8s-manifests', tags, time, Buffer.from('{}'), this.repository);
  }

  async save(
    host: string,
    tags: string[],
    time: string,
    content: Buffer,
    { env }: Repository,
  ): Promise<string> {
    const file = path.join(this.folder, randomUUID());
    await writeFile(file, content);
    const tagging = tags.length === 0 ? [] : ['--tag', tags.join(',')];
    const args = ['backup', '--json', '--host', host, '--time', time, ...tagging, file];
    const { code, stdout, stderr } = await attempt(resticProgram, args, { env: { ...env, TZ: 'UTC' } });
    const id = /"snapshot_id":"([0-9a-f]{64})"/.exec(stdout)?.[1];
    if (code !== 0 || id === undefined) throw new Error(`backup: ${stderr}`);
    return id;
  }

  environment({ repository = this.repository, faults = [], env = {} }: PruneOptions = {}) {
    const programs = faults.length === 0 ? null : new FaultyPrograms(faults, searchPath());
    return {
      ...repository.env,
      TMPDIR: this.folder,
      KUBECONFIG: this.kube.kubeconfig,
      ...(programs === null ? {} : { PATH: programs.path }),
      ...env,
    };
  }

  start(args: readonly string[], options: PruneOptions = {}): RunningCephbackup {
    return startCephbackup(['prune', '-o', 'json', ...args], { env: this.environment(options) });
  }

  async prune(args: readonly string[], options: PruneOptions = {}): Promise<Answer> {
    return answerOf(await this.start(args, options).result);
  }

  /** What is printed for people. */
  async table(args: readonly string[], options: PruneOptions = {}): Promise<string> {
    return (await runCephbackup(['prune', ...args], { env: this.environment(options) })).stdout;
  }
}

export function answerOf({ code, signal, stderr, json }: Awaited<RunningCephbackup['result']>): Answer {
  return { code, signal, stderr, json: json as Answer['json'] };
}

export function ids(snapshots: readonly Pick<ResticSnapshot, 'id'>[]): string[] {
  return snapshots.map(({ id }) => id).toSorted();
}
