import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ExtentList, planLayout, writeImage, type Layout } from '../../lib/qcow2/index.js';
import type { Random } from './random.js';

/** A disk known in full: what is not in an extent is zeros. */
export interface Disk {
  size: number;
  extents: { offset: number; data: Buffer }[];
  clusterBits?: number;
}

export function layoutOf({ size, extents, clusterBits }: Disk): Layout {
  const list = ExtentList.of(extents.map(({ offset, data }) => [offset, data.length] as const));
  return planLayout({
    virtualSize: size,
    extents: list,
    ...(clusterBits === undefined ? {} : { clusterBits }),
  });
}

/** The data of all extents, in order, cut into pieces of `chunk` bytes. */
export function* sourceOf({ extents }: Disk, chunk = 65_536): Generator<Buffer> {
  const all = Buffer.concat(extents.map(({ data }) => data));
  for (let at = 0; at < all.length; at += chunk) yield all.subarray(at, at + chunk);
}

/** The whole image in memory, for small disks. */
export async function imageOf(disk: Disk): Promise<Buffer> {
  const parts: Buffer[] = [];
  await writeImage(layoutOf(disk), sourceOf(disk), (bytes) => {
    parts.push(Buffer.from(bytes));
  });
  return Buffer.concat(parts);
}

/** A disk whose image has gaps: some stretches of 4 MiB full, some partly. */
export function generateDense(random: Random): Disk {
  const stretch = 4 * 1024 ** 2;
  const extents: Disk['extents'] = [];
  let at = random.integer(0, stretch);
  for (let i = random.integer(1, 4); i > 0; i--) {
    const shortest = i === 1 ? 2 * stretch : 1;
    const data = random.bytes(shortest + random.integer(0, random.pick([5000, 512_000, stretch])));
    extents.push({ offset: at, data });
    at += data.length + random.pick([1, 512, 70_000, stretch]);
  }
  return { size: at, extents, clusterBits: random.integer(9, 16) };
}

/** A folder that goes when the test ends. */
export async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(path.join(tmpdir(), 'qcow2-test-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The disk as a sparse raw file. */
export function writeRaw(disk: Disk, folder: string): string {
  const raw = path.join(folder, 'disk.raw');
  const file = openSync(raw, 'w');
  ftruncateSync(file, Math.ceil(disk.size / 512) * 512);
  for (const { offset, data } of disk.extents) writeSync(file, data, 0, data.length, offset);
  closeSync(file);
  return raw;
}

/** The image that this library makes of the disk. */
export async function writeDisk(disk: Disk, folder: string): Promise<string> {
  const image = path.join(folder, 'disk.qcow2');
  const layout = layoutOf(disk);
  const file = openSync(image, 'w');
  let length = 0;
  await writeImage(layout, sourceOf(disk), (bytes) => {
    writeSync(file, bytes);
    length += bytes.length;
  });
  closeSync(file);
  if (length !== layout.length) throw new Error(`${length} bytes written, ${layout.length} planned`);
  return image;
}

export function qemuImg(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('qemu-img', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`qemu-img ${args.join(' ')}: ${status}: ${stdout}${stderr}`);
  return stdout;
}

/** @throws Error where QEMU finds a corruption or a leak */
export function expectSound(image: string): void {
  const report = JSON.parse(qemuImg('check', '--output=json', '-f', 'qcow2', image)) as Record<
    string,
    unknown
  >;
  for (const fault of ['corruptions', 'leaks', 'check-errors']) {
    if ((report[fault] ?? 0) !== 0) throw new Error(`qemu-img check: ${JSON.stringify(report)}`);
  }
}

/** @throws Error where QEMU reads anything but `pattern` there */
export function expectPattern(image: string, offset: number, length: number, pattern: number): void {
  const command = `read -P ${pattern} ${offset} ${length}`;
  const { status, stdout, stderr } = spawnSync('qemu-io', ['-r', '-f', 'qcow2', '-c', command, image], {
    encoding: 'utf8',
  });
  if (status !== 0 || !stdout.includes(`read ${length}/${length} bytes`) || stdout.includes('failed')) {
    throw new Error(`qemu-io ${command}: ${stdout}${stderr}`);
  }
}

/** @throws Error where QEMU does not find the image sound and equal to the raw file */
export function expectEqual(raw: string, image: string): void {
  expectSound(image);
  // compare overlooks a difference in size where the rest is zeros.
  const sizes = [virtualSizeOf(raw, 'raw'), virtualSizeOf(image, 'qcow2')];
  if (sizes[0] !== sizes[1]) throw new Error(`sizes of disk and image: ${sizes.join(', ')}`);
  qemuImg('compare', '-f', 'raw', '-F', 'qcow2', raw, image);
}

export function virtualSizeOf(file: string, format: 'raw' | 'qcow2'): number {
  const info = JSON.parse(qemuImg('info', '--output=json', '-f', format, file)) as { 'virtual-size': number };
  return info['virtual-size'];
}
