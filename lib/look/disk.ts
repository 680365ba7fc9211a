import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CephbackupError } from '../errors/error.js';
import { diskFolder } from '../volumes/block/segments/format.js';
import { exportDirectory, pathInside } from '../tools/node/namespace.js';
import { exportDisk } from '../tools/node/storage-daemon.js';
import type { NamespaceRef } from '../tools/process/exec.js';
import { lastLine } from '../tools/process/outcome.js';
import { parseContent, type Content } from './filesystem.js';
import { serveAsOneFile } from './segments/start.js';
import { parsePartitions, type DiskPart, type DiskRange } from './partitions.js';
import type { LookTools } from './tools.js';
import { queryDeadlineMs } from '../waiting/deadline.js';

/** A disk of a backup as one file, into which nothing can be written for good. */
export interface OpenDisk {
  /** How this program reaches the file. */
  path: string;
  sizeBytes: number;
}

/** The disk inside the namespace. */
export const exportedDisk = `${exportDirectory}/disk`;

/**
 * Shows the disk of a snapshot as a raw file: QEMU reads the backup through restic's mount.
 *
 * @param root the snapshot's root inside the namespace
 * @throws CephbackupError BACKUP_DAMAGED, MAP_FAILED, VIEW_FAILED
 */
export async function openDisk(tools: LookTools, namespace: NamespaceRef, root: string): Promise<OpenDisk> {
  const { sizeBytes, blockdev } = await sourceOf(tools, namespace, root);
  await exportLayer(tools, {
    namespace,
    sizeBytes,
    file: exportedDisk,
    backing: () => Promise.resolve(blockdev),
  });
  return { path: pathInside(namespace, exportedDisk), sizeBytes };
}

/** What is shown as a file in the namespace, and what it is read from. */
export interface Layered {
  namespace: NamespaceRef;
  sizeBytes: number;
  /** Must not exist. */
  file: string;
  /** What QEMU reads it from; may put files into a folder that lasts until QEMU has started. */
  backing: (folder: string) => Promise<object>;
}

/**
 * What is written (the replay of a journal) goes into a layer above it that has no name any more, and is gone with QEMU.
 *
 * @throws CephbackupError MAP_FAILED
 */
export async function exportLayer(tools: LookTools, layered: Layered): Promise<void> {
  const { exec, scope, signal } = tools;
  const { namespace, sizeBytes, file } = layered;
  const folder = await mkdtemp(path.join(tmpdir(), 'cephbackup-look-'));
  const layer = path.join(folder, 'layer.qcow2');
  scope.add(null, () => rm(folder, { recursive: true, force: true }));
  const backing = await layered.backing(folder);
  const made = await exec('qemu-img', ['create', '-q', '-f', 'qcow2', layer, String(sizeBytes)], {
    signal,
    deadlineMs: 60_000,
  });
  if (made.exitCode !== 0)
    throw new CephbackupError('MAP_FAILED', `qemu-img create: ${lastLine(made.stderr)}`);
  await exportDisk(tools, {
    namespace,
    blockdev: { driver: 'qcow2', file: { driver: 'file', filename: layer }, backing },
    file,
    of: '',
    started: (daemon) => {
      scope.add(null, () => daemon.stop());
    },
    signal,
  });
  // QEMU has them open: they go with QEMU, however that ends.
  await rm(folder, { recursive: true, force: true });
}

/**
 * The size that the header names (QEMU docs/interop/qcow2.txt). A backup has neither a backing file nor data elsewhere: an
 * image that names one would have QEMU read any file of the node.
 */
async function virtualSize(image: string): Promise<number> {
  const header = Buffer.alloc(104);
  const file = await open(image).catch((cause: unknown) => {
    throw new CephbackupError('BACKUP_DAMAGED', 'the backup has neither /disk.qcow2 nor /disk.d', { cause });
  });
  try {
    await file.read(header, 0, header.length, 0);
  } finally {
    await file.close();
  }
  const size = header.readBigUInt64BE(24);
  const sound =
    header.readUInt32BE(0) === 0x514649fb &&
    header.readUInt32BE(4) === 3 &&
    header.readBigUInt64BE(8) === 0n &&
    header.readUInt32BE(32) === 0 &&
    header.readBigUInt64BE(72) === 0n &&
    size > 0n &&
    size <= 2n ** 50n;
  if (sound) return Number(size);
  throw new CephbackupError('BACKUP_DAMAGED', 'the header of /disk.qcow2 is none that this program writes');
}

interface Source {
  sizeBytes: number;
  /** As QEMU names it. */
  blockdev: object;
}

/** Of whichever format the backup is. @throws CephbackupError BACKUP_DAMAGED, VIEW_FAILED */
async function sourceOf(tools: LookTools, namespace: NamespaceRef, root: string): Promise<Source> {
  const file = (filename: string) => ({ driver: 'file', filename, 'read-only': true, locking: 'off' });
  const segments = `${root}/${diskFolder}`;
  if ((await stat(pathInside(namespace, segments)).catch(() => null)) !== null) {
    const served = await serveAsOneFile(tools, namespace, segments);
    const blockdev = { driver: 'raw', 'read-only': true, file: file(served.path) };
    return { sizeBytes: served.sizeBytes, blockdev };
  }
  const image = `${root}/disk.qcow2`;
  const sizeBytes = await virtualSize(pathInside(namespace, image));
  return { sizeBytes, blockdev: { driver: 'qcow2', 'read-only': true, backing: null, file: file(image) } };
}

/** The partitions of a disk; the disk itself where it has no table. @throws CephbackupError COMMAND_… */
export async function readParts({ exec, signal }: LookTools, disk: OpenDisk): Promise<DiskPart[]> {
  const whole = { number: 0, offset: 0, sizeBytes: disk.sizeBytes, refused: null };
  // A filesystem's boot sector can look like a table: what is known as a filesystem is one.
  if ((await contentOf({ exec, signal }, disk, whole)).type !== null) return [whole];
  const args = ['--raw', '--noheadings', '--output', 'NR,START,SECTORS,TYPE', '--', disk.path];
  const result = await exec('partx', args, { signal, deadlineMs: queryDeadlineMs });
  const parts = parsePartitions(result.stdout, disk.sizeBytes);
  return parts.length === 0 ? [whole] : parts;
}

export async function contentOf(
  { exec, signal }: Pick<LookTools, 'exec' | 'signal'>,
  disk: OpenDisk,
  { offset, sizeBytes }: DiskRange,
): Promise<Content> {
  const place = ['--offset', String(offset), '--size', String(sizeBytes)];
  const args = [
    '--probe',
    '--output',
    'export',
    ...place,
    '--usages',
    'filesystem,raid,crypto,other',
    '--',
    disk.path,
  ];
  const { exitCode, stdout } = await exec('blkid', args, { signal, deadlineMs: queryDeadlineMs });
  return parseContent(exitCode, stdout);
}
