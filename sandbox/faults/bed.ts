import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { KubeObject, PersistentVolume } from '../../lib/kube/types.js';
import type { CephCluster, MountedVolume } from '../ceph.js';
import { mountShare } from '../ceph/shares.js';
import { checkout } from '../checkout.js';
import { startCephbackup, type RunningCephbackup } from '../cephbackup.js';
import { startStandIn } from '../kube/stand-in.js';
import type { Faults } from '../kube/stand-in/faults.js';
import type { SandboxKube } from '../kube/types.js';
import { Repository, type ResticSnapshot } from '../repository.js';
import { stageEnvironment } from '../stage.js';
import { observeWorld, type World } from '../world.js';
import { filesystem, sow, type Ground, type Kind } from './kinds.js';
import type { FaultyPrograms } from './programs.js';

export const prefix = 'cephbackup.hpc.nyu.edu/';
/** Nobody would choose it by chance: where it is seen, it was printed. */
const password = 'correct-horse-battery-staple';

export interface BedClaim {
  kind: Kind;
  namespace: string;
  name: string;
  uid: string;
  pv: string;
  /** `POOL/NAMESPACE/IMAGE`, or the path of a share. */
  at: string;
}

/** Each backup of a disk has a base of its own: only how many an image has is compared. */
function withoutBaseNames(lines: readonly string[]): string[] {
  const counts = new Map<string, number>();
  return lines.map((line) => {
    const image = /^snapshot \d+ cephbackup-[0-9a-f]{8}-base-[0-9a-f]{16} of (.*)$/.exec(line)?.[1];
    if (image === undefined) return line;
    const count = (counts.get(image) ?? 0) + 1;
    counts.set(image, count);
    return `base ${count} of ${image}`;
  });
}

const locksOf = ({ env }: Repository): string => path.join(env.RESTIC_REPOSITORY, 'locks');

/** What the sandbox of another checkout has on this machine. */
function isOthers(line: string): boolean {
  const [, owner] = /^loop device \S+ of (.*)\/\.cache\/run\//.exec(line) ?? [];
  return owner !== undefined && owner !== checkout;
}

/** An API, a repository and volumes of its own, which one case after the other is tried on. */
export class Bed {
  readonly claims: BedClaim[] = [];
  readonly secrets = [password];
  readonly #directories: string[] = [];
  #root: MountedVolume | null = null;
  #count = 0;

  private constructor(
    readonly ground: Ground,
    readonly kube: SandboxKube & { faults: Faults },
    readonly repository: Repository,
    /** TMPDIR of the program. */
    readonly temporary: string,
  ) {}

  /** @param folder a new one, for everything that is no volume */
  static async create(cluster: CephCluster, folder: string): Promise<Bed> {
    const id = randomBytes(4).toString('hex');
    const temporary = path.join(folder, 'tmp');
    await mkdir(temporary, { recursive: true });
    await mkdir(path.join(folder, 'kube'));
    const place = `rbd/faults-${id}`;
    const [kube, repository] = await Promise.all([
      startStandIn({ dir: path.join(folder, 'kube') }),
      Repository.create(path.join(folder, 'restic'), { password, quick: true }),
      cluster.rbd('namespace', 'create', place),
    ]);
    const { faults } = kube;
    if (faults === null) throw new Error('a stand-in without faults');
    const ground = { cluster, place, group: `faults-${id}`, folder };
    return new Bed(ground, { ...kube, faults }, repository, temporary);
  }

  /** A volume with content, and its claim. */
  async claim(kind: Kind, name: string = kind, annotations: Record<string, string> = {}): Promise<BedClaim> {
    const sown = await sow(kind, name, this.ground);
    const [claim] = sown.objects;
    if (claim?.metadata !== undefined) Object.assign((claim.metadata.annotations ??= {}), annotations);
    if (sown.directory !== undefined) {
      this.#directories.push(sown.directory);
      this.#root ??= await mountShare(this.ground.cluster, filesystem, '/');
    }
    return this.bind(kind, sown.objects, sown.at);
  }

  async bind(kind: Kind, objects: readonly KubeObject[], at: string): Promise<BedClaim> {
    const [claim] = await this.kube.seed(objects);
    const { namespace = '', name = '', uid = '' } = claim?.metadata ?? {};
    const pv = (claim as { spec?: { volumeName?: string } }).spec?.volumeName ?? '';
    const bound = { kind, namespace, name, uid, pv, at };
    this.claims.push(bound);
    return bound;
  }

