import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import path from 'node:path';
import { attempt } from '../../sandbox/process.js';
import { atEnd } from './temporary.js';

/** A loop device that nobody has mounted. */
export interface LoopDevice {
  /** `/dev/loopN` */
  device: string;
  file: string;
  /** Whose mount namespace alone has the file. */
  program: ChildProcess;
  detach: () => Promise<void>;
}

/**
 * Attaches a loop device as every backup by FUSE does: the file is in the mount namespace of a program. Tests beside this
 * one see by that whose it is.
 *
 * @param temporary the program's TMPDIR
 */
export async function attachLoopDevice(temporary: string): Promise<LoopDevice> {
  const folder = await mkdtemp(path.join(temporary, 'loop-'));
  const file = path.join(folder, 'image');
  const attached = `mount -t tmpfs own ${folder} && truncate -s 1M ${file} && losetup --find --show ${file}`;
  const program = spawn('unshare', ['--mount', '--', 'sh', '-c', `${attached} && exec sleep infinity`], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  atEnd(() => end(program));
  const [line] = (await once(program.stdout, 'data')) as [Buffer];
  const device = line.toString().trim();
  const detach = async () => {
    await attempt('losetup', ['--detach', device]);
  };
  atEnd(detach);
  return { device, file, program, detach };
}

/** Kills a program, and waits for its end. */
export async function end(program: ChildProcess): Promise<void> {
  if (program.exitCode !== null || program.signalCode !== null) return;
  program.kill('SIGKILL');
  await once(program, 'exit');
}
