import { printable } from '../../log/logger.js';

/** The lock that is in the way, as restic describes it [restic internal/restic/lock.go, Lock.String]. */
export interface ResticLock {
  exclusive: boolean;
  pid: number;
  /** The host name of the machine, or of the pod. */
  host: string;
  /** `YYYY-MM-DD hh:mm:ss`, UTC. restic writes its lock anew every 5 minutes, so this is its last sign of life. */
  time: string;
  /** Seconds since then; by the clock of this machine. */
  ageSeconds: number;
}

/** After so long without a sign of life restic takes a lock for a dead one, whatever its host [restic internal/restic/lock.go]. */
export const deadAfterMs = 30 * 60_000;

/** The lock that restic names on stderr; null where it names none. */
export function parseLock(stderr: string): ResticLock | null {
  // In JSON messages the newlines are escaped.
  const text = stderr.replaceAll('\\n', '\n');
  const who = /already locked( exclusively)? by PID (\d+) on (.+?) by /.exec(text);
  const when =
    /lock was created at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) \((?:(\d+)h)?(?:(\d+)m)?(?:([\d.]+)s)?/.exec(text);
  if (who === null || when === null) return null;
  const [hours, minutes, seconds] = [when[2], when[3], when[4]].map((part) => Number(part ?? 0));
  return {
    exclusive: who[1] !== undefined,
    pid: Number(who[2]),
    host: printable(who[3] ?? ''),
    time: when[1] ?? '',
    ageSeconds: Math.round((hours ?? 0) * 3600 + (minutes ?? 0) * 60 + (seconds ?? 0)),
  };
}

/** The locks that restic says it could not remove, and why. It exits 0 all the same. */
export function locksLeftIn(stderr: string): { id: string; reason: string }[] {
  const why = /^error while unlocking: (.+)$/m.exec(stderr)?.[1];
  if (why === undefined) return [];
  const ids = [...stderr.matchAll(/^Remove\(<lock\/([0-9a-f]+)>\) failed: /gm)];
  const unique = new Set(ids.map(([, id = '']) => id));
  return [...unique].map((id) => ({ id, reason: printable(why.trim()) }));
}

export function describeLock({ exclusive, pid, host, time, ageSeconds }: ResticLock): string {
  const how = exclusive ? 'locked exclusively' : 'in use';
  const when = `${time.replace(' ', 'T')}Z, ${spoken(ageSeconds)} ago`;
  return `the repository is ${how} by process ${pid} on ${host}; its last sign of life was at ${when}`;
}

/**
 * What to do about it. `restic unlock` also removes the locks of its own host name whose process it does not see:
 * where pods share a host name, that is the lock of somebody who is alive, and data is lost.
 */
export function lockGuidance({ host, ageSeconds }: ResticLock): string {
  const command = `\`restic unlock\` on a machine that is not named ${host}`;
  if (ageSeconds * 1000 > deadAfterMs)
    return `It shows no sign of life any more, so it is dead: remove its lock with ${command}.`;
  return `Wait until it is done (--retry-lock waits longer). If it was killed, wait until 30 minutes have passed since its last sign of life; then, and not before, ${command} removes its lock safely.`;
}

function spoken(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
