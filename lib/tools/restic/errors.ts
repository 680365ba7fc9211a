import { CephbackupError } from '../../errors/error.js';
import type { ErrorCode } from '../../errors/catalogue.js';
import { retriedReason } from '../../waiting/passing.js';
import { CommandFailure } from '../process/ending.js';
import type { CommandResult } from '../process/exec.js';
import { lastLine } from '../process/outcome.js';
import { describeLock, lockGuidance, parseLock } from './locks.js';
import { errorText, parseMessage } from './messages.js';

/** restic's documented exit codes; every other code, known or not, is a failure of what was asked for. */
const codes: Partial<Record<number, ErrorCode>> = {
  10: 'REPOSITORY_MISSING',
  11: 'REPOSITORY_LOCKED',
  12: 'REPOSITORY_PASSWORD_WRONG',
  130: 'CANCELLED',
};
/** What restic says where something in the repository is not what it should be; in JSON, `<` is `\\u003c`. */
const damage =
  /ciphertext verification failed|invalid data returned|not found in (repository|index)|file is too short|wrong hash|(?:<|\\u003c)data\/.*no such file or directory/;
/** A lock that was not renewed for 22 minutes no longer counts, and restic stops [restic internal/repository/lock.go]. */
const lockLost = /Fatal: failed to refresh lock in time|failed to refresh stale lock/;
const lockLostMessage =
  'restic could not renew its lock in time (the repository did not answer for 20 minutes, or this machine stood still)';
const texts: [RegExp, ErrorCode][] = [
  [/LoadRaw\((?:<|\\u003c)index\//, 'REPOSITORY_DAMAGED'],
  [/wrong password or no key found/i, 'REPOSITORY_PASSWORD_WRONG'],
  [/unable to create lock|repository is already locked/i, 'REPOSITORY_LOCKED'],
  [/Is there a repository at the following location|repository does not exist/i, 'REPOSITORY_MISSING'],
  [
    /unable to (open|create) cache|(open|create) cache .*(no space left|read-only|permission denied)/i,
    'CACHE_UNUSABLE',
  ],
  [/restic-temp-pack-\d+: no space left on device/, 'TEMPORARY_FULL'],
  [/no space left on device/i, 'REPOSITORY_FULL'],
  [
    /unable to open repository|connection refused|no such host|i\/o timeout|dial tcp/i,
    'REPOSITORY_UNREACHABLE',
  ],
];

/**
 * restic could not even open the repository, or not lock it: nothing was read or saved yet
 * [restic cmd/restic/global.go, OpenRepository; cmd/restic/lock.go].
 */
export const notOpened = /^(Fatal: )?unable to (open (config file|repository)|create lock)\b/m;

/** Whether restic complains about what is in the repository, and not about what it should do with it. */
export function isDamage(text: string): boolean {
  return damage.test(text);
}

/** Whether this is what restic says of a file where it could not write to its folder for temporary files. */
export function isTemporaryFull(text: string): boolean {
  return /: write \S+\/restic-temp-pack-\d+: no space left on device$/.test(text);
}

/** Whether restic stopped because its lock was no longer good: what it has stored until then need not be stored again. */
export function isLockLost({ code, message }: CephbackupError): boolean {
  return code === 'REPOSITORY_UNREACHABLE' && message.endsWith(lockLostMessage);
}

/** Why restic could not read a backup. */
export function readError(what: string, result: CommandResult): CephbackupError {
  return repositoryError(what, result, isDamage(result.stderr) ? 'BACKUP_DAMAGED' : 'RESTIC_FAILED');
}

/** A failed restic command as the error it means; `fallback` where neither code nor text says more. */
export function repositoryError(
  what: string,
  result: CommandResult,
  fallback: ErrorCode = 'REPOSITORY_UNREACHABLE',
): CephbackupError {
  // Its last words are of its own end: `context canceled`.
  if (lockLost.test(result.stderr))
    return new CephbackupError('REPOSITORY_UNREACHABLE', `${what}: ${lockLostMessage}`);
  const code =
    codes[result.exitCode] ?? texts.find(([pattern]) => pattern.test(result.stderr))?.[1] ?? fallback;
  const lock = code === 'REPOSITORY_LOCKED' ? parseLock(result.stderr) : null;
  if (lock !== null) {
    return new CephbackupError(code, `${what}: ${describeLock(lock)}`, { guidance: lockGuidance(lock) });
  }
  const text = resticMessage(result.stderr);
  return new CephbackupError(code, `${what}: ${text} (exit code ${result.exitCode})`);
}

/** A query that did not end in its time, as what restic has said of the repository meanwhile. */
export function asLateAnswer(what: string, thrown: unknown): unknown {
  if (!(thrown instanceof CommandFailure) || thrown.ending.how !== 'late') return thrown;
  const { stderr, message } = thrown;
  const code = texts.find(([pattern]) => pattern.test(stderr))?.[1] ?? 'REPOSITORY_UNREACHABLE';
  const reason = retriedReason(stderr);
  return new CephbackupError(code, reason === null ? message : `${what}: ${reason}`, { cause: thrown });
}

/** The message within restic's `exit_error` JSON line, or its last line. */
function resticMessage(output: string): string {
  const stderr = withoutTrace(output);
  for (const line of stderr.split('\n').toReversed()) {
    const told = parseMessage(line);
    if (told?.message_type === 'exit_error' && typeof told.message === 'string')
      return lastLine(withoutLocation(withoutTrace(told.message)));
    const text = told?.message_type === 'error' ? errorText(told) : null;
    if (text !== null) return lastLine(withoutTrace(text));
  }
  // Its very last words are of its own end, e.g. `context canceled`.
  return retriedReason(stderr) ?? lastLine(stderr);
}

/** Below the reason why a repository could not be opened, restic prints where it is. */
function withoutLocation(text: string): string {
  return text.replace(/^(.*unable to open config file: .*)$[^]*/m, '$1');
}

/** Some errors are printed with the calls that led to them: a function, and below it, indented, its place in the source. */
function withoutTrace(text: string): string {
  return text.replace(/\n\S+\n\t\S+:\d+/g, '');
}
