import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll } from '@jest/globals';
import { writeFilesystem, type FilesystemType } from '../../sandbox/ceph/images.js';
import { createSubvolume, mountShare, whileMounted, type CephCluster } from '../../sandbox/ceph.js';
import { imageClaim, shareClaim } from '../../sandbox/claims.js';
import { startKube, type SandboxKube } from '../../sandbox/kube/index.js';
import type { Repository } from '../../sandbox/repository.js';
import { stageEnvironment } from '../../sandbox/stage.js';
import type { KubeObject, PersistentVolumeClaim } from '../../lib/kube/types.js';
import { ceph, freshNamespace } from '../support/ceph.js';
import { runCephbackup, startCephbackup, type RunningCephbackup } from '../support/cephbackup.js';
import { freshRepository } from '../support/repository.js';
import { temporaryFolder } from '../support/temporary.js';

/** What a test expects a command to print; the rest of the document does not matter to it. */
export interface Answer {
  code: number | null;
  json: {
    target: { state: string; sizeBytes: number | null };
    snapshot: string;
    time: string;
    verified: boolean;
    bytesWritten: number;
    files: number | null;
    warnings: string[];
    error: { code: string; message: string } | null;
  };
  stderr: string;
}

/** Everything of one test file: a RADOS namespace, a repository, a Kubernetes API, and the program. */
export class Scene {
  readonly cluster: CephCluster;
  /** `rbd/NAMESPACE` */
  readonly pool: string;
  readonly kube: SandboxKube;
  readonly repository: Repository;
  readonly folder: string;

  private constructor(parts: Pick<Scene, 'cluster' | 'pool' | 'kube' | 'repository' | 'folder'>) {
    ({
      cluster: this.cluster,
      pool: this.pool,
      kube: this.kube,
      repository: this.repository,
      folder: this.folder,
    } = parts);
  }

  static async create(): Promise<Scene> {
    const folder = await temporaryFolder('restore');
    const [cluster, pool, repository, kube] = await Promise.all([
      ceph(),
      freshNamespace(),
      freshRepository(),
      startKube({ dir: path.join(folder, 'kube') }),
    ]);
    return new Scene({ cluster, pool, kube, repository, folder });
  }

  get env(): Record<string, string> {
    return { ...stageEnvironment(this.cluster, this.kube, this.repository.env), TMPDIR: this.folder };
  }

  /** Neither Kubernetes nor Ceph: only the repository. */
  get repositoryEnv(): Record<string, string> {
    return { PATH: this.env.PATH ?? '', HOME: this.folder, ...this.repository.env };
  }

  image(name: string): string {
    return `${this.pool}/${name}`;
  }

  file(name: string): string {
    return path.join(this.folder, name);
  }

  async run(args: string[] = [], env = this.env): Promise<void> {
    const { code, stderr } = await runCephbackup(['run', ...args], { env });
    if (code !== 0) throw new Error(`run: exit code ${code}\n${stderr}`);
  }

  async command(args: string[], env = this.env): Promise<Answer> {
    const { code, json, stderr } = await runCephbackup([...args, '-o', 'json'], { env });
    return { code, json: json as Answer['json'], stderr };
  }

  start(args: string[], env = this.env): RunningCephbackup {
    return startCephbackup([...args, '-o', 'json'], { env });
  }

  /** A claim for an image that exists. Returns its UID. */
  async claim(
    name: string,
    image: string,
    { size, fsType = null, namespace = 'app' }: { size: number; fsType?: string | null; namespace?: string },
  ): Promise<string> {
    const objects = imageClaim(this.cluster, { namespace, name }, { image: this.image(image), size, fsType });
    const [claim] = (await this.kube.seed(objects)) as PersistentVolumeClaim[];
    return claim?.metadata?.uid ?? '';
  }

  /** An image with this content, and its claim. */
  async blockClaim(name: string, content: Buffer): Promise<string> {
    const file = this.file(`content-${randomUUID()}`);
    await writeFile(file, content);
    await this.cluster.run('rbd', ['import', '--no-progress', file, this.image(name)]);
    return this.claim(name, name, { size: content.length });
  }

  /** An image with a filesystem that `fill` fills, and its claim. */
  async filesystemClaim(
    name: string,
    size: number,
    fsType: FilesystemType,
    fill: (root: string) => Promise<void>,
  ): Promise<string> {
    await this.cluster.createImage(this.image(name), size);
    await writeFilesystem(this.cluster, this.image(name), fsType, fill);
    return this.claim(name, name, { size, fsType });
  }

  /** A subvolume of `group` in the filesystem `cephfs`, and its claim; `fill` fills it. Returns its path. */
  async shareClaim(
    name: string,
    group: string,
    size: number,
    fill?: (root: string) => Promise<void>,
  ): Promise<string> {
    const source = { filesystem: 'cephfs', group };
    const where = await createSubvolume(this.cluster, { ...source, name });
    const options = { ...source, subvolume: name, path: where, size };
    await this.seed(...shareClaim(this.cluster, { namespace: 'app', name }, options));
    if (fill === undefined) return where;
    await whileMounted(mountShare(this.cluster, 'cephfs', where), fill);
    return where;
  }

  /** The whole image. */
  async read(image: string): Promise<Buffer> {
    const { readFile, rm } = await import('node:fs/promises');
    const file = this.file(`export-${randomUUID()}`);
    await this.cluster.run('rbd', ['export', '--no-progress', this.image(image), file]);
    const content = await readFile(file);
    await rm(file);
    return content;
  }

  /** Deletes a claim and its volume from the API, as a user and the provisioner do. */
  async deleteClaim(name: string, namespace = 'app'): Promise<void> {
    const claimPath = `/api/v1/namespaces/${namespace}/persistentvolumeclaims/${name}`;
    const { body } = await this.kube.request('GET', claimPath);
    const volume = (body as PersistentVolumeClaim).spec?.volumeName ?? '';
    await this.kube.request('DELETE', claimPath);
    await this.kube.request('DELETE', `/api/v1/persistentvolumes/${volume}`);
  }

  seed(...objects: KubeObject[]): Promise<KubeObject[]> {
    return this.kube.seed(objects);
  }
}

/** A scene that is there for the tests of this file. */
export function scene(): { readonly current: Scene } {
  let created: Scene | undefined;
  beforeAll(async () => {
    created = await Scene.create();
  });
  afterAll(async () => {
    await created?.kube.stop();
  });
  return {
    get current() {
      if (created === undefined) throw new Error('the scene is not there yet');
      return created;
    },
  };
}
