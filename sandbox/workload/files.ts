import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { MountedVolume } from '../ceph/images.js';
import { differences } from '../tree/compare.js';
import { describeTree } from '../tree/describe.js';
import type { Comparison } from './workload.js';
import { keepCommitting, type Writer } from './writer.js';

/** The folder that changes all the time; everything else of a volume stays as it is. */
const live = 'live';

export interface FilesInUse {
  compare(restored: string): Promise<Comparison>;
  stop(): Promise<void>;
}

/** Starts writing to a mounted volume. */
export async function useFiles(volume: MountedVolume): Promise<FilesInUse> {
  const folder = path.join(volume.path, live);
  await mkdir(folder);
  const writer = keepCommitting(folder, 20);
  return {
    compare: (restored) => compareFiles(volume.path, restored, writer),
    stop: async () => {
      await writer.stop();
      await volume.unmount();
    },
  };
}

async function compareFiles(original: string, restored: string, writer: Writer): Promise<Comparison> {
  // While it is looked at, nothing is renamed there.
  const looking = writer.between(() => describeTree(original));
  const [expected, actual] = await Promise.all([looking, describeTree(restored)]);
  const except = (name: string) => name === live || name.startsWith(`${live}/`);
  const found = differences(expected, actual, { except, sparse: true });
  const commits = await commitsIn(path.join(restored, live));
  const same = [...expected].filter(([name]) => !except(name));
  const bytes = same.reduce((sum, [, { size }]) => sum + Number(size), 0);
  if (typeof commits === 'string') found.push(commits);
  return {
    differences: found,
    summary:
      `${same.length} files and folders, ${(bytes / 1e6).toFixed(1)} MB: the same, byte for byte` +
      `; caught at commit ${commits} of ${writer.count()}`,
  };
}

/** The number of commits in a copy, which must be whole up to the last one; else what is wrong with it. */
async function commitsIn(folder: string): Promise<number | string> {
  const lines = (await readFile(`${folder}/journal`, 'utf8')).split('\n').filter((line) => line !== '');
  const odd = lines.findIndex((line, index) => !line.startsWith(`commit ${index + 1} `));
  if (odd !== -1) return `journal: line ${odd + 1} is "${lines[odd] ?? ''}"`;
  const state = JSON.parse(await readFile(`${folder}/state.json`, 'utf8')) as {
    commits: number;
    done: boolean;
  };
  // The journal is written first.
  if (lines.length - state.commits > 1 || lines.length < state.commits) {
    return `state.json tells of ${state.commits} commits, the journal of ${lines.length}`;
  }
  return lines.length;
}
