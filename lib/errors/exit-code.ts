import type { CephbackupError } from './error.js';
import type { ErrorKind } from './catalogue.js';

/** The program's exit codes; scripts rely on them. */
export const exitCodes: Record<ErrorKind, number> = { usage: 2, busy: 4, unusable: 3, failed: 1 };
const leftBehind = 5;
/** 2 outranks 4, and so on; a signal outranks them all. */
const precedence = [2, 4, 3, 1, leftBehind];

export type EndingSignal = 'SIGTERM' | 'SIGINT';
export const signalCodes: Record<EndingSignal, number> = { SIGTERM: 143, SIGINT: 130 };

/** The one exit code of a run with these errors. */
export function exitCode(
  signal: EndingSignal | null,
  errors: readonly CephbackupError[],
  leftovers: readonly unknown[],
): number {
  if (signal !== null) return signalCodes[signal];
  const codes = new Set(errors.map(({ kind }) => exitCodes[kind]));
  if (leftovers.length > 0) codes.add(leftBehind);
  return precedence.find((code) => codes.has(code)) ?? 0;
}

/** That of a command which failed as a whole. */
export function exitCodeOf(error: CephbackupError, signal: EndingSignal | null): number {
  if (signal !== null) return signalCodes[signal];
  // What ends the whole command at its limit says nothing of any volume.
  return error.code === 'RUN_TIMEOUT' ? exitCodes.unusable : exitCodes[error.kind];
}
