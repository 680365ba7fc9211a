import { open, readFile } from 'node:fs/promises';

/** CAP_SYS_ADMIN of linux/capability.h: without it nothing can be mounted. */
const sysAdmin = 1n << 21n;

/** Why this process can mount no FUSE filesystem, or null. */
export async function whyNoFuse(device = '/dev/fuse', status = '/proc/self/status'): Promise<string | null> {
  const capabilities = /^CapEff:\s*([0-9a-f]+)$/m.exec(await readFile(status, 'utf8'))?.[1] ?? '0';
  if ((BigInt(`0x${capabilities}`) & sysAdmin) === 0n) return 'the capability SYS_ADMIN is missing';
  try {
    await (await open(device, 'r+')).close();
    return null;
  } catch (thrown) {
    const { code = '' } = thrown as NodeJS.ErrnoException;
    return code === 'ENOENT' ? `there is no ${device}` : `${device} cannot be opened (${code})`;
  }
}
