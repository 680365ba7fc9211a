import type { FileHandle } from 'node:fs/promises';
import { parseConfig, type ConfigSection } from './config.js';

/**
 * What a physical volume says of itself and of its volume group. Read from the disk as it is, by this program: LVM's own tools, and a device that
 * has the label, would have the node's LVM take the volume group for one of its own.
 * The format: lvm2, lib/label/label.h and lib/format_text/layout.h.
 */
export interface PhysicalVolume {
  /** 32 characters. */
  uuid: string;
  /** The description of the group; null where this volume has none (others of the group do). */
  metadata: ConfigSection | null;
}

const sector = 512;
const magic = ' LVM2 x[5A%r0N*>';
/** The text is written into a ring behind its header. */
const mdaHeaderBytes = 512;
/** LVM gives it 1 MiB; a group of thousands of volumes takes some. */
const mostMetadataBytes = 4 * 1024 * 1024;
/** RAW_LOCN_IGNORED: this copy is not kept up to date. */
const ignored = 1;

interface Area {
  offset: number;
  size: number;
}

/** @param start of the physical volume, in bytes @throws Error where it is none, or damaged */
export async function readPhysicalVolume(file: FileHandle, start: number): Promise<PhysicalVolume> {
  // The label is in one of the first four sectors.
  const head = await readAt(file, start, 4 * sector);
  const at = [0, 1, 2, 3]
    .map((number) => number * sector)
    .find(
      (offset) =>
        head.toString('latin1', offset, offset + 8) === 'LABELONE' &&
        head.toString('latin1', offset + 24, offset + 32) === 'LVM2 001',
    );
  if (at === undefined) throw new Error('it has no label');
  const label = head.subarray(at, at + sector);
  const header = label.readUInt32LE(20);
  if (header < 32 || header > sector - 40) throw new Error('its label is damaged');
  const uuid = label.toString('latin1', header, header + 32);
  const [, metadataAreas = []] = areaLists(label, header + 40);
  for (const area of metadataAreas) {
    const metadata = await readMetadata(file, start, area);
    if (metadata !== null) return { uuid, metadata };
  }
  return { uuid, metadata: null };
}

/** Two lists of areas, each ended by one of zeros: the data, the metadata. */
function areaLists(label: Buffer, from: number): Area[][] {
  const lists: Area[][] = [[]];
  for (let at = from; at + 16 <= label.length; at += 16) {
    const area = { offset: numberAt(label, at), size: numberAt(label, at + 8) };
    if (area.offset !== 0) lists.at(-1)?.push(area);
    else if (lists.length === 2) return lists;
    else lists.push([]);
  }
  throw new Error('its label is damaged');
}

async function readMetadata(file: FileHandle, start: number, area: Area): Promise<ConfigSection | null> {
  const header = await readAt(file, start + area.offset, mdaHeaderBytes);
  if (header.toString('latin1', 4, 20) !== magic) throw new Error('its metadata has no header');
  const [offset, size] = [numberAt(header, 40), numberAt(header, 48)];
  if (offset === 0 || size === 0 || (header.readUInt32LE(60) & ignored) !== 0) return null;
  if (size > mostMetadataBytes || size > area.size - mdaHeaderBytes || offset >= area.size)
    throw new Error('its metadata lies outside its area');
  const before = Math.min(size, area.size - offset);
  const parts = [
    await readAt(file, start + area.offset + offset, before),
    await readAt(file, start + area.offset + mdaHeaderBytes, size - before),
  ];
  const text = Buffer.concat(parts).toString('utf8');
  const end = text.indexOf('\0');
  return parseConfig(end < 0 ? text : text.slice(0, end));
}

/** Beyond 2^53 no disk has anything. */
function numberAt(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at));
}

async function readAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  if (!Number.isSafeInteger(offset)) throw new Error('it reaches beyond the end of the disk');
  const bytes = Buffer.alloc(length);
  for (let filled = 0; filled < length;) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled);
    if (bytesRead === 0) throw new Error('it reaches beyond the end of the disk');
    filled += bytesRead;
  }
  return bytes;
}
