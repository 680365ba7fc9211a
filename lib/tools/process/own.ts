import { fileURLToPath } from 'node:url';

/** argv of this program, for what it starts of itself. */
export const ownProgram = [
  process.execPath,
  fileURLToPath(new URL('../../../bin/cephbackup.js', import.meta.url)),
];
/** The process that this program is. */
export const ownPid = process.pid;
