import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import { CephbackupError } from '../../errors/error.js';
import type { CommandOptions } from './exec.js';

/** argv of `setpriv` in front of a program: it dies with this one, and runs in the mount namespace given. */
export function wrapper({ namespace, cwd }: Pick<CommandOptions, 'namespace' | 'cwd'>): string[] {
  const dieWithParent = ['--pdeathsig', 'KILL', '--'];
  if (namespace === undefined) return dieWithParent;
  const enter = ['nsenter', `--mount=/proc/${namespace.pid}/ns/mnt`];
  return [...dieWithParent, ...enter, ...(cwd === undefined ? [] : [`--wdns=${cwd}`]), '--'];
}

/** @throws CephbackupError TOOL_MISSING */
export function resolveProgram(program: string, searchPath = ''): string {
  if (program.includes('/')) return program;
  for (const folder of searchPath.split(':')) {
    const file = path.join(folder === '' ? '.' : folder, program);
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return file;
    } catch {
      continue;
    }
  }
  throw new CephbackupError('TOOL_MISSING', `the program ${program} is not on PATH`);
}
