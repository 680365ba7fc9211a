import { safeMountOptions } from '../tools/node/mount.js';

/** What is in a part of a disk, as far as it is known. */
export interface Content {
  /** As `mount -t` takes it; null where it cannot be mounted. */
  type: string | null;
  uuid: string | null;
  /** In words, e.g. `LVM2_member` or `nothing known`. */
  name: string;
}

/**
 * How each filesystem is mounted: read-only, and so that nothing in it can harm the node. Journals are replayed, into a
 * layer that is thrown away; a superblock must not decide that an error panics the node.
 */
const options: Record<string, readonly string[]> = {
  ext2: ['errors=continue'],
  ext3: ['errors=continue'],
  ext4: ['errors=continue'],
  xfs: ['nouuid'],
  btrfs: [],
  vfat: ['errors=continue'],
  ntfs3: [],
  iso9660: [],
  squashfs: [],
  erofs: [],
};
/** blkid's names, where the kernel's differ. */
const kernelNames: Record<string, string> = { ntfs: 'ntfs3' };

/** Out of `blkid --probe --output export`, which fails where there is nothing, or more than one thing. */
export function parseContent(exitCode: number, output: string): Content {
  // blkid(8): 2: nothing was found, 8: ambivalent.
  if (exitCode === 8) return { type: null, uuid: null, name: 'more than one filesystem in one place' };
  const tags = new Map(
    output.split('\n').flatMap((line) => {
      const at = line.indexOf('=');
      return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
    }),
  );
  const found = tags.get('TYPE');
  if (exitCode !== 0 || found === undefined) return { type: null, uuid: null, name: 'nothing that is known' };
  const type = kernelNames[found] ?? found;
  const mountable = tags.get('USAGE') === 'filesystem' && Object.hasOwn(options, type);
  return { type: mountable ? type : null, uuid: tags.get('UUID') ?? null, name: found };
}

export function isPhysicalVolume({ name }: Content): boolean {
  return name === 'LVM2_member';
}

export function mountOptions(type: string): string[] {
  return ['ro', ...safeMountOptions(), ...(options[type] ?? [])];
}
