import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../process.js';
import { processIds, readOrNothing, runsFor } from './processes.js';

/** Milliseconds that a loop device stays idle before it counts as left. */
const idleFor = 2_000;

/**
 * Loop devices that are attached but not mounted by anybody, in whatever namespace. A mounted one goes with the
 * namespace of its mount, whose processes are looked for by themselves; others on this machine may have such. Theirs are
 * also idle for a moment, as `mount -o loop` has attached and not yet mounted them: what is left stays so. What somebody
 * else is at work with, who checks or formats it for minutes, is not left.
 *
 * @param temporary the TMPDIR of whoever may have left some, if it is known
 */
export async function loopDevices(temporary: string | null): Promise<string[]> {
  const end = performance.now() + idleFor;
  let idle = await idleLoopDevices();
  // While they are at work: a moment later they may have ended, and their device with them.
  const others = idle.size === 0 || temporary === null ? new Set() : await othersDevices(temporary);
  while (idle.size > 0 && performance.now() < end) {
    await sleep(100);
    const now = await idleLoopDevices();
    idle = new Map([...idle].filter(([name, file]) => now.get(name) === file));
  }
  return [...idle]
    .filter(([name]) => !others.has(name))
    .map(([name, file]) => `loop device ${name} of ${file}`);
}

/** Their files, by name. */
async function idleLoopDevices(): Promise<Map<string, string>> {
  const names = (await readdir('/sys/block')).filter((name) => name.startsWith('loop'));
  const mounted = await mountedDevices();
  const idle = await Promise.all(
    names.map(async (name) => {
      const file = await readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').catch(() => null);
      return file === null || mounted.has(name) ? [] : [[name, file.trim()] as const];
    }),
  );
  return new Map(idle.flat());
}

/**
 * As the kernel's filesystems name them, whoever mounted them. To open one exclusively would tell as well, and make
 * somebody's `mount` of it fail meanwhile.
 */
async function mountedDevices(): Promise<Set<string>> {
  const list = (folder: string) => readdir(path.join('/sys/fs', folder)).catch(() => []);
  const btrfs = (await list('btrfs')).map((id) => list(path.join('btrfs', id, 'devices')));
  return new Set((await Promise.all([list('ext4'), list('xfs'), ...btrfs])).flat());
}

/**
 * Those whose file lies in a filesystem that this process does not see, and another program does: in the mount namespace
 * that it has for a volume. The file's path says nothing, it is the same in all of them. Where that program has ended,
 * nobody sees the filesystem any more: what it left behind is nobody else's.
 */
async function othersDevices(temporary: string): Promise<Set<string>> {
  const listed = await run('losetup', ['--list', '--json', '--output', 'NAME,BACK-MAJ:MIN']);
  // Without any device it prints nothing.
  const { loopdevices } = JSON.parse(listed.trim() || '{"loopdevices":[]}') as {
    loopdevices: { name: string; 'back-maj:min': string }[];
  };
  const here = filesystemsOf('self');
  const [own, others] = [new Set<string>(), new Set<string>()];
  for (const pid of processIds()) {
    const seen = runsFor(pid, temporary) ? own : others;
    for (const filesystem of filesystemsOf(pid)) if (!here.has(filesystem)) seen.add(filesystem);
  }
  return new Set(
    loopdevices.flatMap(({ name, 'back-maj:min': filesystem }) => {
      const at = filesystem.trim();
      return others.has(at) && !own.has(at) ? [path.basename(name)] : [];
    }),
  );
}

/** Which filesystems a process sees, by their device numbers. */
function filesystemsOf(pid: string): Set<string> {
  const lines = readOrNothing(`/proc/${pid}/mountinfo`).split('\n');
  return new Set(lines.flatMap((line) => line.split(' ')[2] ?? []));
}
