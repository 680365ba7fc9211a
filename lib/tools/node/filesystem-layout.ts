import type { CommandOptions, Exec, NamespaceRef } from '../process/exec.js';
import { readHead } from './device-head.js';

/** What a filesystem's superblock says of how it was made, as far as another one should be made like it. */
export type FilesystemLayout =
  | { type: 'ext'; sizeBytes: number; blockBytes: number; inodes: number; inodeBytes: number }
  | { type: 'xfs'; blockBytes: number; inodeBytes: number; bigtime: boolean; inobtcount: boolean };

/** Where a superblock of either kind ends: its offset in bytes. */
const superblockEnd = 2048;

/**
 * Pure; null where it is neither. Offsets: ext4 disk layout (superblock at 1024: `s_inodes_count` 0, `s_blocks_count_lo`
 * 4, `s_log_block_size` 24, `s_inode_size` 88); XFS algorithms & data structures (`sb_blocksize` 4, `sb_inodesize` 104,
 * `sb_features_ro_compat` 212 with INOBTCNT 0x8, `sb_features_incompat` 216 with BIGTIME 0x8).
 */
export function parseLayout(bytes: Buffer): FilesystemLayout | null {
  if (bytes.length < superblockEnd) return null;
  if (bytes.readUInt16LE(1080) === 0xef53) {
    const blockBytes = 1024 * 2 ** bytes.readUInt32LE(1048);
    const inodes = bytes.readUInt32LE(1024);
    const sizeBytes = bytes.readUInt32LE(1028) * blockBytes;
    return { type: 'ext', sizeBytes, blockBytes, inodes, inodeBytes: bytes.readUInt16LE(1112) };
  }
  if (bytes.subarray(0, 4).toString('latin1') !== 'XFSB') return null;
  return {
    type: 'xfs',
    blockBytes: bytes.readUInt32BE(4),
    inodeBytes: bytes.readUInt16BE(104),
    bigtime: (bytes.readUInt32BE(216) & 0x8) !== 0,
    inobtcount: (bytes.readUInt32BE(212) & 0x8) !== 0,
  };
}

/** @throws CephbackupError COMMAND_FAILED */
export async function readLayout(
  exec: Exec,
  device: string,
  options: Partial<CommandOptions> & { namespace: NamespaceRef },
): Promise<FilesystemLayout | null> {
  return parseLayout(await readHead(exec, device, { mostBytes: superblockEnd, leastBytes: 0 }, options));
}
