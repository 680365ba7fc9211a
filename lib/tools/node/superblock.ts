import type { CommandOptions, Exec, NamespaceRef } from '../process/exec.js';
import { readHead } from './device-head.js';

/** What the first bytes of a device say it is. */
export type Superblock =
  /** @param unclean its journal has to be replayed */
  | { type: 'ext'; unclean: boolean }
  /** @param unfinished mkfs.xfs did not come to its end */
  | { type: 'xfs'; unfinished: boolean }
  /** All of them are zero; there may be data further behind. */
  | { type: 'zeros' }
  | { type: 'foreign'; name: string }
  /** Data that none of the known signatures names. */
  | { type: 'unknown' };

/** Up to the end of btrfs' superblock. */
const probedBytes = 68 * 1024;

/** Where which bytes stand: the formats' own documents, as libblkid collects them. */
const foreign: readonly [name: string, offset: number, signature: string][] = [
  ['an encrypted disk (LUKS)', 0, 'LUKS\xba\xbe'],
  ['an encrypted disk (BitLocker)', 3, '-FVE-FS-'],
  ['a partition table (GPT)', 512, 'EFI PART'],
  ['a partition table (GPT)', 4096, 'EFI PART'],
  ['a physical volume of LVM', 512, 'LABELONE'],
  ['a filesystem (btrfs)', 0x1_0040, '_BHRfS_M'],
  ['a filesystem (ntfs)', 3, 'NTFS    '],
  ['a filesystem (squashfs)', 0, 'hsqs'],
  ['a filesystem (f2fs)', 1024, '\x10\x20\xf5\xf2'],
  ['a filesystem (iso9660)', 0x8001, 'CD001'],
  ['swap space', 4086, 'SWAPSPACE2'],
  ['a disk of Ceph itself', 0, 'bluestore block device'],
  ['a QCOW2 image', 0, 'QFI\xfb'],
  // Last: other formats have a boot sector, too.
  ['a partition table or boot sector', 510, '\x55\xaa'],
];

/**
 * Pure. Offsets: ext4 disk layout (superblock at 1024: `s_magic` 56, `s_feature_incompat` 96 with RECOVER 0x4); XFS
 * algorithms & data structures (`sb_magicnum` 0, `sb_inprogress` 126).
 */
export function recognise(bytes: Buffer): Superblock {
  if (bytes.readUInt16LE(1080) === 0xef53) {
    return { type: 'ext', unclean: (bytes.readUInt32LE(1120) & 0x4) !== 0 };
  }
  if (bytes.subarray(0, 4).toString('latin1') === 'XFSB') {
    return { type: 'xfs', unfinished: bytes[126] !== 0 };
  }
  const found = foreign.find(
    ([, offset, signature]) =>
      bytes.subarray(offset, offset + signature.length).toString('latin1') === signature,
  );
  if (found !== undefined) return { type: 'foreign', name: found[0] };
  return { type: bytes.every((byte) => byte === 0) ? 'zeros' : 'unknown' };
}

/** @throws CephbackupError COMMAND_FAILED */
export async function readSuperblock(
  exec: Exec,
  device: string,
  options: Partial<CommandOptions> & { namespace: NamespaceRef },
): Promise<Superblock> {
  return recognise(await readHead(exec, device, { mostBytes: probedBytes, leastBytes: 2048 }, options));
}
