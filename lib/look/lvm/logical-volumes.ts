import type { DiskRange } from '../partitions.js';
import { countAt, listAt, sectionAt, textAt, type ConfigSection } from './config.js';

export interface LogicalVolume {
  /** `GROUP/NAME`. */
  name: string;
  sizeBytes: number;
  /** What it consists of, in order; none where it is refused. */
  ranges: DiskRange[];
  /** Why it cannot be looked into; null where nothing speaks against it. */
  refused: string | null;
}

const sector = 512;
/** What a group may have, whatever it claims. */
const mostVolumes = 128;
const mostSegments = 4096;
/** QEMU opens the disk anew for each piece of a volume. */
const mostPieces = 500;
/** Of those that take a QEMU each. */
const mostScattered = 16;
/** vgcreate(8), lvcreate(8): what names consist of; they become directories here. */
const soundName = /^(?!\.{1,2}$)(?!-)[A-Za-z0-9+_.-]{1,127}$/;
/** lvmraid(7), lvmthin(7): names of segment types. */
const soundType = /^[a-z0-9_+-]{1,32}$/;

/**
 * The volumes of a group that its users see, by the group's own description. It is a tenant's: what lies outside of the
 * physical volumes that are on this disk, or over another volume, is named and not looked into.
 *
 * @param placed the physical volumes that are on this disk, by UUID
 * @throws Error where the description is none
 */
export function logicalVolumes(
  metadata: ConfigSection,
  placed: ReadonlyMap<string, DiskRange>,
): LogicalVolume[] {
  const { name: group, section } = groupOf(metadata);
  const extentBytes = (countAt(section, 'extent_size') ?? 0) * sector;
  if (extentBytes === 0) throw new Error('its extents have no size');
  const bases = new Map<string, Base>();
  for (const [name, value] of sectionAt(section, 'physical_volumes') ?? []) {
    const one = value instanceof Map ? value : undefined;
    const place = placed.get((textAt(one, 'id') ?? '').replaceAll('-', ''));
    const first = (countAt(one, 'pe_start') ?? 0) * sector;
    if (place !== undefined && first > 0) bases.set(name, { first, place });
  }
  const visible = [...(sectionAt(section, 'logical_volumes') ?? [])].flatMap(([name, value]) =>
    value instanceof Map && soundName.test(name) && listAt(value, 'status').includes('VISIBLE')
      ? [{ name: `${group}/${name}`, value }]
      : [],
  );
  const found = visible
    .slice(0, mostVolumes)
    .map(({ name, value }) => volumeOf(name, value, { extentBytes, bases }));
  const met = overlapping(found);
  const scattered = new Set(found.filter(({ ranges }) => ranges.length > 1).slice(mostScattered));
  const shown = found.map((volume) => {
    if (met.has(volume)) return refusal(volume.name, 'it overlaps another volume');
    return scattered.has(volume)
      ? refusal(volume.name, `it is one of more than ${mostScattered} that lie in several pieces`)
      : volume;
  });
  const others = visible.length - found.length;
  return others === 0
    ? shown
    : [...shown, refusal(`${group}/*`, `${others} more than ${mostVolumes} volumes are not looked into`)];
}

function refusal(name: string, refused: string): LogicalVolume {
  return { name, sizeBytes: 0, ranges: [], refused };
}

/** Where the extents of a physical volume begin, and what it may not leave. */
interface Base {
  first: number;
  place: DiskRange;
}

interface Layout {
  extentBytes: number;
  bases: ReadonlyMap<string, Base>;
}

interface Group {
  name: string;
  id: string;
  section: ConfigSection;
}

/** @throws Error where none is described */
export function groupOf(metadata: ConfigSection): Group {
  for (const [name, section] of metadata)
    if (section instanceof Map && soundName.test(name))
      return { name, id: textAt(section, 'id') ?? '', section };
  throw new Error('its metadata names no volume group');
}

/** Every change of a group makes it one higher. */
export function sequenceNumber(metadata: ConfigSection): number {
  for (const section of metadata.values()) if (section instanceof Map) return countAt(section, 'seqno') ?? 0;
  return 0;
}

function volumeOf(name: string, section: ConfigSection, layout: Layout): LogicalVolume {
  const count = countAt(section, 'segment_count') ?? 0;
  if (count === 0) return refusal(name, 'its description is damaged');
  if (count > mostSegments) return refusal(name, `it has more than ${mostSegments} segments`);
  const ranges: DiskRange[] = [];
  let sizeBytes = 0;
  for (let number = 1; number <= count; number += 1) {
    const segment = sectionAt(section, `segment${number}`);
    const found = rangeOf(segment, sizeBytes, layout);
    if (typeof found === 'string') return refusal(name, found);
    sizeBytes += found.sizeBytes;
    const last = ranges.at(-1);
    if (last !== undefined && last.offset + last.sizeBytes === found.offset)
      last.sizeBytes += found.sizeBytes;
    else ranges.push(found);
  }
  if (ranges.length > mostPieces) return refusal(name, `it lies in more than ${mostPieces} pieces`);
  return { name, sizeBytes, ranges, refused: null };
}

/** Where a segment is on the disk; or why that is not known. */
function rangeOf(
  segment: ConfigSection | undefined,
  expected: number,
  { extentBytes, bases }: Layout,
): DiskRange | string {
  const type = textAt(segment, 'type');
  const [physical, first] = listAt(segment, 'stripes');
  if (type !== 'striped')
    return `it is of the type ${soundType.test(type ?? '') ? `"${type ?? ''}"` : 'unknown'}`;
  if (countAt(segment, 'stripe_count') !== 1) return 'it is striped over several physical volumes';
  const sizeBytes = (countAt(segment, 'extent_count') ?? 0) * extentBytes;
  const startBytes = (countAt(segment, 'start_extent') ?? -1) * extentBytes;
  if (typeof physical !== 'string' || typeof first !== 'number') return 'its description is damaged';
  if (sizeBytes === 0 || startBytes !== expected || first < 0) return 'its description is damaged';
  const base = bases.get(physical);
  if (base === undefined) return 'a part of it is on another disk';
  const inside = base.first + first * extentBytes;
  if (!Number.isSafeInteger(inside + sizeBytes) || inside + sizeBytes > base.place.sizeBytes)
    return 'it reaches beyond the end of its physical volume';
  return { offset: base.place.offset + inside, sizeBytes };
}

/** Those that lie over another one, or over themselves. */
function overlapping(volumes: readonly LogicalVolume[]): Set<LogicalVolume> {
  const met = new Set<LogicalVolume>();
  const all = volumes.flatMap((volume) => volume.ranges.map((range) => ({ volume, ...range })));
  let furthest: (typeof all)[number] | undefined;
  for (const range of all.toSorted((a, b) => a.offset - b.offset)) {
    const end = furthest === undefined ? 0 : furthest.offset + furthest.sizeBytes;
    if (furthest !== undefined && range.offset < end) met.add(range.volume).add(furthest.volume);
    if (range.offset + range.sizeBytes > end) furthest = range;
  }
  return met;
}
