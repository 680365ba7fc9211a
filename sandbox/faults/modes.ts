import type { FaultMode as RequestMode } from '../kube/stand-in/faults.js';
import type { Call } from './calls.js';
import type { FaultMode as CommandMode } from './programs.js';

/** One way in which a call goes wrong. */
export interface Mode {
  name: string;
  /** What happens to a command. */
  command?: CommandMode;
  /** What happens to a request. */
  request?: RequestMode;
  /** How often; null: to this call and all later ones of its pattern. */
  times: number | null;
  /** Whether it passes by itself, and must therefore not be seen in the result. */
  passes?: boolean;
  retryAfter?: number;
  /** Options without which the command would wait for what never comes. */
  args?: readonly string[];
  /** The program is killed, or told to end. */
  ends?: 'SIGKILL' | 'SIGTERM';
}

/** No sensible program takes longer for one of the matrix's small volumes, also on a busy machine. */
const impatient = ['--volume-timeout', '8s', '--run-timeout', '30s', '--patience', '2s'];
const refused = ['--run-timeout', '60s', '--patience', '2s'];

export const commandModes: readonly Mode[] = [
  { name: 'fails', command: 'fail', times: 1 },
  { name: 'fails always', command: 'fail', times: null, args: refused },
  { name: 'fails after its effect', command: 'fail-after', times: 1 },
  { name: 'says 0 and does nothing', command: 'lie', times: 1 },
  { name: 'prints garbage', command: 'garbage', times: 1 },
  { name: 'prints half', command: 'truncate', times: 1 },
  { name: 'hangs', command: 'hang', times: 1, args: impatient },
  { name: 'KILL before', command: 'kill-before', times: 1, ends: 'SIGKILL' },
  { name: 'KILL during', command: 'kill-during', times: 1, ends: 'SIGKILL' },
  { name: 'KILL after', command: 'kill-after', times: 1, ends: 'SIGKILL' },
  { name: 'TERM', command: 'term', times: 1, ends: 'SIGTERM' },
];

/** Twice an answer that passes by itself, for the programs that have one. */
export const passingMode: Mode = { name: 'passes', command: 'fail', times: 2, passes: true };
/** The same, but the first of them had its effect. */
export const passingAfterMode: Mode = {
  name: 'passes, with its effect',
  command: 'fail-after',
  times: 1,
  passes: true,
};

export const requestModes: readonly Mode[] = [
  { name: 'no answer', request: 'timeout', times: 1 },
  { name: 'no answer, carried out', request: 'timeout-after-commit', times: 1 },
  { name: 'reset', request: 'reset', times: 1 },
  { name: 'reset, carried out', request: 'reset-after-commit', times: 1 },
  { name: 'half an answer', request: 'truncated', times: 1 },
  { name: 'garbage', request: 'garbage', times: 1 },
  { name: '401', request: 401, times: 1 },
  { name: '403', request: 403, times: 1 },
  { name: '409', request: 409, times: 1 },
  { name: '410', request: 410, times: 1 },
  { name: '429', request: 429, times: 2, retryAfter: 1, passes: true },
  { name: '500', request: 500, times: 1 },
  { name: '503', request: 503, times: 1 },
  { name: '500 always', request: 500, times: null, args: refused },
  { name: '403 always', request: 403, times: null, args: refused },
];

/** What a program says, and its exit code, where the same succeeds in a moment. */
const passingAnswers: Partial<Record<string, { exitCode: number; stderr: string }>> = {
  ceph: {
    exitCode: 95,
    stderr: 'Error ENOTSUP: Warning: due to ceph-mgr restart, some PG states may not be up to date',
  },
  rbd: { exitCode: 110, stderr: "rbd: couldn't connect to the cluster!: (110) Connection timed out" },
  restic: {
    exitCode: 1,
    stderr:
      'Fatal: unable to open config file: Head "http://127.0.0.1:9/config": dial tcp 127.0.0.1:9: connect: connection refused',
  },
};

const failure = { exitCode: 5, stderr: 'injected' };

export function answerOf({ pattern }: Call, mode: Mode): { exitCode: number; stderr: string } {
  return (mode.passes === true ? passingAnswers[pattern.split(' ')[0] ?? ''] : undefined) ?? failure;
}

/** They print nothing where they succeed. */
const silent = /^(mount|umount|mkdir|rmdir|mkfifo|mknod|sync|unshare|mkfs\.\w+|tune2fs|losetup)$/;

/** Made twice under a name that somebody has chosen, it would be somebody else's: only what had no effect is repeated. */
const creates = /^rbd (?!.*\bsnap )(.* )?create\b/;

/** Whoever has taken what came cannot have it come again; and restic itself goes on where it was. */
const flows = /^restic (dump|ls|check)|^rbd .*\b(export(-diff)?|import-diff)\b/;

export function modesOf(call: Call): readonly Mode[] {
  if (call.kind === 'request') return requestModes;
  const program = call.pattern.split(' ')[0] ?? '';
  const prints = !silent.test(program);
  const modes = commandModes.filter(
    ({ command }) => prints || (command !== 'garbage' && command !== 'truncate'),
  );
  if (!(program in passingAnswers) || flows.test(call.pattern)) return modes;
  return program === 'restic' || creates.test(call.pattern)
    ? [...modes, passingMode]
    : [...modes, passingMode, passingAfterMode];
}
