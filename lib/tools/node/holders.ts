import { readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { printable } from '../../log/logger.js';

/** Where the kernel shows its devices, and processes. */
export interface KernelFolders {
  sys: string;
  proc: string;
}

const kernelFolders: KernelFolders = { sys: '/sys', proc: '/proc' };

/**
 * Who holds a block device, in words: devices above it [Linux Documentation/ABI/stable/sysfs-block, sysfs-block-dm], and the
 * processes that have it open, those that this one can see (a pod sees its own, unless it shares the node's). Empty where
 * nobody is seen.
 *
 * @param device e.g. `/dev/rbd0`
 */
export async function holdersOf(device: string, folders = kernelFolders): Promise<string[]> {
  const above = await listOf(path.join(folders.sys, 'block', path.basename(device), 'holders'));
  const devices = await Promise.all(above.map((name) => describeHolder(name, folders)));
  return [...devices, ...(await openers(device, folders))];
}

/** Devices of RBD that multipathd has taken: nobody can unmap them any more. */
export async function takenByMultipath(folders = kernelFolders): Promise<string[]> {
  const all = await listOf(path.join(folders.sys, 'block'));
  const taken: string[] = [];
  for (const device of all.filter((name) => /^(rbd|nbd)\d+$/.test(name)))
    for (const above of await listOf(path.join(folders.sys, 'block', device, 'holders')))
      if ((await uuidOf(above, folders)).startsWith('mpath-')) taken.push(`/dev/${device}`);
  return taken;
}

async function describeHolder(name: string, folders: KernelFolders): Promise<string> {
  const uuid = await uuidOf(name, folders);
  const own = await textOf(path.join(folders.sys, 'block', name, 'dm', 'name'));
  if (own === '') return printable(name);
  return uuid.startsWith('mpath-')
    ? `multipathd (as ${printable(own)}, ${name})`
    : `device mapper (${printable(own)}, ${name})`;
}

function uuidOf(name: string, { sys }: KernelFolders): Promise<string> {
  return textOf(path.join(sys, 'block', name, 'dm', 'uuid'));
}

async function openers(device: string, { proc }: KernelFolders): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await listOf(proc)).filter((name) => /^\d+$/.test(name))) {
    const folder = path.join(proc, pid, 'fd');
    for (const fd of await listOf(folder)) {
      const target = await readlink(path.join(folder, fd)).catch(() => '');
      if (target !== device) continue;
      const command = await textOf(path.join(proc, pid, 'comm'));
      found.push(`process ${pid}${command === '' ? '' : ` (${printable(command)})`}`);
      break;
    }
  }
  return found;
}

async function listOf(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

async function textOf(file: string): Promise<string> {
  return (await readFile(file, 'utf8').catch(() => '')).trim();
}
