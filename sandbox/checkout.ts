import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout that this file belongs to, whether it runs as built or, in tests, as it is. */
export const checkout = findUp(path.dirname(fileURLToPath(import.meta.url)));

function findUp(folder: string): string {
  return existsSync(path.join(folder, 'package.json')) ? folder : findUp(path.dirname(folder));
}

/** Where this checkout keeps its state. Ceph cannot cope with every folder name that Git can. */
export function statePath(): string {
  const folder = path.join(checkout, '.cache');
  if (/^[\w./@+-]+$/.test(folder)) return folder;
  return path.join(os.tmpdir(), `cephbackup-${Buffer.from(folder).toString('hex').slice(-60)}`);
}
