import { mkdir, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { asCephbackupError, CephbackupError } from '../../errors/error.js';
import { formatBytes } from '../../log/quantity.js';
import { openBackupDisk, type BackupDisk } from '../../look/backup-disk.js';
import { contentOf, type OpenDisk } from '../../look/disk.js';
import { isPhysicalVolume, type Content } from '../../look/filesystem.js';
import { mountPart } from '../../look/loop.js';
import type { LogicalVolume } from '../../look/lvm/logical-volumes.js';
import { readLvm } from '../../look/lvm/read.js';
import { volumeAsOneFile } from '../../look/lvm/whole.js';
import type { DiskPart, DiskRange } from '../../look/partitions.js';
import type { Stage } from '../../look/stage.js';
import type { LookTools } from '../../look/tools.js';
import type { Backup } from '../../repository/claims.js';
import { openLvmCommand } from '../shared/look.js';
import { mountHere } from './mount-here.js';
import type { OpenReport, ShownPart } from './table.js';

/**
 * Mounts each part of a disk that can be at the stage, or below it.
 *
 * @param lvm whether volumes of LVM are shown, too
 * @throws CephbackupError FILESYSTEM_UNSUPPORTED where there is none
 */
export async function showDisk(
  tools: LookTools,
  { directory }: Stage,
  backup: Backup,
  lvm: boolean,
): Promise<OpenReport['parts']> {
  const opened = await openBackupDisk(tools, backup);
  const { disk, parts } = opened;
  const contents = new Map<DiskPart, Content>();
  for (const part of parts) if (part.refused === null) contents.set(part, await contentOf(tools, disk, part));
  const groups = await readLvm(
    disk,
    [...contents].filter(([, content]) => isPhysicalVolume(content)).map(([part]) => part),
    tools.signal,
  );
  const shown: ShownPart[] = [];
  for (const part of parts) {
    const { number, sizeBytes } = part;
    const content = contents.get(part);
    const group = groups.shown.get(part);
    const holds = group ?? content?.name ?? 'nothing';
    const hint = group !== undefined && !lvm ? '; --lvm shows its volumes' : '';
    const line = { partition: number, volume: null, sizeBytes, type: content?.name ?? '', directory: null };
    const place = number === 0 ? directory : path.join(directory, String(number));
    const why = part.refused ?? (content?.type == null ? `it holds ${holds}${hint}` : null);
    shown.push({
      ...line,
      ...(await mountOr(tools, why, place, () => mount(tools, disk, part, content, place))),
    });
  }
  if (lvm)
    for (const [index, volume] of groups.volumes.entries())
      shown.push(await showVolume(tools, opened, { volume, number: index + 1 }, directory));
  if (shown.every((part) => part.directory === null))
    throw nothingShown(shown, backup, !lvm && groups.shown.size > 0);
  await mountHere(tools, ['-o', 'remount,bind,ro', '--', directory]);
  return shown;
}

async function showVolume(
  tools: LookTools,
  { disk, namespace }: BackupDisk,
  { volume, number }: { volume: LogicalVolume; number: number },
  directory: string,
): Promise<ShownPart> {
  const { name, sizeBytes, ranges } = volume;
  const place = path.join(directory, 'lvm', name);
  const line = { partition: null, volume: name, sizeBytes, type: '', directory: null };
  if (volume.refused !== null) return { ...line, why: volume.refused };
  try {
    const [range] = ranges;
    // One that lies in one piece is shown from the disk itself.
    const inOne = ranges.length === 1 && range !== undefined;
    const from = inOne ? disk : await volumeAsOneFile(tools, namespace, volume, number);
    const where = inOne ? range : { offset: 0, sizeBytes };
    const content = await contentOf(tools, from, where);
    const why = content.type === null ? `it holds ${content.name}` : null;
    const mounted = await mountOr(tools, why, place, () => mount(tools, from, where, content, place));
    return { ...line, type: content.name, ...mounted };
  } catch (thrown) {
    tools.signal.throwIfAborted();
    return { ...line, why: asCephbackupError(thrown).message };
  }
}

/** Where it is mounted, or why it is not. */
async function mountOr(
  { signal }: LookTools,
  why: string | null,
  place: string,
  attempt: () => Promise<void>,
): Promise<Pick<ShownPart, 'directory' | 'why'>> {
  if (why !== null) return { directory: null, why };
  try {
    await attempt();
    return { directory: place, why: null };
  } catch (thrown) {
    signal.throwIfAborted();
    // An empty directory would look like an empty filesystem.
    await rmdir(place).catch(() => undefined);
    return { directory: null, why: asCephbackupError(thrown).message };
  }
}

async function mount(
  tools: LookTools,
  disk: OpenDisk,
  where: DiskRange,
  content: Content | undefined,
  place: string,
): Promise<void> {
  if (content?.type == null) return;
  await mkdir(place, { recursive: true });
  await mountPart(tools, disk, where, { ...content, type: content.type }, place);
}

function nothingShown(shown: readonly ShownPart[], backup: Backup, lvm: boolean): CephbackupError {
  const found = shown.map(
    ({ partition, volume, sizeBytes, why }) =>
      `${volume ?? String(partition)} (${formatBytes(sizeBytes)}): ${why ?? ''}`,
  );
  const guidance = lvm
    ? `Show the volumes of LVM: \`${openLvmCommand(backup)}\`.`
    : `Restore the whole disk, and look into it with what knows it: \`cephbackup restore ${backup.namespace}/${backup.pvc} --to-file disk.qcow2\`.`;
  return new CephbackupError(
    'FILESYSTEM_UNSUPPORTED',
    `nothing on this disk can be mounted: ${found.join('; ')}`,
    {
      guidance,
    },
  );
}
