import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { checkout } from '../checkout.js';
import { run } from '../process.js';
import { searchPath } from '../tools.js';
import type { Repository } from '../repository.js';
import { namespace, type Scripted, type TestBed } from './test-bed.js';

export interface HandmadeBackup {
  snapshot: string;
  /** Seconds by the name of the step. */
  steps: Map<string, number>;
}

const scripts = path.join(checkout, 'sandbox/bench');
let count = 0;

/** One volume by shell script, with restic's options as the program gives them. */
export async function backUpByHand(
  bed: TestBed,
  repository: Repository,
  volume: Scripted,
  parent: string | null,
): Promise<HandmadeBackup> {
  count += 1;
  const name = `by-hand-${count}`;
  const [script, source] = volume.byHand;
  const folder = path.join(bed.folder, 'by-hand');
  await mkdir(folder, { recursive: true });
  const tags = ['cluster', 'uid', 'pv', 'kind'].map((key) => `${key}=${volume.name}`);
  const options = [
    `--host=k8s-${namespace}-nspvc-${volume.name}`,
    `--tag=namespace=${namespace},pvc=${volume.name},${tags.join(',')}`,
    `--time=${new Date().toISOString().slice(0, 19).replace('T', ' ')}`,
    parent === null ? '--force' : `--parent=${parent}`,
  ];
  const enter = ['--mount', '--propagation', 'private', '--', path.join(scripts, script)];
  const env = { ...repository.env, ...bed.cluster.env, PATH: searchPath() };
  const printed = await run('unshare', [...enter, source, name, folder, ...options], {
    env,
    timeout: 900_000,
  });
  const summary = await readFile(path.join(folder, 'summary'), 'utf8');
  return { snapshot: /"snapshot_id":"([0-9a-f]+)"/.exec(summary)?.[1] ?? '', steps: parseSteps(printed) };
}

function parseSteps(printed: string): Map<string, number> {
  const lines = printed.split('\n').map((line) => line.split('\t'));
  return new Map(
    lines.flatMap(([step = '', microseconds]) =>
      microseconds === undefined ? [] : [[step, Number(microseconds) / 1e6] as const],
    ),
  );
}

/** The proof that both formulas allow for: the snapshot as the repository has it. */
export async function catSnapshot(repository: Repository, id: string): Promise<CatSnapshot> {
  return JSON.parse(await repository.restic('cat', 'snapshot', '--no-cache', '--no-lock', id)) as CatSnapshot;
}

/** As far as it is of use here. */
export interface CatSnapshot {
  summary: {
    files_new: number;
    files_changed: number;
    files_unmodified: number;
    data_blobs: number;
    tree_blobs: number;
  };
}
