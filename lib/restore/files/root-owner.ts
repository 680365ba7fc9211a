import { chown, lstat, readdir } from 'node:fs/promises';
import type { RestoreJob } from '../job.js';
import { reach, type WritableDirectory } from './confined.js';

/**
 * Older backups tell nothing of the root directory's own owner and mode. A new filesystem's belongs
 * to root, so that an application with its own user could not even begin: it gets the owner that all of its entries have.
 */
export async function adoptOwner(
  { warn }: Pick<RestoreJob, 'warn'>,
  directory: WritableDirectory,
): Promise<void> {
  const root = reach(directory);
  const names = await readdir(root, { encoding: 'buffer' });
  const owners = new Set<string>();
  for (const name of names.filter((one) => one.toString() !== 'lost+found')) {
    const { uid, gid } = await lstat(Buffer.concat([Buffer.from(`${root}/`), name]));
    owners.add(`${uid}:${gid}`);
  }
  const [owner = '0:0', ...others] = owners;
  if (others.length === 0 && owner === '0:0') return;
  const [uid = 0, gid = 0] = owner.split(':').map(Number);
  if (others.length === 0) await chown(root, uid, gid);
  const got =
    others.length === 0 ? `it got ${owner}, as all that is in it, and mode 755` : 'it belongs to root';
  warn(`this backup does not tell the owner and mode of the volume's root directory: ${got}`);
}
