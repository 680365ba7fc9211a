import { randomUUID } from 'node:crypto';
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { RunReport } from '../../lib/run/report.js';
import { startCephbackup } from '../cephbackup.js';
import {
  createSubvolume,
  mountShare,
  startCeph,
  whileMounted,
  writeFilesystem,
  type CephCluster,
} from '../ceph.js';
import { imageClaim, shareClaim } from '../claims.js';
import { runningPod } from '../kube/pod.js';
import { startKube, type SandboxKube } from '../kube/index.js';
import { Repository } from '../repository.js';
import { stageEnvironment } from '../stage.js';

export const namespace = 'bench';
const prefix = 'cephbackup.hpc.nyu.edu';

export interface Claim {
  /** The claim's name. */
  name: string;
}

export interface Scripted extends Claim {
  /** The shell script that backs it up, and what that is told of the volume. */
  byHand: readonly [script: string, source: string];
}

export interface Volume extends Claim {
  /** `POOL/IMAGE` */
  image: string;
}

export interface RunOptions {
  repository: Repository;
  /** Only these claims. */
  volumes: readonly Claim[];
  args?: readonly string[];
  /** Instead of PATH. */
  searchPath?: string;
}

export interface FinishedRun {
  report: RunReport;
  stderr: string;
  /** UTC milliseconds. */
  began: number;
}

/** A Ceph with its data in memory, a small Kubernetes API in this process (or a real one), and as many repositories as are wanted. */
export class TestBed {
  #repositories = 0;

  private constructor(
    readonly folder: string,
    readonly cluster: CephCluster,
    readonly kube: SandboxKube,
    private readonly empty: Repository,
    private readonly stopCeph: () => Promise<void>,
  ) {}

  /** @param real whether the API is a real API server */
  static async start(folder: string, filesystems: string[] = [], real = false): Promise<TestBed> {
    await mkdir(path.join(folder, 'tmp'), { recursive: true });
    const [ceph, kube, empty] = await Promise.all([
      startCeph({ dir: path.join(folder, 'ceph'), filesystems }),
      startKube({ dir: path.join(folder, 'kube'), real }),
      Repository.create(path.join(folder, 'restic')),
    ]);
    return new TestBed(folder, ceph.cluster, kube, empty, () => ceph.stop());
  }

  async stop(): Promise<void> {
    await Promise.all([this.kube.stop(), this.stopCeph()]);
  }

  /** An empty one: every volume is new to it. All have one key: restic makes each new one as dear as it finds right. */
  repository(): Promise<Repository> {
    this.#repositories += 1;
    return this.empty.copy(path.join(this.folder, `restic-${this.#repositories}`));
  }

  /** A claim with an ext4 image that `fill` writes into. @param size bytes */
  async volume(name: string, size: number, fill: (root: string) => void): Promise<Volume & Scripted> {
    const image = `rbd/csi-vol-${randomUUID()}`;
    await this.cluster.createImage(image, size);
    await writeFilesystem(this.cluster, image, 'ext4', (root) => {
      fill(root);
      return Promise.resolve();
    });
    await this.kube.seed(imageClaim(this.cluster, { namespace, name }, { image, fsType: 'ext4', size }));
    return { name, image, byHand: ['by-hand.sh', image] };
  }

  /** A claim with the ext4 image that is in a file. */
  async imported(name: string, file: string): Promise<Volume> {
    const image = `rbd/csi-vol-${randomUUID()}`;
    await this.cluster.run('rbd', ['import', '--no-progress', file, image], { timeout: 900_000 });
    const { size } = await stat(file);
    await this.kube.seed(imageClaim(this.cluster, { namespace, name }, { image, fsType: 'ext4', size }));
    return { name, image };
  }

  /** A claim with a CephFS subvolume that `fill` writes into; the bed must have the filesystem `cephfs`. */
  async share(name: string, fill: (root: string) => void): Promise<Scripted> {
    const [filesystem, group, subvolume] = ['cephfs', 'csi', `csi-vol-${randomUUID()}`];
    const where = await createSubvolume(this.cluster, { filesystem, group, name: subvolume });
    await whileMounted(mountShare(this.cluster, filesystem, where), (root) => {
      fill(root);
      return Promise.resolve();
    });
    const options = { filesystem, group, subvolume, path: where, size: 1024 ** 3 };
    await this.kube.seed(shareClaim(this.cluster, { namespace, name }, options));
    return { name, byHand: ['by-hand-cephfs.sh', where] };
  }

  /** Everything that the program needs, with this repository. */
  env(repository: Repository): Record<string, string> {
    const env = stageEnvironment(this.cluster, this.kube, repository.env);
    return { ...env, TMPDIR: path.join(this.folder, 'tmp') };
  }

  /** A claim that is a block device, with an image that nothing was written to. @param size bytes */
  async disk(name: string, size: number, options: string[] = []): Promise<Volume> {
    const image = `rbd/csi-vol-${randomUUID()}`;
    await this.cluster.createImage(image, size, options);
    await this.kube.seed(imageClaim(this.cluster, { namespace, name }, { image, fsType: null, size }));
    return { name, image };
  }

  /** Makes claims a group. */
  async group(name: string, claims: readonly Claim[]): Promise<void> {
    const patch = { metadata: { annotations: { [`${prefix}/group`]: name } } };
    for (const claim of claims) {
      const at = `/api/v1/namespaces/${namespace}/persistentvolumeclaims/${claim.name}`;
      await this.kube.request('PATCH', at, patch, 'application/merge-patch+json');
    }
  }

  /** A running pod that mounts these claims, whose commands run on this machine. @param hooks its annotations */
  async pod(name: string, claims: readonly Claim[], hooks: Record<string, string>): Promise<void> {
    const annotations = Object.entries(hooks).map(([key, value]) => [`${prefix}/${key}`, value]);
    const mounted = claims.map((claim) => claim.name);
    const all = Object.fromEntries(annotations) as Record<string, string>;
    await this.kube.seed([runningPod({ namespace, name }, mounted, all)]);
  }

  /** Starts `cephbackup run`. */
  start({ repository, volumes, args = [], searchPath }: RunOptions) {
    const narrowed = volumes.flatMap(({ name }) => ['--pvc', `${namespace}/${name}`]);
    return startCephbackup(['run', '-o', 'json', ...narrowed, ...args], {
      env: { ...this.env(repository), ...(searchPath === undefined ? {} : { PATH: searchPath }) },
      timeout: 1_800_000,
    });
  }

  /** @throws Error unless every volume was backed up: a run that fails is no measurement. */
  async run(options: RunOptions): Promise<FinishedRun> {
    const began = Date.now();
    const { code, json, stderr } = await this.start(options).result;
    if (code !== 0) throw new Error(`cephbackup run: exit code ${String(code)}\n${stderr}`);
    return { report: json as RunReport, stderr, began };
  }
}
