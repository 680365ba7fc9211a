import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { KubeObject, PersistentVolume, PersistentVolumeClaim } from '../../lib/kube/types.js';
import type { RunReport, VolumeResult } from '../../lib/run/report.js';
import { writeFilesystem, type CephCluster, type FilesystemType } from '../../sandbox/ceph.js';
import { startKube } from '../../sandbox/kube/index.js';
import type { Faults } from '../../sandbox/kube/stand-in/faults.js';
import type { SandboxKube } from '../../sandbox/kube/types.js';
import type { Repository, ResticSnapshot } from '../../sandbox/repository.js';
import { searchPath } from '../../sandbox/tools.js';
import { hasGuest, guestReady, runInGuest } from '../../sandbox/vm/guest.js';
import { observeWorld, type World, type WorldScope } from '../../sandbox/world.js';
import { ceph, freshNamespace } from './ceph.js';
import { startCephbackup, type CephbackupResult, type RunningCephbackup } from './cephbackup.js';
import { FaultyPrograms, type Fault } from './faults.js';
import { freshRepository } from './repository.js';
import { atEnd, temporaryFolder } from './temporary.js';

export const prefix = 'cephbackup.hpc.nyu.edu';

export interface ClaimOptions {
  namespace?: string;
  /** What the PersistentVolume says; the image itself gets `format`. */
  fsType?: string;
  format?: FilesystemType | 'none';
  /** Any size rbd takes. */
  size?: string;
  volumeMode?: 'Filesystem' | 'Block';
  annotations?: Record<string, string>;
  fill?: (root: string) => Promise<void>;
  /** Instead of an image of its own. */
  image?: string;
}

export interface SeededClaim {
  namespace: string;
  name: string;
  uid: string;
  pv: string;
  /** `pool/namespace/image` */
  image: string;
}

export interface RunOptions {
  faults?: readonly Fault[];
  env?: Record<string, string>;
  /** Programs whose calls are recorded in `calls`. */
  programs?: FaultyPrograms;
  /** argv that starts the program. */
  under?: readonly string[];
}

/** A Kubernetes API, a repository and a RADOS namespace for one test file, on the shared Ceph. */
export class Scenario {
  private constructor(
    readonly cluster: CephCluster,
    readonly kube: SandboxKube,
    readonly repository: Repository,
    /** `pool/namespace` of all images. */
    readonly place: string,
    /** TMPDIR of the program. */
    readonly temporary: string,
  ) {}

