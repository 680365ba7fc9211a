import type { Environment } from '../tools/process/environment.js';
import type { StartDaemon } from '../tools/process/daemon.js';
import { openNamespace, type MountNamespace } from '../tools/node/namespace.js';
import type { VolumeJob } from './driver.js';

/** A mount namespace for a volume, which goes with what the volume acquired. */
export async function namespaceInScope(
  { startDaemon, env }: { startDaemon: StartDaemon; env: Environment },
  { scope }: Pick<VolumeJob, 'scope'>,
): Promise<MountNamespace> {
  const opening = openNamespace(startDaemon, env);
  // It fails by itself where it fails, and `prepare` then says so.
  scope.add(null, async () => (await opening.catch(() => null))?.close());
  return opening;
}
