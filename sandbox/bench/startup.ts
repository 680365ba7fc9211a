import { readdir, readFile } from 'node:fs/promises';
import { runCephbackup } from '../cephbackup.js';
import { atMost, information, median, type Bench, type Figure } from './figure.js';
import { watch } from './memory.js';
import { startNode } from './node.js';
import { measure } from './stopwatch.js';
import { smallVolumes } from './small-volumes.js';
import { TestBed } from './test-bed.js';

/** What the program costs when it does nothing: its start, and its memory while restic works. */
export const startup: Bench = async ({ folder, quick, tell }) => {
  tell('cephbackup --help');
  const help: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < (quick ? 3 : 15); round += 1) {
    bare.push((await measure(() => startNode('0').result)).seconds);
    const { result, seconds } = await measure(() => runCephbackup(['--help']));
    if (result.code !== 0 || !result.stdout.startsWith('Usage:')) throw new Error('this is no help');
    help.push(seconds);
  }
  return {
    figures: [
      atMost('cephbackup --help', median(help), 0.25, 's'),
      information('Node itself', median(bare), 's'),
      ...(await whileWaiting(folder, tell)),
    ],
    notes: [],
  };
};

/** Memory while nothing is to be done but to wait: restic may send only 200 KiB a second. */
async function whileWaiting(folder: string, tell: (text: string) => void): Promise<Figure[]> {
  const bed = await TestBed.start(folder);
  try {
    tell('a slow backup');
    const volumes = await smallVolumes(bed, 1);
    const repository = await bed.repository();
    const program = bed.start({ repository, volumes, args: ['--limit-upload', '200'] });
    const waiting: number[] = [];
    let peak = 0;
    const { code, stderr } = await watch(program, 100, async (memory) => {
      peak = memory.peak;
      if (await backsUp(program.pid)) waiting.push(memory.now);
    });
    if (code !== 0) throw new Error(`cephbackup run: exit code ${String(code)}\n${stderr}`);
    if (waiting.length < 50) throw new Error(`restic was not slowed down: ${waiting.length} samples`);
    return [
      atMost('memory while waiting for restic, at most', Math.max(...waiting), 120, 'MB'),
      information('memory while waiting for restic, median', median(waiting), 'MB'),
      information('memory of the run, peak', peak, 'MB'),
    ];
  } finally {
    await bed.stop();
  }
}

/** Whether the program has no child but one that backs up a folder (and what holds its mounts). */
async function backsUp(pid: number): Promise<boolean> {
  const tasks = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = await Promise.all(
    tasks.map((task) => readFile(`/proc/${pid}/task/${task}/children`, 'utf8').catch(() => '')),
  );
  const children = lists.join(' ').trim().split(/\s+/);
  const commands = await Promise.all(
    children.map((child) => readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '')),
  );
  const restics = commands.filter((command) => command.includes('restic\0backup'));
  return restics.length === 1 && restics.every((command) => command.includes('kind=rbd-filesystem'));
}