  /** `standIn`: for tests that inject faults into the API, which a real one does not let itself be talked into. */
  static async create({ standIn = false } = {}): Promise<Scenario> {
    const folder = await temporaryFolder('scenario');
    const temporary = path.join(folder, 'tmp');
    await mkdir(temporary);
    if (hasGuest()) await mountTemporary(temporary);
    const [cluster, kube, repository, place] = await Promise.all([
      ceph(),
      startKube({ dir: path.join(folder, 'kube'), ...(standIn ? { real: false } : {}) }),
      freshRepository(),
      freshNamespace(),
    ]);
    atEnd(() => kube.stop());
    if (!kube.real)
      await kube.seed([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system' } }]);
    return new Scenario(cluster, kube, repository, place, temporary);
  }

  /** A claim with an image that has a filesystem, bound as ceph-csi binds it. */
  async claim(name: string, options: ClaimOptions = {}): Promise<SeededClaim> {
    const {
      namespace = 'demo',
      format = 'ext4',
      size = '64M',
      fsType = 'ext4',
      volumeMode = 'Filesystem',
    } = options;
    const image = options.image ?? `${this.place}/csi-vol-${randomUUID()}`;
    if (options.image === undefined) {
      await this.cluster.createImage(image, size);
      if (format !== 'none') {
        await writeFilesystem(this.cluster, image, format, options.fill ?? (() => Promise.resolve()));
      }
    }
    const [pool = '', radosNamespace = '', imageName = ''] = image.split('/');
    const uid = randomUUID();
    const pv = `pvc-${uid}`;
    const [claim] = (await this.kube.seed([
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name, namespace, uid, ...(options.annotations && { annotations: options.annotations }) },
        spec: {
          volumeName: pv,
          volumeMode,
          accessModes: ['ReadWriteOnce'],
          resources: { requests: { storage: '64Mi' } },
          storageClassName: 'rbd',
        },
        status: { phase: 'Bound', capacity: { storage: '64Mi' } },
      } as KubeObject,
      {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name: pv },
        spec: {
          capacity: { storage: '64Mi' },
          volumeMode,
          accessModes: ['ReadWriteOnce'],
          storageClassName: 'rbd',
          persistentVolumeReclaimPolicy: 'Delete',
          claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid },
          csi: {
            driver: 'rbd.csi.ceph.com',
            volumeHandle: `0001-0004-ceph-0000000000000002-${uid}`,
            ...(volumeMode === 'Block' ? {} : { fsType }),
            volumeAttributes: { clusterID: 'ceph', pool, radosNamespace, imageName },
          },
        },
        status: { phase: 'Bound' },
      } as KubeObject,
    ])) as [PersistentVolumeClaim];
    return { namespace, name, uid: claim.metadata?.uid ?? '', pv, image };
  }

  /** The environment of the program; nothing of this process's own. */
  environment({ faults = [], env = {}, programs: given }: RunOptions = {}): Record<string, string> {
    const programs = given ?? (faults.length === 0 ? null : new FaultyPrograms(faults, searchPath()));
    return {
      ...this.repository.env,
      TMPDIR: this.temporary,
      KUBECONFIG: this.kube.kubeconfig,
      // A virtual machine has what the program uses by default.
      ...(!hasGuest() ? { CEPHBACKUP_MAPPER: 'fuse', CEPHBACKUP_CEPHFS_CLIENT: 'fuse' } : {}),
      CEPHBACKUP_CEPH_CONF: this.cluster.conf,
      ...(programs === null ? {} : { PATH: programs.path }),
      ...env,
    };
  }

  start(args: readonly string[], options: RunOptions = {}): RunningCephbackup {
    const { under = [] } = options;
    return startCephbackup(args, { env: this.environment(options), under });
  }

  cephbackup(args: readonly string[], options: RunOptions = {}): Promise<CephbackupResult> {
    return this.start(args, options).result;
  }

  /** `run -o json`; a run that prints no report is a failure of the test. */
  async run(options: RunOptions & { args?: readonly string[] } = {}): Promise<Report> {
    return report(await this.cephbackup(['run', '-o', 'json', ...(options.args ?? [])], options));
  }

  async annotations({ pv }: { pv: string }): Promise<Record<string, string>> {
    const { body } = await this.kube.request('GET', `/api/v1/persistentvolumes/${pv}`);
    const all = Object.entries((body as PersistentVolume).metadata?.annotations ?? {});
    return Object.fromEntries(
      all
        .filter(([key]) => key.startsWith(`${prefix}/`))
        .map(([key, value]) => [key.slice(prefix.length + 1), value]),
    );
  }

  async events({
    namespace,
    uid,
  }: SeededClaim): Promise<{ reason: string; message: string; type: string }[]> {
    const { body } = await this.kube.request('GET', `/api/v1/namespaces/${namespace}/events`);
    const { items } = body as {
      items: { reason: string; message: string; type: string; involvedObject: { uid: string } }[];
    };
    return items.filter(({ involvedObject }) => involvedObject.uid === uid);
  }

  /** Snapshots of one claim, oldest first. */
  snapshots({ uid }: SeededClaim): Promise<ResticSnapshot[]> {
    return this.repository.snapshots('--tag', `uid=${uid}`);
  }

  /** As if the lease of a killed run had expired: the next run need not wait for it. */
  async expireLease(): Promise<void> {
    await this.kube.request('DELETE', '/apis/coordination.k8s.io/v1/namespaces/default/leases/cephbackup');
  }

  /** What makes the API fail; only with `standIn`. */
  get faults(): Faults {
    if (this.kube.faults === null) throw new Error('a real API cannot be made to fail');
    return this.kube.faults;
  }

  /** UID of the namespace kube-system. */
  async clusterUid(): Promise<string> {
    const { body } = await this.kube.request('GET', '/api/v1/namespaces/kube-system');
    return (body as KubeObject).metadata?.uid ?? '';
  }

  get worldScope(): WorldScope {
    return { cluster: this.cluster, imagePools: [this.place], temporary: this.temporary };
  }

  world(): Promise<World> {
    return observeWorld(this.worldScope);
  }
}

/** The folder that a virtual machine shares has no files without a name: a node's temporary folder is its own. */
async function mountTemporary(folder: string): Promise<void> {
  await guestReady(240_000);
  await runInGuest('mount', ['-t', 'tmpfs', 'tmpfs', folder], { env: { PATH: process.env.PATH ?? '' } });
}

export interface Report extends RunReport {
  code: number | null;
  stderr: string;
  volume: (claim: SeededClaim) => VolumeResult;
}

function report(result: CephbackupResult): Report {
  const { code, json, stderr, stdout } = result;
  if (typeof json !== 'object' || json === null || !('volumes' in json)) {
    throw new Error(`no report (exit code ${String(code)}): ${stdout}\n${stderr}`);
  }
  const document = json as RunReport;
  return {
    ...document,
    code,
    stderr,
    volume: ({ uid }) => {
      const found = document.volumes.find((volume) => volume.uid === uid);
      if (found === undefined) throw new Error(`no volume of claim ${uid} in the report`);
      return found;
    },
  };
}
