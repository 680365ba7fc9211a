import { randomUUID } from 'node:crypto';
import { open, realpath, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { CephbackupError, messageOf } from '../../errors/error.js';

/**
 * Writes a file so that whoever reads it meanwhile finds the old one or the new one, whole. What is no regular file (a
 * pipe, a terminal) is written to as it is.
 *
 * @throws CephbackupError REPORT_UNWRITABLE
 */
export async function writeWhole(file: string, text: string): Promise<void> {
  try {
    const found = await stat(file).catch(() => null);
    if (found !== null && !found.isFile()) {
      await write(file, text, 'w');
      return;
    }
    // A link stays one.
    const target = found === null ? file : await realpath(file);
    const fresh = path.join(path.dirname(target), `.${path.basename(target).slice(0, 200)}.${randomUUID()}`);
    try {
      await write(fresh, text, 'wx');
      await rename(fresh, target);
    } catch (thrown) {
      await rm(fresh, { force: true });
      throw thrown;
    }
  } catch (cause) {
    const why = messageOf(cause);
    throw new CephbackupError('REPORT_UNWRITABLE', `the page cannot be written: ${why}`, { cause });
  }
}

async function write(file: string, text: string, flags: string): Promise<void> {
  const handle = await open(file, flags);
  try {
    await handle.writeFile(text);
  } finally {
    await handle.close();
  }
}
