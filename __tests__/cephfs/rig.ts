import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { createSubvolume, type CephCluster } from '../../sandbox/ceph.js';
import type { Repository } from '../../sandbox/repository.js';
import { searchPath } from '../../sandbox/tools.js';
import { Pace } from '../../lib/waiting/pace.js';
import { Activity } from '../../lib/log/progress/activity.js';
import type { CephbackupError } from '../../lib/errors/error.js';
import type { PlannedVolume } from '../../lib/plan/types.js';
import { silent, type Logger } from '../../lib/log/logger.js';
import { Redactor } from '../../lib/log/redactor.js';
import { History } from '../../lib/repository/history.js';
import type { VolumeResult } from '../../lib/run/report.js';
import type { Leftover } from '../../lib/ownership/scope.js';
import { OwnMoment } from '../../lib/run/moment.js';
import { backupVolume } from '../../lib/run/volume/backup.js';
import type { CephConnection } from '../../lib/tools/ceph/connection.js';
import { Ceph } from '../../lib/tools/ceph/ceph.js';
import { startDaemon } from '../../lib/tools/process/daemon.js';
import { childEnvironment, resticEnvironment } from '../../lib/tools/process/environment.js';
import { createExec, type Exec } from '../../lib/tools/process/exec.js';
import { Rbd } from '../../lib/tools/rbd/images.js';
import { GroupReader } from '../../lib/repository/read-back.js';
import { Restic } from '../../lib/tools/restic/restic.js';
import { CephfsDriver, type CephfsTools } from '../../lib/volumes/cephfs/driver.js';
import { fuseClient } from '../../lib/volumes/cephfs/fuse.js';
import { cephFsClients } from '../../lib/volumes/cephfs/locate.js';
import { CephfsSweeper } from '../../lib/volumes/cephfs/sweep.js';
import type { SweepReport } from '../../lib/volumes/driver.js';
import type { ClientsFor } from '../../lib/volumes/rbd/image.js';
import { lineOf } from '../plan/world.js';
import { ceph, freshGroup } from '../support/ceph.js';
import { freshRepository } from '../support/repository.js';

export const installation = randomBytes(4).toString('hex');

export interface BackupOptions {
  /** In front of PATH: executables that inject faults. */
  path?: string;
  user?: { id: string; keyring: string };
  monitors?: readonly string[];
  name?: string;
  /** Where it is that of other volumes of the run, too. */
  driver?: CephfsDriver;
  /** Milliseconds. */
  timeout?: number;
  signal?: AbortSignal;
  /** Called with each step of the volume. */
  onStep?: (step: string) => void;
  repository?: Repository;
}

export interface Outcome {
  result: VolumeResult;
  leftovers: Leftover[];
  error: CephbackupError | null;
}

/** Backs up single CephFS volumes by the engine, without Kubernetes: planner, driver, restic and proof are the real ones. */
export class Rig {
  /** The snapshot that a PersistentVolume would be marked with, by the claim's UID. */
  readonly marks = new Map<string, string>();
  #number = 0;
  readonly run = randomBytes(4).toString('hex');

  private constructor(
    readonly cluster: CephCluster,
    readonly repository: Repository,
    readonly group: string,
  ) {}

  static async create(): Promise<Rig> {
    const [cluster, repository] = await Promise.all([ceph(), freshRepository()]);
    return new Rig(cluster, repository, freshGroup());
  }

  /** A subvolume with an own name; returns its path. */
  async subvolume(name: string, filesystem = 'cephfs', size?: number): Promise<string> {
    return createSubvolume(this.cluster, { filesystem, group: this.group, name }, size);
  }

  /** The planned volume of a dynamically provisioned claim. */
  dynamic(name: string, path: string, fs = 'cephfs'): PlannedVolume {
    return this.volume(`team/${name}`, { fsName: fs, subvolumeName: name, subvolumePath: path });
  }

  /** The planned volume of a static PersistentVolume on a path. */
  fixed(claim: string, rootPath: string, more: Record<string, string> = {}): PlannedVolume {
    const attributes = { fsName: 'cephfs', staticVolume: 'true', rootPath, ...more };
    return this.volume(`team/${claim}`, attributes);
  }

  volume(claim: string, attributes: Record<string, string>, volumeHandle = `handle-${claim}`): PlannedVolume {
    const [namespace = '', name = ''] = claim.split('/');
    const line = lineOf({
      uid: `uid-${claim}`,
      spec: {
        csi: {
          driver: 'cephfs.csi.ceph.com',
          volumeHandle,
          volumeAttributes: { clusterID: 'sandbox', ...attributes },
        },
      },
    });
    return { ...line, namespace, pvc: name, host: `k8s-${namespace}-nspvc-${name}` };
  }

