import { CephbackupError } from '../../errors/error.js';
import type { CommandOptions, CommandResult, Exec, NamespaceRef } from '../process/exec.js';
import { lastLine } from '../process/outcome.js';
import { readHead } from './device-head.js';

export type FsckPolicy = 'preen' | 'full';

/** The volume's own deadline is usually shorter. */
const fsckDeadlineMs = 6 * 3_600_000;

/** The filesystems that a superblock's magic number tells apart here. */
export type FilesystemFamily = 'ext' | 'xfs' | 'none' | 'other';

export interface ProbedFilesystem {
  family: FilesystemFamily;
  /**
   * Whether the filesystem was unmounted, or frozen, when its image was taken: then all that was written to it is in it.
   * Null where its superblock does not tell (XFS).
   */
  unmounted: boolean | null;
  /** Whether files may have times in whole seconds. */
  wholeSeconds: boolean;
}

/** Bytes read to tell a filesystem: up to btrfs' superblock at 64 KiB. */
const probedBytes = 68 * 1024;

/**
 * What the first bytes of a device say it is; `none` where they are all zero (never formatted). Only compared with
 * what the PersistentVolume names, never used to choose: e2fsck would otherwise "repair" a foreign filesystem from a
 * stale backup superblock.
 * Offsets: ext4 disk layout (`s_magic` at 1024 + 56), XFS algorithms & data structures (`sb_magicnum` at 0).
 *
 * @throws CephbackupError COMMAND_FAILED
 */
export async function probeFilesystem(
  exec: Exec,
  device: string,
  options: Partial<CommandOptions> & { namespace: NamespaceRef },
): Promise<ProbedFilesystem> {
  const bytes = await readHead(exec, device, { mostBytes: probedBytes, leastBytes: 2048 }, options);
  if (bytes.readUInt16LE(1080) === 0xef53) {
    const superblock = bytes.subarray(1024);
    return {
      family: 'ext',
      unmounted: extUnmounted(superblock),
      wholeSeconds: extKeepsWholeSeconds(superblock),
    };
  }
  const unknown = { unmounted: null, wholeSeconds: false };
  if (bytes.subarray(0, 4).toString('latin1') === 'XFSB') return { family: 'xfs', ...unknown };
  return { family: bytes.every((byte) => byte === 0) ? 'none' : 'other', ...unknown };
}

/** As `probeFilesystem`, where only the family matters. */
export async function filesystemFamily(
  ...args: Parameters<typeof probeFilesystem>
): Promise<FilesystemFamily> {
  return (await probeFilesystem(...args)).family;
}

/**
 * The kernel sets "needs recovery" (`s_feature_incompat`, bit 2) when it mounts a filesystem with a journal for writing, and
 * clears "valid" (`s_state`, bit 0) of one without. It takes both back when everything is written, at unmount, at a
 * remount without writing, and while frozen [Linux fs/ext4/super.c].
 */
function extUnmounted(superblock: Buffer): boolean {
  const needsRecovery = (superblock.readUInt32LE(0x60) & 0x4) !== 0;
  const valid = (superblock.readUInt16LE(0x3a) & 0x1) !== 0;
  return valid && !needsRecovery;
}

/**
 * An inode has the parts of a second behind its first 128 bytes, `i_ctime_extra` in the 8th of them at last. It may be there only where
 * inodes are larger (`s_inode_size`), and is for sure only where the superblock promises so much of each (`s_min_extra_isize`).
 */
function extKeepsWholeSeconds(superblock: Buffer): boolean {
  return superblock.readUInt16LE(0x58) <= 128 || superblock.readUInt16LE(0x15c) < 8;
}

/**
 * Whether the log of an XFS filesystem ends with the record of an unmount. Where `xfs_logprint` cannot tell, it does not.
 * It prints the whole unreplayed log after the line that says the state.
 */
export async function xfsUnmounted(
  exec: Exec,
  device: string,
  options: Partial<CommandOptions> & { namespace: NamespaceRef },
): Promise<boolean> {
  let clean = false;
  await exec('xfs_logprint', ['-t', '--', device], {
    deadlineMs: fsckDeadlineMs,
    ...options,
    onStdoutLine: (line, stop) => {
      const state = /^\s*log tail: .* state: <(\w+)>/.exec(line)?.[1];
      if (state === undefined) return;
      clean = state === 'CLEAN';
      stop();
    },
  });
  return clean;
}

/**
 * Checks and repairs an ext2, ext3 or ext4 filesystem on a writable clone; replays its journal. Returns what was
 * repaired, or null. Exit codes: e2fsck(8); 1 and 2 mean repaired.
 *
 * @throws CephbackupError FILESYSTEM_CORRUPT
 */
export async function checkExt(
  exec: Exec,
  device: string,
  policy: FsckPolicy,
  options: Partial<CommandOptions> & { namespace: NamespaceRef },
): Promise<string | null> {
  const args = ['-p', ...(policy === 'full' ? ['-f'] : []), '--', device];
  const result = await exec('e2fsck', args, { deadlineMs: fsckDeadlineMs, ...options });
  const { exitCode } = result;
  if (exitCode === 0 && hasChecked(result)) return null;
  const said = lastLine(result.stdout + result.stderr);
  if (exitCode > 0 && exitCode < 4) return `e2fsck repaired the clone (exit code ${exitCode}): ${said}`;
  throw new CephbackupError('FILESYSTEM_CORRUPT', `e2fsck: exit code ${exitCode}: ${said}`);
}

/** e2fsck ends with how many files and blocks there are; where it says nothing, it has looked at nothing. */
function hasChecked({ stdout }: CommandResult): boolean {
  return /\d+\/\d+ files/.test(stdout);
}

/** Looks through an ext2, ext3 or ext4 filesystem that was unmounted, and writes nothing. @throws CephbackupError FILESYSTEM_CORRUPT */
export async function examineExt(
  exec: Exec,
  device: string,
  options: Partial<CommandOptions> & { namespace: NamespaceRef },
): Promise<void> {
  const result = await exec('e2fsck', ['-f', '-n', '--', device], { deadlineMs: fsckDeadlineMs, ...options });
  if (result.exitCode === 0 && hasChecked(result)) return;
  const said = lastLine(result.stdout + result.stderr);
  throw new CephbackupError('FILESYSTEM_CORRUPT', `e2fsck -n: exit code ${result.exitCode}: ${said}`);
}

/** Checks an XFS filesystem whose log was replayed, without changing it. @throws CephbackupError FILESYSTEM_CORRUPT */
export async function checkXfs(
  exec: Exec,
  { path, loop }: { path: string; loop: boolean },
  options: Partial<CommandOptions> & { namespace: NamespaceRef },
): Promise<void> {
  const result = await exec(
    'xfs_repair',
    // `-f`: a regular file, which mount would attach to a loop device.
    ['-n', ...(loop ? ['-f'] : []), '--', path],
    {
      deadlineMs: fsckDeadlineMs,
      ...options,
    },
  );
  if (result.exitCode === 0 && /^Phase 1\b/m.test(result.stdout + result.stderr)) return;
  const said = lastLine(result.stdout + result.stderr);
  throw new CephbackupError('FILESYSTEM_CORRUPT', `xfs_repair -n: exit code ${result.exitCode}: ${said}`);
}
