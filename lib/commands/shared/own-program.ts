import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';

/** argv of this program, for what it starts of itself. */
export const ownProgram = [execPath, fileURLToPath(new URL('../../../bin/cephbackup.js', import.meta.url))];
