import { CephbackupError } from '../errors/error.js';
import { stateDirectory, exportDirectory, type MountNamespace } from '../tools/node/namespace.js';
import type { LookTools } from './tools.js';

/**
 * A private mount namespace of which the node sees exactly what is mounted at one directory. That directory has to be a
 * shared mount of its own. Everything else is cut off before anything is mounted.
 */
const holder = String.raw`dir=$1
while read -r _ _ _ _ point _; do
  point=$(printf %b "$(printf %s "$point" | sed 's/\\\([0-7]\{3\}\)/\\0\1/g')")
  [ "$point" = "$dir" ] || mount --make-slave "$point" 2>/dev/null || :
done </proc/self/mountinfo
mkdir -p ${stateDirectory}
mount -t tmpfs -o mode=0700,nosuid,noexec,size=16m cephbackup ${stateDirectory}
mount --make-private ${stateDirectory}
mkdir ${exportDirectory}
mount --make-shared -t tmpfs -o mode=0700,nosuid,noexec,size=1m cephbackup ${exportDirectory}
echo ready
exec cat`;

const readyWithinMs = 30_000;

/** @throws CephbackupError NAMESPACE_FAILED */
export async function openSharedNamespace(
  { startDaemon, env }: LookTools,
  directory: string,
): Promise<MountNamespace> {
  const args = [
    '--mount',
    '--propagation',
    'unchanged',
    '--',
    'sh',
    '-ec',
    holder,
    'cephbackup-open',
    directory,
  ];
  let late: NodeJS.Timeout | undefined;
  let announce: (line: string) => void = () => undefined;
  const ready = new Promise<string>((resolve) => {
    announce = resolve;
    late = setTimeout(resolve, readyWithinMs, 'nothing after 30 s');
  });
  const daemon = startDaemon('unshare', args, { env, onLine: announce });
  const said = await Promise.race([ready, daemon.ended]);
  clearTimeout(late);
  if (said === 'ready') return { pid: daemon.pid, close: () => daemon.stop() };
  await daemon.stop();
  throw new CephbackupError('NAMESPACE_FAILED', `no private mount namespace: ${said}`);
}
