import type { FilesystemLayout } from './filesystem-layout.js';

export type FormattableType = 'ext2' | 'ext3' | 'ext4' | 'xfs';

/** How a new filesystem is to be made. */
export interface Making {
  /** `mkfsOptions` of the PersistentVolume, which ceph-csi takes instead of its own. */
  options: string | null;
  /** The filesystem that was backed up, where the backup tells. */
  was: FilesystemLayout | null;
  /** Files and directories that have to find room. */
  entries: number;
  sizeBytes: number;
}

/** As ceph-csi formats a new volume (internal/rbd/nodeserver.go); nothing is discarded, because there is nothing. */
const defaults = {
  ext: ['-m', '0', '-E', 'nodiscard,lazy_itable_init=1,lazy_journal_init=1'],
  xfs: ['-K'],
};

/** Options that make a filesystem another one, and name no file, device or label. */
const allowed = { ext: /^-[bEgGiIjmNOT]$/, xfs: /^-[bdilmnsK]$/ };
const harmless = /^[A-Za-z0-9_=,^.]+$/;

/**
 * Pure: the words of `mkfsOptions`, as ceph-csi splits them, an option's value joined to it or not; null where one of
 * them is not known to be harmless: the volume may come out of the repository.
 */
export function parseMkfsOptions(type: FormattableType, options: string): string[] | null {
  const known = allowed[type === 'xfs' ? 'xfs' : 'ext'];
  const words = options.split(/\s+/).flatMap((word) => {
    const [, flag = '', value = ''] = /^(-[A-Za-z])(.*)$/.exec(word) ?? [];
    return flag === '' ? [word] : value === '' ? [flag] : [flag, value];
  });
  const fits = (word: string) =>
    word.startsWith('-')
      ? known.test(word)
      : harmless.test(word) && !/\b(name|file|logdev|rtdev)\b/.test(word);
  return words.filter((word) => word !== '').every(fits) ? words.filter((word) => word !== '') : null;
}

/**
 * Pure: arguments of mke2fs or mkfs.xfs, without the device. Later ones win.
 * @param usage of mkfs.xfs, which names the features that it knows
 */
export function mkfsArguments(type: FormattableType, making: Making, usage: string): string[] {
  if (type === 'xfs') return ['-q', '-f', ...xfsArguments(making, usage)];
  const { options, was, entries, sizeBytes } = making;
  const chosen = options === null ? null : parseMkfsOptions(type, options);
  const args = ['-q', '-F', ...(chosen ?? defaults.ext)];
  const old = was?.type === 'ext' ? was : null;
  const asked = (flag: string) => Number(chosen?.[chosen.indexOf(flag) + 1] ?? NaN);
  const usualRatio = asked('-i') || (sizeBytes < 512 * 1024 * 1024 ? 4096 : 16_384);
  const usual = asked('-N') || sizeBytes / usualRatio;
  // As many for each byte as before, and never fewer than are needed, with a tenth to spare.
  const before = old === null ? 0 : (sizeBytes * old.inodes) / old.sizeBytes;
  const inodes = Math.min(Math.ceil(Math.max(before, entries * 1.1 + 64)), 2 ** 32 - 1);
  if (old !== null) args.push('-b', String(old.blockBytes));
  if (old !== null && old.inodeBytes >= 256) args.push('-I', String(old.inodeBytes));
  if (inodes > usual) args.push('-N', String(inodes));
  return args;
}

/**
 * Nothing that the kernels of other nodes may lack: what the old filesystem had they know. ceph-csi makes none with
 * reflink. What mkfs.xfs does not know, it does not turn on either; what is named twice, it refuses.
 */
function xfsArguments({ options, was }: Making, usage: string): string[] {
  const chosen = (options === null ? null : parseMkfsOptions('xfs', options)) ?? defaults.xfs;
  const old = was?.type === 'xfs' ? was : null;
  const features: [flag: string, name: string, on: boolean][] = [
    ['-m', 'reflink', false],
    ['-m', 'bigtime', old?.bigtime ?? false],
    ['-m', 'inobtcount', old?.inobtcount ?? false],
    ['-m', 'rmapbt', false],
    ['-i', 'nrext64', false],
    ['-i', 'exchange', false],
    ['-n', 'parent', false],
  ];
  const named = chosen.join(' ');
  const added = features.flatMap(([flag, name, on]) =>
    usage.includes(`${name}=`) && !named.includes(`${name}=`) ? [flag, `${name}=${on ? 1 : 0}`] : [],
  );
  const inode =
    old !== null && old.inodeBytes > 512 && !named.includes('size=') ? ['-i', `size=${old.inodeBytes}`] : [];
  const blocks =
    old !== null && old.blockBytes !== 4096 && !chosen.includes('-b') ? ['-b', `size=${old.blockBytes}`] : [];
  return [...chosen, ...added, ...inode, ...blocks];
}
