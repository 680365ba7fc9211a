import { readFile, readlink } from 'node:fs/promises';
import { CephbackupError } from '../../errors/error.js';
import { startAnnouncing, type StartDaemon } from '../process/daemon.js';
import type { Environment } from '../process/environment.js';
import type { NamespaceRef } from '../process/exec.js';

/**
 * A private mount namespace with a tmpfs at `stateDirectory`, held open by a child process. The kernel takes down all
 * of its mounts when that child ends, however this program dies, and no other program on the node sees them.
 */
export interface MountNamespace extends NamespaceRef {
  /** Ends the namespace, and with it every mount in it. */
  close(): Promise<void>;
}

/** The same in every run on every node: restic records the path below which it reads. */
export const stateDirectory = '/run/cephbackup';
/** Where the volume is mounted, inside its namespace. */
export const volumeDirectory = `${stateDirectory}/volume`;
/**
 * What a server in a namespace of its own (`serverCommand`) mounts here is seen in the volume's namespace, too. What is
 * mounted elsewhere is not seen by the server.
 */
export const exportDirectory = `${stateDirectory}/export`;

/** Static text: no foreign byte ever becomes part of it. `cat` lives until this program's end of the pipe closes. */
const holder = `mkdir -p ${stateDirectory}
mount -t tmpfs -o mode=0700,nosuid,noexec,size=16m cephbackup ${stateDirectory}
mkdir ${volumeDirectory} ${exportDirectory}
mount --make-shared -t tmpfs -o mode=0700,nosuid,noexec,size=1m cephbackup ${exportDirectory}
echo ready
exec cat`;

const readyWithinMs = 30_000;

/** @throws CephbackupError NAMESPACE_FAILED */
export async function openNamespace(startDaemon: StartDaemon, env: Environment): Promise<MountNamespace> {
  // `slave`: what the node unmounts goes here, too. A private copy would pin every device of its pods for the whole backup.
  const args = ['--mount', '--propagation', 'slave', '--', 'sh', '-ec', holder];
  const { daemon, announced } = startAnnouncing(startDaemon, 'unshare', args, { env });
  try {
    await announced(
      readyWithinMs,
      (why) => new CephbackupError('NAMESPACE_FAILED', `no private mount namespace: ${why}`),
    );
  } catch (thrown) {
    await daemon.stop();
    throw thrown;
  }
  return { pid: daemon.pid, close: () => daemon.stop() };
}

/** @throws CephbackupError NAMESPACE_FAILED where its holder has ended, and with it every mount that there would be */
export async function expectNamespace({ pid }: NamespaceRef): Promise<void> {
  await readlink(`/proc/${pid}/ns/mnt`).catch((cause: unknown) => {
    throw new CephbackupError('NAMESPACE_FAILED', 'the process that held the mounts was ended', { cause });
  });
}

/**
 * The command line that runs a server of files inside a namespace without making it a holder of what is mounted from them.
 * A server that is killed as the last holder of a filesystem on its own file cannot end: the kernel takes down the
 * filesystem, which waits for the server, before it closes the server's end of FUSE. Every loop device of the node waits
 * with it.
 */
export function serverCommand(program: string, args: readonly string[]): [program: string, args: string[]] {
  return ['unshare', ['--mount', '--propagation', 'unchanged', '--', program, ...args]];
}

/** How this program reaches a path inside the namespace. */
export function pathInside({ pid }: NamespaceRef, path: string): string {
  return `/proc/${pid}/root${path}`;
}

export interface MountEntry {
  mountPoint: string;
  /** The directory of the filesystem that is seen there: not its root where it is a bind mount. */
  root: string;
  /** `major:minor` of the device below. */
  device: string;
  fsType: string;
  source: string;
  /** Of the filesystem itself, as its driver shows them. */
  options: string[];
}

/**
 * The mounts of a namespace, in mount order; format: proc(5), `/proc/[pid]/mountinfo`. None where the process that held
 * the namespace was killed: the kernel takes down its mounts with it.
 */
export async function readMounts({ pid }: NamespaceRef): Promise<MountEntry[]> {
  const text = await mountInfo(pid);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const fields = before.split(' ');
      const [fsType = '', source = '', options = ''] = after.split(' ');
      return {
        mountPoint: unescape(fields[4] ?? ''),
        root: unescape(fields[3] ?? ''),
        device: fields[2] ?? '',
        fsType,
        source: unescape(source),
        options: options.split(','),
      };
    });
}

/** Whether the process that holds a namespace lives. */
export async function isHeld({ pid }: NamespaceRef): Promise<boolean> {
  return (await mountInfo(pid)) !== '';
}

async function mountInfo(pid: number): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/mountinfo`, 'utf8');
  } catch (thrown) {
    // EINVAL: of a process that has ended and is not waited for yet.
    if (['ENOENT', 'ESRCH', 'EINVAL'].includes((thrown as NodeJS.ErrnoException).code ?? '')) return '';
    throw thrown;
  }
}

/** mountinfo writes space, tab, newline and backslash in octal. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}
