import { readdir, readFile } from 'node:fs/promises';

/** Processes whose command line has all of these words. */
export async function processesWith(...words: string[]): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      const args = command.split('\0');
      return words.every((word) => args.some((arg) => arg.includes(word))) ? [Number(pid)] : [];
    }),
  );
  return found.flat();
}

/** The ceph-fuse that this program started for a directory; not the unshare that waits for it. */
export async function clientOf(root: string): Promise<number> {
  const found = await processesWith('ceph-fuse', '/run/cephbackup/cephfs', `--client_mountpoint=${root}`);
  for (const pid of found) {
    if ((await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')) === 'ceph-fuse\n') return pid;
  }
  throw new Error(`no ceph-fuse has ${root}`);
}
