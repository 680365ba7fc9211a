import { open } from 'node:fs/promises';
import { run } from '../process.js';

const mebibyte = 1024 ** 2;
const sector = 512;
/** LVM's own default, and what the volumes below are counted in. */
const extentBytes = 4 * mebibyte;
/** Where the extents of a physical volume begin, by default. */
const firstExtentBytes = mebibyte;

/** Bytes: two partitions, each a physical volume. */
export const physicalVolumes = [1, 65].map((start) => ({ start: start * mebibyte, size: 64 * mebibyte }));

/**
 * A disk with the volume group `vg0`, made by LVM itself, which is told of these two devices alone and does without the
 * device mapper: `root` lies in three pieces on both physical volumes, `home` in one; `striped` lies on both at once;
 * `swap` has nothing in it.
 *
 * @param images of the filesystems of `root` (up to 40 MiB) and `home` (up to 16 MiB)
 */
export async function makeLvmDisk(file: string, images: { root: string; home: string }): Promise<void> {
  await run('truncate', ['--size', String(130 * mebibyte), file]);
  const table = physicalVolumes.map(
    ({ start, size }) => `start=${start / sector}, size=${size / sector}, type=lvm\n`,
  );
  await run('sfdisk', ['--quiet', file], { input: `label: gpt\n${table.join('')}` });
  const devices: string[] = [];
  try {
    for (const { start, size } of physicalVolumes) {
      const place = ['--offset', String(start), '--sizelimit', String(size)];
      devices.push((await run('losetup', ['--find', '--show', ...place, file])).trim());
    }
    const lvm = lvmOf(devices);
    const [first = '', second = ''] = devices;
    await lvm('vgcreate', 'vg0', first, second);
    await lvm('lvcreate', '--name', 'root', '--extents', '2', 'vg0', first);
    await lvm('lvcreate', '--name', 'home', '--extents', '4', 'vg0', first);
    await lvm('lvextend', '--extents', '6', 'vg0/root', second);
    await lvm('lvextend', '--extents', '10', 'vg0/root', first);
    await lvm('lvcreate', '--name', 'swap', '--extents', '1', 'vg0', second);
    await lvm('lvcreate', '--name', 'striped', '--stripes', '2', '--extents', '2', 'vg0');
    const segments = await lvm(
      'lvs',
      '--noheadings',
      '--sort',
      'lv_name,seg_start',
      '--options',
      'lv_name,seg_pe_ranges',
      'vg0',
    );
    await fill(file, devices, segments, images);
  } finally {
    for (const device of devices) await run('losetup', ['--detach', device]);
  }
}

/** @returns runs LVM on these devices, and on nothing else of the machine */
function lvmOf(devices: readonly string[]) {
  const filter = [...devices.map((device) => `"a|^${device}$|"`), '"r|.*|"'].join(',');
  const config = [
    `devices { filter=[${filter}] global_filter=[${filter}] use_devicesfile=0 }`,
    'activation { udev_sync=0 udev_rules=0 } backup { backup=0 archive=0 } global { use_lvmpolld=0 event_activation=0 }',
  ];
  const own = ['--driverloaded', 'n', '--nolocking', '--config', config.join(' ')];
  const inactive = ['--activate', 'n', '--zero', 'n', '--wipesignatures', 'n'];
  return (command: string, ...args: string[]) =>
    run('lvm', [command, ...own, ...(command === 'lvcreate' ? inactive : []), ...args], {
      env: { LVM_SUPPRESS_FD_WARNINGS: '1' },
    });
}

/** Writes the images to where LVM says that the volumes are: `root /dev/loop1:0-1`. */
async function fill(
  file: string,
  devices: readonly string[],
  segments: string,
  images: Record<string, string>,
): Promise<void> {
  const disk = await open(file, 'r+');
  const written = new Map<string, number>();
  try {
    for (const line of segments.split('\n')) {
      const [, name = '', device = '', from, to] = /^\s*(\S+)\s+(\S+):(\d+)-(\d+)\s*$/.exec(line) ?? [];
      const image = images[name];
      const place = physicalVolumes[devices.indexOf(device)];
      if (image === undefined || place === undefined) continue;
      const bytes = Buffer.alloc((Number(to) - Number(from) + 1) * extentBytes);
      const source = await open(image);
      await source.read(bytes, 0, bytes.length, written.get(name) ?? 0);
      await source.close();
      await disk.write(bytes, 0, bytes.length, place.start + firstExtentBytes + Number(from) * extentBytes);
      written.set(name, (written.get(name) ?? 0) + bytes.length);
    }
  } finally {
    await disk.close();
  }
}
