/** A range of a disk, in bytes. */
export interface DiskRange {
  offset: number;
  sizeBytes: number;
}

/** A part of a disk: a partition, or all of a disk that has no table. */
export interface DiskPart extends DiskRange {
  /** The partition's number in the table; 0: the disk itself. */
  number: number;
  /** Why it is not looked into; null where nothing speaks against it. */
  refused: string | null;
}

const sectorSize = 512;
/** What a table may have, whatever it claims: GPT's usual 128. */
const mostPartitions = 128;
/** MBR's types of partitions that only contain others. */
const containers = new Set(['0x5', '0xf', '0x85']);

/**
 * The partitions of a disk as `partx --raw --noheadings --output NR,START,SECTORS,TYPE` prints them (util-linux,
 * which reads tables as the node's own udev does). A table is a tenant's: what lies outside the disk, or over another
 * partition, is named and not looked into.
 */
export function parsePartitions(output: string, diskBytes: number): DiskPart[] {
  const parts = output
    .split('\n')
    .map((line) => /^(\d{1,10}) (\d{1,16}) (\d{1,16})(?: (\S+))?\s*$/.exec(line))
    .filter((match) => match !== null)
    .filter(([, , , , type = '']) => !containers.has(type))
    .map(([, number, start, sectors]) => ({
      number: Number(number),
      offset: Number(start) * sectorSize,
      sizeBytes: Number(sectors) * sectorSize,
    }));
  return parts
    .slice(0, mostPartitions)
    .map((part) => ({ ...part, refused: refusal(part, parts, diskBytes) }));
}

type Extent = Pick<DiskPart, 'number' | 'offset' | 'sizeBytes'>;

function refusal(part: Extent, all: readonly Extent[], diskBytes: number): string | null {
  const end = ({ offset: offset, sizeBytes }: Extent) => offset + sizeBytes;
  if (part.sizeBytes < sectorSize) return 'it is empty';
  if (!Number.isSafeInteger(end(part)) || end(part) > diskBytes)
    return 'it reaches beyond the end of the disk';
  if (part.offset < sectorSize) return 'it lies over the partition table';
  const other = all.find(
    (one) => one !== part && one.sizeBytes > 0 && one.offset < end(part) && part.offset < end(one),
  );
  return other === undefined ? null : `it overlaps partition ${other.number}`;
}
