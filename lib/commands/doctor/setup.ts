import { cephName } from '../shared/ceph.js';
import type { CephStatus } from '../../tools/ceph/status.js';
import type { EpochMs } from '../../log/time.js';
import type { doctorOptions } from './options.js';
import type { Values } from '../../cli/options.js';
import { asCephbackupError } from '../../errors/error.js';
import type { KubeApi } from '../../kube/api.js';
import { connectKube } from '../../kube/client.js';
import { readInventory } from '../../kube/inventory.js';
import type { Inventory } from '../../kube/types.js';
import { buildPlan } from '../../plan/plan.js';
import type { Policy } from '../../plan/policy.js';
import type { Plan, PlannedVolume, VolumeKind } from '../../plan/types.js';
import type { Logger } from '../../log/logger.js';
import type { StartDaemon } from '../../tools/process/daemon.js';
import type { Environment } from '../../tools/process/environment.js';
import type { Exec } from '../../tools/process/exec.js';
import type { Restic } from '../../tools/restic/restic.js';
import type { CephfsClient } from '../../volumes/cephfs/client.js';
import type { CephConnection } from '../../tools/ceph/connection.js';
import type { ClientsFor } from '../../volumes/rbd/image.js';
import { isAllowed } from './checks/access.js';
import { NotChecked } from './check.js';
import { readConfig, type RepositoryConfig } from './checks/repository/facts.js';

export type DoctorValues = Values<typeof doctorOptions>;

export interface SetupParts {
  options: DoctorValues;
  env: NodeJS.ProcessEnv;
  policy: Policy;
  exec: Exec;
  startDaemon: StartDaemon;
  /** Of children. */
  childEnv: Environment;
  restic: Restic;
  clientsFor: ClientsFor;
  /** As whom each cluster is asked. */
  connectionOf: (monitors: readonly string[] | null) => CephConnection;
  cephfsClient: CephfsClient;
  /** The programs that these kinds of volumes need. */
  programsFor: (kinds: ReadonlySet<VolumeKind>) => string[];
  hostname: string;
  log: Logger;
  signal: AbortSignal;
  clock: () => EpochMs;
}

export const kindsOfVolumes: readonly VolumeKind[] = ['rbd-filesystem', 'rbd-block', 'cephfs'];

/** How long one request to the API may take, with retries. */
const patienceMs = 10_000;

/**
 * What the checks look at. What several of them need is asked for once; where it cannot be had, they throw `NotChecked`.
 */
export class Setup {
  constructor(readonly parts: SetupParts) {}

  /** Which images are mapped: disks are only where they are read by segments. */
  async mapped(): Promise<{ filesystems: boolean; disks: boolean }> {
    const kinds = await this.kinds();
    return {
      filesystems: kinds.has('rbd-filesystem'),
      disks: kinds.has('rbd-block') && this.parts.options.keepBase === true,
    };
  }

  readonly #known = new Map<string, Promise<unknown>>();

  /** Asked once, whoever needs it. @throws NotChecked */
  once<T>(what: string, ask: () => Promise<T>): Promise<T> {
    const known = this.#known.get(what) as Promise<T> | undefined;
    if (known !== undefined) return known;
    const asked = ask().catch((thrown: unknown) => {
      if (thrown instanceof NotChecked) throw thrown;
      const error = asCephbackupError(thrown);
      throw new NotChecked(`not checked: no ${what}: ${error.message}`, error);
    });
    // Nobody may be left to hear of it.
    asked.catch(() => undefined);
    this.#known.set(what, asked);
    return asked;
  }

  /** An API that has answered. */
  api(): Promise<KubeApi> {
    return this.once('Kubernetes API', async () => {
      const { options, env, log, signal, clock } = this.parts;
      const { kubeconfig } = options;
      const api = await connectKube({ kubeconfig, env, log, signal, patienceMs, now: clock });
      // What everybody may ask.
      await isAllowed(api, { group: '', resource: 'namespaces', verb: 'list' });
      return api;
    });
  }

  async leaseNamespace(): Promise<string> {
    return this.parts.options.leaseNamespace ?? (await this.api()).contextNamespace;
  }

  inventory(): Promise<Inventory> {
    return this.once('list of claims', async () => readInventory(await this.api(), { patienceMs }));
  }

  plan(): Promise<Plan> {
    return this.once('plan', async () => {
      const { policy, clock } = this.parts;
      return buildPlan(await this.inventory(), policy, new Date(clock()));
    });
  }

  /** The volumes that `run` would try to back up, without those that cannot be. */
  async volumes(...kinds: VolumeKind[]): Promise<PlannedVolume[]> {
    const { volumes } = await this.plan();
    const gaps = new Set(['unsupported', 'host-collision']);
    return volumes.filter(
      ({ backup, reason, kind }) => backup && !gaps.has(reason) && kind !== null && kinds.includes(kind),
    );
  }

  /** The kinds of volumes to be backed up; all, where the claims are not known. */
  async kinds(): Promise<ReadonlySet<VolumeKind>> {
    try {
      return new Set((await this.volumes(...kindsOfVolumes)).flatMap(({ kind }) => kind ?? []));
    } catch (thrown) {
      if (thrown instanceof NotChecked) return new Set(kindsOfVolumes);
      throw thrown;
    }
  }

  /** What `ceph status` says of the cluster with these monitors (null: ceph.conf's). */
  cephStatus(monitors: readonly string[] | null): Promise<CephStatus> {
    return this.once(cephName(monitors), async () => {
      const { clientsFor, signal } = this.parts;
      return clientsFor(monitors).ceph.status({ signal, deadlineMs: cephDeadlineMs });
    });
  }

  /** The repository's own id and format, once it has been opened. */
  repository(): Promise<RepositoryConfig> {
    return this.once('repository', async () => {
      const { restic, signal } = this.parts;
      return readConfig(restic, { signal, deadlineMs: repositoryDeadlineMs });
    });
  }
}

/** Of a command that only asks Ceph something; a client that finds no monitor would try for 30 s. */
export const cephDeadlineMs = 20_000;
/** restic tries for much longer to reach what does not answer. */
export const repositoryDeadlineMs = 30_000;
