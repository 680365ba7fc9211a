import { readdir, readFile } from 'node:fs/promises';
import { checkout } from '../checkout.js';
import { loopDevices } from './loop-devices.js';
import { processIds, readOrNothing, runsFor } from './processes.js';

export interface NodeScope {
  /** Mounts count that have one of these in them. */
  words: string[];
  /** The TMPDIR that the program and its children get, if it has one of its own. */
  temporary: string | null;
}

/** What a backup program can leave behind on the node it runs on, one line each. */
export async function observeNode({ words, temporary }: NodeScope): Promise<string[]> {
  const parts = await Promise.all([
    mounts(words),
    loopDevices(temporary),
    mappedDevices(),
    ...(temporary === null ? [] : [processes(temporary), files(temporary)]),
  ]);
  return parts.flat();
}

/** Mounts that everybody on this machine sees, as far as they have one of these words: others may mount something. */
async function mounts(words: string[]): Promise<string[]> {
  const lines = (await readFile('/proc/self/mounts', 'utf8')).split('\n');
  return lines
    .filter((line) =>
      words.some((word) => withoutCheckout(withoutOpened(line)).includes(withoutCheckout(word))),
    )
    .map((line) => `mount ${line}`);
}

/**
 * `open DIRECTORY` mounts where everybody sees it, under a source that bears the program's name: a test beside this one
 * may do so. One that is left in the folders of this test has their paths in it.
 */
function withoutOpened(mount: string): string {
  return mount.replace(/^cephbackup-open-\S+/, '');
}

/** A checkout may have any of the words in its own path: then each mount of every test below it would have them, too. */
function withoutCheckout(text: string): string {
  return text.replaceAll(checkout, '');
}

async function mappedDevices(): Promise<string[]> {
  const rbd = await readdir('/sys/bus/rbd/devices').catch(() => []);
  const block = await readdir('/sys/block');
  const nbd = await Promise.all(
    block
      .filter((name) => name.startsWith('nbd'))
      .map(async (name) => {
        const pid = await readFile(`/sys/block/${name}/pid`, 'utf8').catch(() => null);
        return pid === null ? [] : [`mapped device ${name}`];
      }),
  );
  return [...rbd.map((id) => `mapped device rbd${id}`), ...nbd.flat()];
}

/**
 * Processes whose TMPDIR is `temporary`: the program's and its children's, however they were orphaned. Each by itself is
 * read in a moment; a thousand of them, by threads, would take seconds.
 */
function processes(temporary: string): string[] {
  return processIds().flatMap((pid) => {
    if (!runsFor(pid, temporary)) return [];
    const command = readOrNothing(`/proc/${pid}/cmdline`);
    if (isWaitingForItself(pid, command)) return [];
    return [`process ${pid} ${command.replaceAll('\0', ' ').slice(0, 200)}`];
  });
}

/**
 * ceph-fuse now and then runs `mount -o remount` on itself. With libfuse 2 that child has `/dev/fuse` open, so that it
 * keeps its own filesystem alive: where ceph-fuse is killed at that very moment, the child waits for its answer for ever, and
 * no signal ends it. (libfuse 3, which the image has, opens the device with O_CLOEXEC; lib/mount.c.)
 */
function isWaitingForItself(pid: string, command: string): boolean {
  const isRemount = /(^|\/)mount\0-i\0-o\0remount\0/.test(command);
  return isRemount && /^State:\tD/m.test(readOrNothing(`/proc/${pid}/status`));
}

async function files(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  return names.map((name) => `file ${folder}/${name}`);
}
