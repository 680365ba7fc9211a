import type { Backup } from '../repository/claims.js';
import { mkdirInside } from '../tools/node/in-namespace.js';
import { openNamespace, stateDirectory } from '../tools/node/namespace.js';
import type { NamespaceRef } from '../tools/process/exec.js';
import { openDisk, readParts, type OpenDisk } from './disk.js';
import type { DiskPart } from './partitions.js';
import { mountSnapshot } from './repository-mount.js';
import type { LookTools } from './tools.js';

/** The disk of a backup, and what it is divided into, in a mount namespace that the node does not see. */
export interface BackupDisk {
  namespace: NamespaceRef;
  disk: OpenDisk;
  parts: DiskPart[];
}

/** Goes with the scope of the tools. @throws CephbackupError BACKUP_DAMAGED, MAP_FAILED, RESTIC_FAILED, NAMESPACE_FAILED */
export async function openBackupDisk(tools: LookTools, backup: Backup): Promise<BackupDisk> {
  const { scope, startDaemon, env } = tools;
  const namespace = await openNamespace(startDaemon, env);
  scope.add(null, () => namespace.close());
  const disk = await openDisk(tools, namespace, await mountSnapshot(tools, namespace, backup));
  return { namespace, disk, parts: await readParts(tools, disk) };
}

/** A directory in the namespace of a disk, on which nothing is mounted yet. */
export async function makePlace(namespace: NamespaceRef): Promise<string> {
  const place = `${stateDirectory}/partition`;
  await mkdirInside(namespace, place);
  return place;
}
