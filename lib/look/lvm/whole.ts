import { exportDirectory, pathInside } from '../../tools/node/namespace.js';
import type { NamespaceRef } from '../../tools/process/exec.js';
import { exportLayer, type OpenDisk } from '../disk.js';
import type { LookTools } from '../tools.js';
import type { LogicalVolume } from './logical-volumes.js';

/** A volume that QEMU reads from several places of the disk, as one file. */
export async function volumeAsOneFile(
  tools: LookTools,
  namespace: NamespaceRef,
  { disk, volume, number }: { disk: string; volume: LogicalVolume; number: number },
): Promise<OpenDisk> {
  const file = `${exportDirectory}/volume-${number}`;
  await exportLayer(tools, {
    namespace,
    sizeBytes: volume.sizeBytes,
    file,
    backing: (filename) => ({
      driver: 'vmdk',
      'read-only': true,
      file: { driver: 'file', filename, 'read-only': true },
    }),
    description: extentsOf(volume, disk),
  });
  return { path: pathInside(namespace, file), sizeBytes: volume.sizeBytes };
}

/**
 * VMware’s list of extents, the only one of QEMU’s formats that joins several places of one file. QEMU takes the line after
 * an empty one twice.
 */
function extentsOf({ ranges }: LogicalVolume, disk: string): string {
  const extents = ranges.map(
    ({ offset, sizeBytes }) => `RW ${sizeBytes / 512} FLAT "${disk}" ${offset / 512}\n`,
  );
  return `# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="twoGbMaxExtentFlat"\n${extents.join('')}`;
}
