import { existsSync } from 'node:fs';
import { open, readdir, rm, stat, truncate, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { run } from '../../sandbox/process.js';
import type { Repository } from '../../sandbox/repository.js';
import { resticProgram } from '../../sandbox/tools.js';
import { randomBytesOf } from '../../sandbox/workload/random.js';
import {
  diskFolder,
  factsTime,
  formatFacts,
  imageFile,
  segmentLength,
  segmentPath,
  type DiskFacts,
} from '../../lib/volumes/block/segments/format.js';
import { imageOf } from '../qcow2/disk.js';
import { runCephbackup } from '../support/cephbackup.js';
import { freshRepository } from '../support/repository.js';
import { temporaryFolder } from '../support/temporary.js';
import type { VerifyReport } from '../../lib/verify/report.js';

/** What one backup has added to a repository. */
export interface Made {
  id: string;
  /** Full ids of its packs. */
  data: string[];
  trees: string[];
  index: string;
}

export interface Verified {
  code: number | null;
  report: VerifyReport;
  stderr: string;
}

const MiB = 1024 * 1024;
export const clusterName = 'c1';
export const uidOf = (pvc: string): string => `00000000-0000-4000-8000-${pvc.padStart(12, '0')}`;

/** Files of a volume by path; a text, or random bytes of a seed and a length. */
type Files = Record<string, string | { seed: number; length: number }>;

/** A repository as cephbackup leaves it, made with restic alone, with everything known of what is where. */
export class Library {
  /** Of claims that exist, by name; others get a made-up one. */
  readonly uids = new Map<string, string>();

  private constructor(
    readonly repository: Repository,
    private readonly folder: string,
  ) {}

  static async create(): Promise<Library> {
    return new Library(await freshRepository(), await temporaryFolder('volumes'));
  }

  /** A copy that may be damaged. */
  async copy(name: string): Promise<Library> {
    return new Library(await this.repository.copy(path.join(this.folder, `repository-${name}`)), this.folder);
  }

  async files(pvc: string, files: Files, time: string): Promise<Made> {
    const root = path.join(this.folder, pvc);
    await mkdir(root, { recursive: true });
    for (const name of await readdir(root)) {
      if (!Object.keys(files).some((kept) => kept.split('/')[0] === name)) await rm(path.join(root, name));
    }
    for (const [name, content] of Object.entries(files)) {
      // What stays as it is also keeps its times.
      if (existsSync(path.join(root, name))) continue;
      await mkdir(path.dirname(path.join(root, name)), { recursive: true });
      const bytes = typeof content === 'string' ? content : randomBytesOf(content.seed, content.length);
      await writeFile(path.join(root, name), bytes);
    }
    return this.#backup(pvc, 'cephfs', time, ['.'], { cwd: root });
  }

  async disk(pvc: string, time: string, image?: Buffer): Promise<Made> {
    const extents = [{ offset: 65_536, data: randomBytesOf(77, MiB) }];
    const input = image ?? (await imageOf({ size: 8 * MiB, extents }));
    return this.#backup(pvc, 'rbd-block', time, ['--stdin', '--stdin-filename=/disk.qcow2'], { input });
  }

  /** A disk in format 2: a folder of segments of 4 MiB. @param told what the time of `image.json` says of it */
  async segments(pvc: string, time: string, disk: string, told?: DiskFacts): Promise<Made> {
    const root = path.join(this.folder, pvc);
    const [facts, handle] = [{ sizeBytes: (await stat(disk)).size, segmentBytes: 4 * MiB }, await open(disk)];
    await mkdir(path.join(root, diskFolder), { recursive: true });
    await writeFile(path.join(root, diskFolder, imageFile), formatFacts(facts));
    for (let index = 0; index * facts.segmentBytes < facts.sizeBytes; index += 1) {
      const bytes = Buffer.alloc(segmentLength(facts, index));
      await handle.read(bytes, 0, bytes.length, index * facts.segmentBytes);
      if (!bytes.some((byte) => byte !== 0)) continue;
      const file = path.join(root, diskFolder, segmentPath(index));
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, bytes);
    }
    await handle.close();
    if (told !== undefined) {
      const { seconds, nanoseconds } = factsTime(told);
      const at = `@${seconds}.${String(nanoseconds).padStart(9, '0')}`;
      await run('touch', ['--date', at, path.join(root, diskFolder, imageFile)]);
    }
    return this.#backup(pvc, 'rbd-block', time, ['.'], { cwd: root });
  }

  async #backup(
    pvc: string,
    kind: string,
    time: string,
    args: string[],
    options: { cwd?: string; input?: Buffer },
  ): Promise<Made> {
    const before = await this.#all();
    const tags = `cluster=${clusterName},namespace=app,pvc=${pvc},uid=${this.uids.get(pvc) ?? uidOf(pvc)},pv=pv-${pvc},kind=${kind}`;
    const common = ['--json', `--host=k8s-app-nspvc-${pvc}`, `--tag=${tags}`, `--time=${time}`];
    await run(resticProgram, ['backup', ...common, ...args], { ...options, env: this.repository.env });
    const after = await this.#all();
    const added = (folder: string) => (after[folder] ?? []).filter((name) => !before[folder]?.includes(name));
    const [index = ''] = added('index');
    const { packs } = JSON.parse(await this.repository.restic('cat', 'index', index)) as {
      packs: { id: string; blobs: { type: string }[] }[];
    };
    const of = (type: string) => packs.filter(({ blobs }) => blobs[0]?.type === type).map(({ id }) => id);
    return { id: added('snapshots')[0] ?? '', data: of('data'), trees: of('tree'), index };
  }

  async #all(): Promise<Record<string, string[]>> {
    const list = (folder: string) => readdir(path.join(this.repository.env.RESTIC_REPOSITORY, folder));
    return { index: await list('index'), snapshots: await list('snapshots') };
  }

  #file(folder: 'data' | 'index' | 'snapshots', id: string): string {
    const within = folder === 'data' ? [folder, id.slice(0, 2), id] : [folder, id];
    return path.join(this.repository.env.RESTIC_REPOSITORY, ...within);
  }

  /** Inverts one bit. */
  async flip(folder: 'data' | 'index' | 'snapshots', id = '', at = 100): Promise<void> {
    const file = await open(this.#file(folder, id), 'r+');
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    byte[0] = (byte[0] ?? 0) ^ 1;
    await file.write(byte, 0, 1, at);
    await file.close();
  }

  async cut(folder: 'data' | 'index' | 'snapshots', id = ''): Promise<void> {
    await truncate(this.#file(folder, id), 50);
  }

  async remove(folder: 'data' | 'index' | 'snapshots', id = ''): Promise<void> {
    await rm(this.#file(folder, id));
  }

  /** `verify -o json`, without Kubernetes unless `env` names one. */
  async verify(args: string[] = [], env: Record<string, string> = {}): Promise<Verified> {
    const { code, json, stderr } = await runCephbackup(['verify', '-o', 'json', ...args], {
      env: { HOME: this.folder, ...this.repository.env, ...env },
    });
    return { code, report: json as VerifyReport, stderr };
  }
}

/** `pvc: outcome` of each claim. */
export function outcomes({ report }: Verified): Record<string, string> {
  return Object.fromEntries(report.claims.map(({ pvc, outcome }) => [pvc, outcome]));
}

/** All snapshots that are named as hurt, by claim. */
export function hurt({ report }: Verified): Record<string, string[]> {
  const named: Record<string, string[]> = {};
  for (const { claims } of report.damage) {
    for (const { pvc, snapshots } of claims) named[pvc] = [...(named[pvc] ?? []), ...snapshots];
  }
  return named;
}
