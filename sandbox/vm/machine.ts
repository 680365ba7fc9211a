import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { checkout, statePath } from '../checkout.js';
import { agentPort } from './protocol.js';

/** `host`: this machine's Debian with its kernel; `trixie`: a Debian 13 of its own. */
export const userlands = ['host', 'trixie'] as const;
export type Userland = (typeof userlands)[number];

export interface MachineOptions {
  userland: Userland;
  /** The port of this host by which the machine's agent is reached. */
  port: number;
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

/** The folder that is a userland's root. */
export function rootOf(userland: Userland): string {
  return userland === 'host' ? '/' : path.join(built(userland), 'root');
}

/**
 * Boots a virtual machine whose userland, checkout and kernel modules are folders of this host, none of which it can
 * change; the folder of the sandbox's state it can. Its loopback is the host's, so that addresses and paths mean the same
 * in both. By KVM where the processor has it, else by emulation, which is 10 to 20 times slower.
 */
export function bootMachine({ userland, port, onLine }: MachineOptions): Machine {
  const folder = built(userland);
  const state = path.join(statePath(), 'run');
  mkdirSync(state, { recursive: true });
  const loopback = ['net=127.0.0.0/8', 'host=127.0.0.1', 'dhcpstart=127.0.0.15', 'dns=127.0.0.3'];
  const forward = `hostfwd=tcp:127.0.0.1:${port}-127.0.0.15:${agentPort}`;
  const args = [
    ...['-machine', 'q35', '-accel', hasKvm() ? 'kvm' : 'tcg,thread=multi,tb-size=512', '-cpu', 'max'],
    ...['-smp', '2', '-m', '2048', '-nodefaults', '-no-reboot', '-display', 'none', '-monitor', 'none'],
    ...[
      '-kernel',
      path.join(folder, 'vmlinuz'),
      '-initrd',
      path.join(folder, 'initramfs'),
      '-serial',
      'stdio',
    ],
    ...['-append', `console=ttyS0 quiet panic=-1 mitigations=off checkout=${checkout} state=${state}`],
    ...['-netdev', ['user,id=net', ...loopback, forward].join(','), '-device', 'virtio-net-pci,netdev=net'],
    ...share('userland', rootOf(userland), 'readonly=on'),
    ...share('checkout', checkout, 'readonly=on'),
    ...share('modules', path.join(folder, 'modules/'), 'readonly=on'),
    ...share('state', state),
  ];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'qemu-system-x86_64', ...args], {
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

/** A /dev/kvm alone may be another hypervisor's, which runs no kernel but its own. */
function hasKvm(): boolean {
  return existsSync('/dev/kvm') && /^flags\s*:.*\b(vmx|svm)\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'));
}

/** A folder by QEMU's 9p, with owners and modes as they are. */
function share(tag: string, folder: string, ...options: string[]): string[] {
  const local = [`local,path=${folder}`, `mount_tag=${tag}`];
  return ['-virtfs', [...local, 'security_model=passthrough', 'multidevs=remap', ...options].join(',')];
}

/** A console also gets what moves the cursor or clears the screen. */
function printable(line: string): string {
  return line.replace(/\u001b\[[0-9;?=]*[A-Za-z]|\u001bc|[\u0000-\u0008\u000b-\u001f]/g, '');
}
