import { maxReadBytes } from './protocol.js';

/** The descriptor on which the program that `mountedServer` starts finds its connection to the kernel. */
export const connectionDescriptor = 3;

const options = `fd=${connectionDescriptor},rootmode=40000,user_id=0,group_id=0,ro,nosuid,nodev,noexec,max_read=${maxReadBytes}`;
/** Static text: no foreign byte ever becomes part of it. */
const script = `exec ${connectionDescriptor}<>/dev/fuse
mount -i -t fuse -o ${options} cephbackup "$1"
shift
exec "$@"`;

/**
 * The command line that mounts a FUSE filesystem, and becomes the program that serves it (`serve`, with
 * `connectionDescriptor`). Its end, however it comes, ends the connection: every read from the mount then fails.
 */
export function mountedServer(
  mountPoint: string,
  command: readonly string[],
): [program: string, args: string[]] {
  return ['sh', ['-ec', script, 'sh', mountPoint, ...command]];
}
