import { readdirSync, readFileSync } from 'node:fs';

/** All but this one. */
export function processIds(): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
}

/** Whether its TMPDIR is `temporary`: the program's is, and its children's, however they were orphaned. */
export function runsFor(pid: string, temporary: string): boolean {
  return readOrNothing(`/proc/${pid}/environ`).split('\0').includes(`TMPDIR=${temporary}`);
}

/** Nothing where it is no more. */
export function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
