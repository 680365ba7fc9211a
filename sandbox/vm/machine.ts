import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { checkout, statePath } from '../checkout.js';

/** `host`: this machine's own Debian; `trixie`: a Debian 13; `forky`: what will be Debian 14, with Ceph 20. */
export const userlands = ['host', 'trixie', 'forky'] as const;
export type Userland = (typeof userlands)[number];

export interface MachineOptions {
  userland: Userland;
  /** Each line of its console. */
  onLine: (line: string) => void;
}

export interface Machine {
  stop(): void;
  /** Settles when the machine is off. */
  ended: Promise<void>;
}

/** Where `sandbox/vm/build.sh` leaves what a machine is made of. */
export function built(userland: Userland): string {
  return path.join(checkout, '.cache/vm', userland);
}

/** argv that runs a command with a userland as its root. */
export function inUserland(userland: Userland, argv: readonly string[]): string[] {
  if (userland === 'host') return [...argv];
  return [path.join(checkout, 'sandbox/vm/inside.sh'), path.join(built(userland), 'root'), checkout, ...argv];
}

/**
 * Its memory is a file, which goes with the namespace of mounts, as does the folder of its pid and console. Each call of
 * a program to its kernel takes turns between two processes: on one processor, and ahead of others, they do so five times
 * as often.
 */
const boot = `
  mount -t tmpfs -o mode=1777,size=4g tmpfs /dev/shm
  exec taskset --cpu-list "$(($(nproc --all) - 1))" nice -n -10 "$@"`;

/**
 * Boots a virtual machine by user-mode Linux: a whole kernel, with its own RBD and CephFS, as a process of this host, which
 * needs no support of the processor and computes as fast as the host. Userland, checkout and kernel modules are folders of
 * this host, none of which it can change; the folder of the sandbox's state it can. All addresses and paths mean the same
 * in both. It has one processor.
 */
export function bootMachine({ userland, onLine }: MachineOptions): Machine {
  const folder = built(userland);
  const state = path.join(statePath(), 'run');
  mkdirSync(state, { recursive: true });
  const kernel = [
    path.join(folder, 'linux'),
    ...['mem=2048M', 'uml_dir=/dev/shm', 'root=/dev/root', 'rootfstype=hostfs', 'rootflags=/', 'ro'],
    ...['con=null', 'con0=fd:0,fd:1', 'vec0:transport=tap,ifname=machine,gro=1', 'quiet'],
    ...[`checkout=${checkout}`, `state=${state}`, `built=${folder}`],
    `init=${path.join(checkout, 'sandbox/vm/init.sh')}`,
  ];
  // All of its processes are processes of this host: they end with the first of them.
  const alone = ['--mount', '--pid', '--fork', '--kill-child=KILL', '--mount-proc', '--'];
  const command = inUserland(userland, ['unshare', ...alone, 'sh', '-ec', boot, 'sh', ...kernel]);
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own: Ctrl-C ends this program, and that the machine.
    detached: true,
  });
  for (const input of [child.stdout, child.stderr]) {
    readline.createInterface({ input }).on('line', (line) => {
      onLine(printable(line));
    });
  }
  return { stop: () => child.kill('SIGKILL'), ended: once(child, 'close').then(() => undefined) };
}

/** A console also gets what moves the cursor or clears the screen. */
function printable(line: string): string {
  return line.replace(/\u001b\[[0-9;?=]*[A-Za-z]|\u001bc|[\u0000-\u0008\u000b-\u001f]/g, '');
}
