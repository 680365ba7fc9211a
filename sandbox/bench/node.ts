import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { searchPath } from '../tools.js';
import type { Started } from './memory.js';

/** Node with one expression, to know what of the measured is its own; started as `cephbackup` is. */
export function startNode(expression: string): Started<unknown> {
  const args = ['--pdeathsig', 'KILL', '--', process.execPath, '-e', expression];
  // Nothing else of this environment, as there: certificates that it names would be loaded at each start.
  const child = spawn('setpriv', args, { env: { PATH: searchPath() }, stdio: 'pipe' });
  child.stdout.resume();
  child.stderr.resume();
  return { pid: child.pid ?? 0, result: once(child, 'close') };
}
