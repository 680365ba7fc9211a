import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { exportDirectory, pathInside } from '../../tools/node/namespace.js';
import type { NamespaceRef } from '../../tools/process/exec.js';
import { exportedDisk, exportLayer, type OpenDisk } from '../disk.js';
import type { LookTools } from '../tools.js';
import type { LogicalVolume } from './logical-volumes.js';

/** A volume that QEMU reads from several places of the disk, as one file. @param number another one for each */
export async function volumeAsOneFile(
  tools: LookTools,
  namespace: NamespaceRef,
  volume: LogicalVolume,
  number: number,
): Promise<OpenDisk> {
  const file = `${exportDirectory}/volume-${number}`;
  await exportLayer(tools, {
    namespace,
    sizeBytes: volume.sizeBytes,
    file,
    backing: async (folder) => {
      const filename = path.join(folder, 'extents.vmdk');
      await writeFile(filename, extentsOf(volume));
      return { driver: 'vmdk', 'read-only': true, file: { driver: 'file', filename, 'read-only': true } };
    },
  });
  return { path: pathInside(namespace, file), sizeBytes: volume.sizeBytes };
}

/**
 * VMware’s list of extents, the only one of QEMU’s formats that joins several places of one file. QEMU takes the line after
 * an empty one twice.
 */
function extentsOf({ ranges }: LogicalVolume): string {
  const extents = ranges.map(
    ({ offset, sizeBytes }) => `RW ${sizeBytes / 512} FLAT "${exportedDisk}" ${offset / 512}\n`,
  );
  return `# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="twoGbMaxExtentFlat"\n${extents.join('')}`;
}