  /** A name that was not used here yet. */
  fresh(stem: string): string {
    this.#count += 1;
    return `${stem}-${this.#count}`;
  }

  get env(): Record<string, string> {
    const { cluster, folder } = this.ground;
    const stage = stageEnvironment(cluster, this.kube, this.repository.env);
    return { ...stage, HOME: folder, TMPDIR: this.temporary };
  }

  start(
    args: readonly string[],
    {
      programs,
      timeoutMs,
      env: more = {},
    }: { programs?: FaultyPrograms; timeoutMs?: number; env?: Record<string, string> } = {},
  ): RunningCephbackup {
    const env = { ...this.env, ...more, ...(programs === undefined ? {} : { PATH: programs.path }) };
    const running = startCephbackup([...args, '-o', 'json', '--log-level', 'debug'], {
      env,
      ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
    });
    return running;
  }

  /** The part of the world that a killed program answers for. */
  async node(): Promise<World> {
    const { cluster } = this.ground;
    const seen = await observeWorld({ cluster, temporary: this.temporary });
    return new Set([...seen].filter((line) => !isOthers(line)));
  }

  async world(): Promise<World> {
    const { cluster, place, group } = this.ground;
    const shares = this.claims.some(({ kind }) => kind === 'cephfs-subvolume');
    const seen = await observeWorld({
      cluster,
      imagePools: [place],
      shareGroups: shares ? [{ filesystem, group }] : [],
      temporary: this.temporary,
    });
    const hidden = await Promise.all(
      this.#directories.map(async (directory) =>
        (await readdir(`${this.#root?.path ?? ''}${directory}/.snap`)).map(
          (name) => `snapshot ${name} of directory ${directory}`,
        ),
      ),
    );
    return new Set(withoutBaseNames([...seen, ...hidden.flat()]).filter((line) => !isOthers(line)));
  }

  /** The marks of a claim's volume. */
  async marks({ pv }: BedClaim): Promise<Record<string, string>> {
    const { body } = await this.kube.request('GET', `/api/v1/persistentvolumes/${pv}`);
    const all = Object.entries((body as PersistentVolume).metadata?.annotations ?? {});
    return Object.fromEntries(
      all.filter(([key]) => key.startsWith(prefix)).map(([key, value]) => [key.slice(prefix.length), value]),
    );
  }

  async allMarks(): Promise<Map<string, Record<string, string>>> {
    return new Map(
      await Promise.all(this.claims.map(async (claim) => [claim.uid, await this.marks(claim)] as const)),
    );
  }

  snapshots(): Promise<ResticSnapshot[]> {
    return this.repository.snapshots('--no-lock');
  }

  async locks(repository = this.repository): Promise<string[]> {
    return readdir(locksOf(repository));
  }

  /** What a killed restic leaves: its process is gone, nobody else could know that it is stale. */
  async breakLocks(repository = this.repository): Promise<void> {
    const folder = locksOf(repository);
    for (const name of await readdir(folder)) await rm(path.join(folder, name), { force: true });
  }

  /** As if a killed run's lease had expired. */
  async expireLease(): Promise<void> {
    await this.kube.request('DELETE', '/apis/coordination.k8s.io/v1/namespaces/default/leases/cephbackup');
  }

  /** Ends the watches of clients that were killed, as time would. */
  async forgetDeadClients(): Promise<void> {
    for (const line of await this.world()) {
      const address = /^watcher (\S+) of/.exec(line)?.[1];
      if (address !== undefined) await this.ground.cluster.ceph(`osd blocklist add ${address} 3600`);
    }
  }

  /** Names that mean something in this bed alone, the longest first. */
  get names(): string[] {
    const { cluster, folder, place, group } = this.ground;
    const [pool = '', namespace = ''] = place.split('/');
    const { url } = this.kube;
    return [
      ...this.claims.flatMap(({ at, uid, pv }) => [at, uid, pv]),
      ...[folder, cluster.dir, cluster.fsid, `${pool}/${namespace}`, namespace, group, url],
    ].sort((a, b) => b.length - a.length);
  }

  async stop(): Promise<void> {
    await this.#root?.unmount();
    await this.kube.stop();
    await rm(this.ground.folder, { recursive: true, force: true });
  }
}
