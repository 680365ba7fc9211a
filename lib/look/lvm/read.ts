import { open } from 'node:fs/promises';
import { CephbackupError, messageOf } from '../../errors/error.js';
import { unlessAborted, within } from '../../waiting/within.js';
import type { OpenDisk } from '../disk.js';
import type { DiskPart, DiskRange } from '../partitions.js';
import { groupOf, logicalVolumes, sequenceNumber, type LogicalVolume } from './logical-volumes.js';
import { readPhysicalVolume, type PhysicalVolume } from './physical-volume.js';

/** The volume groups of a disk. */
export interface Lvm {
  volumes: LogicalVolume[];
  /** What each part that belongs to one holds, in words. */
  shown: Map<DiskPart, string>;
}

/** What is read are a few MiB; the repository may stop answering. */
const patienceMs = 120_000;

/**
 * @param parts those that hold a physical volume
 * @throws CephbackupError COMMAND_TIMEOUT; the signal's reason
 */
export async function readLvm(disk: OpenDisk, parts: readonly DiskPart[], signal: AbortSignal): Promise<Lvm> {
  if (parts.length === 0) return { volumes: [], shown: new Map() };
  const late = () => {
    throw new CephbackupError(
      'COMMAND_TIMEOUT',
      `the metadata of LVM could not be read within ${patienceMs / 1000} s`,
    );
  };
  return unlessAborted(within(read(disk, parts), patienceMs, late), signal);
}

async function read(disk: OpenDisk, parts: readonly DiskPart[]): Promise<Lvm> {
  const shown = new Map<DiskPart, string>();
  const placed = new Map<string, DiskRange>();
  const found: { part: DiskPart; volume: PhysicalVolume }[] = [];
  const file = await open(disk.path);
  try {
    for (const part of parts) {
      try {
        const volume = await readPhysicalVolume(file, part.offset);
        found.push({ part, volume });
        placed.set(volume.uuid, part);
      } catch (thrown) {
        shown.set(part, `a damaged physical volume of LVM: ${messageOf(thrown)}`);
      }
    }
  } finally {
    await file.close();
  }
  const groups = new Map<string, { id: string; volumes: LogicalVolume[] }>();
  // Of two descriptions of one group the newer one holds.
  const newestFirst = found
    .flatMap(({ part, volume: { metadata } }) => (metadata === null ? [] : [{ part, metadata }]))
    .toSorted((a, b) => sequenceNumber(b.metadata) - sequenceNumber(a.metadata));
  for (const { part, metadata } of newestFirst) {
    try {
      const { name, id } = groupOf(metadata);
      const group = groups.get(name) ?? { id, volumes: logicalVolumes(metadata, placed) };
      groups.set(name, group);
      const names = group.volumes.map((volume) => volume.name.slice(name.length + 1));
      const same = group.id === id;
      shown.set(
        part,
        same
          ? `the LVM volume group ${name} (${names.join(', ') || 'no volumes'})`
          : `another LVM volume group ${name}`,
      );
    } catch (thrown) {
      shown.set(part, `a damaged volume group of LVM: ${messageOf(thrown)}`);
    }
  }
  for (const { part } of found)
    if (!shown.has(part)) shown.set(part, 'a physical volume of LVM that does not describe its group');
  return { volumes: [...groups.values()].flatMap(({ volumes }) => volumes), shown };
}
