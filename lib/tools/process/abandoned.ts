import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';

/**
 * Says in the name of a temporary file whose it is, so that what a killed program left can be told from what is in use: the PID
 * namespace, the pid, and when that process started, in clock ticks since boot (proc(5)), since pids are used again.
 */
export function ownName(): string {
  return `${namespace()}-${process.pid}-${startOf(process.pid) ?? 0}`;
}

/**
 * Paths of this user's files in a folder whose names are a prefix and an `ownName`, and whose process is gone. Of processes in other
 * PID namespaces nothing is known: theirs are left.
 */
export function abandoned(folder: string, prefix: string): string[] {
  const own = `${prefix}${namespace()}-`;
  const isGone = (name: string) => {
    const [, pid, start] = /^(\d+)-(\d+)(?:-|$)/.exec(name.slice(own.length)) ?? [];
    return pid !== undefined && startOf(Number(pid)) !== start;
  };
  const left = namesIn(folder).filter((name) => name.startsWith(own) && isGone(name));
  return left.map((name) => path.join(folder, name)).filter(isOwn);
}

/** None where it cannot be read: whoever needs the folder will say so. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Anybody may write into `/tmp`. */
function isOwn(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false })?.uid === process.getuid?.();
}

function namespace(): string {
  return readlinkSync('/proc/self/ns/pid').replace(/\D/g, '');
}

/** When a process started; undefined where there is none. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // What comes before is the program's name, in which anything may be. Field 22 of all.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