  exec(path?: string, log: Logger = silent): Exec {
    return createExec({ env: this.#env(path), log, redactor: new Redactor() });
  }

  tools(options: BackupOptions = {}): CephfsTools {
    const exec = this.exec(options.path);
    const env = this.#env(options.path);
    const tools = { exec, startDaemon, env };
    const client = fuseClient(tools);
    return { ...tools, client, cephFsFor: cephFsClients(exec, this.#clients(exec, options)) };
  }

  driver(options: BackupOptions = {}): CephfsDriver {
    return new CephfsDriver(this.tools(options));
  }

  async backup(volume: PlannedVolume, options: BackupOptions = {}): Promise<Outcome> {
    const exec = this.exec(options.path);
    const { env } = options.repository ?? this.repository;
    const environment = resticEnvironment({ ...this.#env(options.path), ...env });
    const restic = new Restic(exec, environment, { upload: null, download: null });
    const driver = options.driver ?? this.driver(options);
    const tools = {
      exec,
      restic,
      // Asked for only where there is something to be found: it takes restic half a second.
      history: Promise.resolve(new History(this.marks.has(volume.uid) ? await restic.snapshots([]) : [])),
      recorder: {
        succeeded: ({ uid }: PlannedVolume, { snapshot }: { snapshot: string }) => {
          this.marks.set(uid, snapshot);
          return Promise.resolve('marked' as const);
        },
        failed: () => Promise.resolve(),
        isGone: () => Promise.resolve(false),
      },
      driverFor: () => driver,
      readBack: new GroupReader(restic),
      clusterName: 'sandbox',
      node: hostname(),
      proofs: { proven: () => undefined, unproven: () => undefined, image: () => undefined },
      volumeTimeoutMs: options.timeout ?? null,
      markedSnapshot: ({ uid }: PlannedVolume) => this.marks.get(uid) ?? null,
      clock: () => Date.now(),
      log: silent,
      progress: {
        begin: (name: string) =>
          Object.assign(new Activity(name, () => undefined), {
            step: (text: string) => options.onStep?.(text),
          }),
        close: () => undefined,
      },
      lastAttempt: () => null,
      failedLast: () => false,
      pace: new Pace(0),
      fullEveryMs: 0,
      maySave: Promise.resolve(),
      readKey: () => Promise.resolve(),
      mayMark: () => Promise.resolve(),
      onCorrupt: 'fail' as const,
      exclude: { caches: false, ifPresent: [] },
      temporary: '/tmp',
    };
    const signal = options.signal ?? new AbortController().signal;
    const moment = new OwnMoment({ hooks: null, elsewhere: () => new Set() }, volume);
    return backupVolume(tools, volume, options.name ?? this.nextName(), moment, signal);
  }

  /** Like a later run of the same installation. */
  async sweep(
    volumes: readonly PlannedVolume[],
    { liveRuns = [], dryRun = false }: { liveRuns?: string[]; dryRun?: boolean } = {},
  ): Promise<SweepReport> {
    const tools = this.tools();
    return new CephfsSweeper(tools, hostname()).sweep({
      installation,
      liveRuns: new Set(liveRuns),
      volumes,
      bases: 'keep',
      everyClaim: [],
      thorough: true,
      nodeOnly: false,
      dryRun,
      signal: new AbortController().signal,
      log: silent,
    });
  }

  async audit(names: ReadonlySet<string>, volumes: readonly PlannedVolume[]): Promise<Leftover[]> {
    const signal = new AbortController().signal;
    const audited = await new CephfsSweeper(this.tools(), hostname()).audit({ names, volumes, signal });
    if (audited.problems.length > 0) throw new Error(audited.problems.join('\n'));
    return audited.leftovers;
  }

  nextName(): string {
    this.#number += 1;
    return `cephbackup-${installation}-${this.run}-${this.#number}`;
  }

  /** Names of the snapshots of a subvolume. */
  async snapshots(subvolume: string, filesystem = 'cephfs'): Promise<string[]> {
    const args = ['fs', 'subvolume', 'snapshot', 'ls', filesystem, subvolume, '--group_name', this.group];
    const found = (await this.cluster.json('ceph', args)) as { name: string }[];
    return found.map(({ name }) => name);
  }

  #clients(exec: Exec, { user, monitors }: BackupOptions): ClientsFor {
    const connection: CephConnection = {
      conf: this.cluster.conf,
      user: user?.id ?? null,
      keyring: user?.keyring ?? null,
      monitors: monitors ?? null,
    };
    return () => ({ rbd: new Rbd(exec, connection), ceph: new Ceph(exec, connection) });
  }

  #env(path = searchPath()) {
    return childEnvironment({ ...process.env, PATH: path });
  }
}
