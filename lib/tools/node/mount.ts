import { readFile, readlink } from 'node:fs/promises';
import { release } from 'node:os';
import path from 'node:path';
import { CephbackupError } from '../../errors/error.js';
import type { CommandOptions, Exec, NamespaceRef } from '../process/exec.js';
import { lastLine } from '../process/outcome.js';
import { readMounts, type MountEntry } from './namespace.js';

/** A mount may replay a journal, an unmount has next to nothing to write. */
const mountDeadlineMs = 300_000;
const unmountDeadlineMs = 60_000;

/** Nothing on a tenant's filesystem is ever executed, opened as a device, or followed as a link by path. */
export function safeMountOptions(): string[] {
  return ['nosuid', 'nodev', 'noexec', ...(kernelAtLeast(5, 10) ? ['nosymfollow'] : [])];
}

/** Why mount(8) failed, which ends with where there may be more to read. */
export function mountReason(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => !/^\s*dmesg\(1\) may have more information/.test(line));
  const reason = lastLine(lines.join('\n'));
  const type = /unknown filesystem type '([^']*)'/.exec(reason)?.[1];
  return type === undefined ? reason : `this node's kernel has no filesystem "${type}", nor a module for it`;
}

export interface MountRequest {
  device: string;
  directory: string;
  /** Explicit: a filesystem's type is never guessed from its bytes. */
  type: string;
  options: readonly string[];
  namespace: NamespaceRef;
}

/** What the kernel says of a filesystem that contradicts itself, or whose checksums do (EUCLEAN, EBADMSG). */
export const corruptionSaid = /\b(structure needs cleaning|bad message)\b/i;

/** @throws CephbackupError MOUNT_FAILED, FILESYSTEM_CORRUPT */
export async function mount(
  exec: Exec,
  request: MountRequest,
  options: Partial<CommandOptions>,
): Promise<void> {
  const { device, directory, type, namespace } = request;
  const args = ['-t', type, '-o', request.options.join(','), '--', device, directory];
  const result = await exec('mount', args, { deadlineMs: mountDeadlineMs, ...options, namespace });
  if (result.exitCode === 0) return;
  const code = corruptionSaid.test(result.stderr) ? 'FILESYSTEM_CORRUPT' : 'MOUNT_FAILED';
  throw new CephbackupError(code, `mount of ${device} as ${type}: ${mountReason(result.stderr)}`);
}

/** Changes the options of what is mounted. @throws CephbackupError MOUNT_FAILED */
export async function remount(
  exec: Exec,
  request: Omit<MountRequest, 'device' | 'type'> & { signal?: AbortSignal },
): Promise<void> {
  const { directory, namespace, signal } = request;
  const args = ['-o', ['remount', ...request.options].join(','), '--', directory];
  const result = await exec('mount', args, {
    deadlineMs: mountDeadlineMs,
    ...(signal && { signal }),
    namespace,
  });
  if (result.exitCode === 0) return;
  throw new CephbackupError('MOUNT_FAILED', `remount of ${directory}: ${mountReason(result.stderr)}`);
}

/**
 * How many errors the kernel has met in an ext filesystem on this device (`major:minor`), over all its mounts; 0 where it is
 * of another kind. Format: Linux Documentation/ABI/testing/sysfs-fs-ext4, `errors_count`.
 */
export async function extErrors(device: string): Promise<number> {
  try {
    const name = path.basename(await readlink(`/sys/dev/block/${device}`));
    return Number(await readFile(`/sys/fs/ext4/${name}/errors_count`, 'utf8'));
  } catch {
    return 0;
  }
}

/** `mount` with arguments that name no server, as for bind mounts. @throws CephbackupError MOUNT_FAILED */
export async function mountLocally(
  exec: Exec,
  namespace: NamespaceRef,
  args: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const result = await exec('mount', args, { namespace, signal, deadlineMs: 60_000 });
  if (result.exitCode === 0) return;
  throw new CephbackupError('MOUNT_FAILED', `mount ${args.join(' ')}: ${mountReason(result.stderr)}`);
}

/** Unmounts; succeeds where nothing is mounted. @throws CephbackupError COMMAND_FAILED (busy), COMMAND_TIMEOUT */
export async function unmount(exec: Exec, namespace: NamespaceRef, directory: string): Promise<void> {
  if ((await mountedAt(namespace, directory)) === null) return;
  const result = await exec('umount', ['--', directory], { deadlineMs: unmountDeadlineMs, namespace });
  if ((await mountedAt(namespace, directory)) === null) return;
  throw new CephbackupError('COMMAND_FAILED', `umount of ${directory}: ${lastLine(result.stderr)}`);
}

/** The uppermost mount at a directory, if any. */
export async function mountedAt(namespace: NamespaceRef, directory: string): Promise<MountEntry | null> {
  const mounts = await readMounts(namespace);
  return mounts.findLast(({ mountPoint }) => mountPoint === directory) ?? null;
}

export function kernelAtLeast(major: number, minor: number): boolean {
  const [a = 0, b = 0] = release().split('.').map(Number);
  return a > major || (a === major && b >= minor);
}
