import { randomBytes } from 'node:crypto';
import { readFile, readdir, realpath } from 'node:fs/promises';
import { CephbackupError, messageOf } from '../errors/error.js';
import { mountReason } from '../tools/node/mount.js';
import type { LookTools } from './tools.js';

/** A directory of the node at which something is shown. */
export interface Stage {
  /** Absolute, without links. */
  directory: string;
  close(): Promise<void>;
}

/**
 * Unmounts when its stdin ends, also where this program was killed and could not do it itself. In a session of its own it is
 * the one child that outlives the program, by the time of one `umount`. The mark is that of the lowest mount at the
 * directory: whatever was there before stays.
 */
const janitor = `exec 3<&0
setsid sh -c 'cat >/dev/null
while grep -qF " $1 " /proc/self/mountinfo; do umount --lazy -- "$2" || exit 1; done' cephbackup-open "$@" <&3 &
wait`;

/**
 * Puts an empty filesystem of its own over a directory, so that nothing is written into that one, and everything that is
 * mounted below goes with it.
 *
 * @throws CephbackupError TARGET_UNSUITABLE, TARGET_EXISTS, MOUNT_FAILED
 */
export async function openStage(
  { exec, startDaemon, env, scope, signal }: LookTools,
  given: string,
): Promise<Stage> {
  const directory = await emptyDirectory(given);
  const mark = `cephbackup-open-${randomBytes(6).toString('hex')}`;
  const daemon = startDaemon('sh', ['-c', janitor, 'cephbackup-open', mark, directory], { env });
  const close = async () => {
    for (let attempt = 0; attempt < 16 && (await isMounted(mark)); attempt += 1)
      await exec('umount', ['--lazy', '--', directory], { deadlineMs: 60_000 });
    if (await isMounted(mark)) throw new CephbackupError('COMMAND_FAILED', `umount of ${directory} failed`);
    await daemon.finish();
  };
  scope.add({ kind: 'mount', name: directory, cluster: null }, close);
  const options = 'mode=0755,nosuid,nodev,noexec,size=1m';
  const made = await exec('mount', ['-t', 'tmpfs', '-o', options, '--', mark, directory], {
    signal,
    deadlineMs: 60_000,
  });
  if (made.exitCode !== 0) throw new CephbackupError('MOUNT_FAILED', mountReason(made.stderr));
  return { directory, close };
}

async function emptyDirectory(given: string): Promise<string> {
  let names: string[];
  let directory: string;
  try {
    directory = await realpath(given);
    names = await readdir(directory);
  } catch (cause) {
    const why = messageOf(cause);
    throw new CephbackupError('TARGET_NOT_FOUND', `the directory cannot be used: ${why}`, { cause });
  }
  if (names.length > 0)
    throw new CephbackupError('TARGET_EXISTS', `the directory ${given} has content`, {
      guidance: 'Name a directory that is empty: what is in it would be hidden.',
    });
  return directory;
}

async function isMounted(mark: string): Promise<boolean> {
  return (await readFile('/proc/self/mountinfo', 'utf8')).includes(` ${mark} `);
}
