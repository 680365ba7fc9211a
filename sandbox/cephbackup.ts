import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasGuest, patience, startInGuest, type GuestProcess } from './vm/guest.js';
import { cephbackupProgram, searchPath } from './tools.js';

export interface CephbackupOptions {
  /** In addition to PATH, HOME and TMPDIR; nothing else of this process's environment is passed on. */
  env?: Record<string, string>;
  input?: string;
  /** Where relative paths begin. */
  cwd?: string;
  /** Another build of it. */
  program?: string;
  /** argv in front of the program, which starts it. */
  under?: readonly string[];
  /** Milliseconds until it is killed, which counts as a failure. Default five minutes. */
  timeout?: number;
}

export interface CephbackupResult {
  /** null if it died by `signal`. */
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** stdout parsed, where it is JSON; else undefined. */
  json: unknown;
}

export interface RunningCephbackup {
  /** 0 in a virtual machine. */
  pid: number;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when it has printed this to stderr; rejects, with what it did print, where it ends or a minute passes without. */
  said(text: string): Promise<void>;
  result: Promise<CephbackupResult>;
}

/** Runs the built program as a user would, to its end. */
export function runCephbackup(
  args: readonly string[],
  options: CephbackupOptions = {},
): Promise<CephbackupResult> {
  return startCephbackup(args, options).result;
}

/** Starts the built program; for tests that end it early. */
export function startCephbackup(
  args: readonly string[],
  {
    env = {},
    input = '',
    under = [],
    timeout = 300_000,
    cwd,
    program = cephbackupProgram,
  }: CephbackupOptions = {},
): RunningCephbackup {
  const start = hasGuest() ? startInGuest : startHere;
  const inFolder = cwd === undefined ? [] : ['env', '-C', cwd];
  const child = start(
    'setpriv',
    ['--pdeathsig', 'KILL', '--', ...under, ...inFolder, process.execPath, program, ...args],
    {
      env: {
        PATH: searchPath(),
        HOME: process.env.HOME ?? '/root',
        ...(process.env.TMPDIR === undefined ? {} : { TMPDIR: process.env.TMPDIR }),
        ...env,
      },
      input,
    },
  );
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child.onOutput(stream, (text) => {
      output[stream] += text;
    });
  }
  const timer = setTimeout(() => {
    child.kill('SIGKILL');
  }, patience(timeout));
  const result = child.ended
    .finally(() => {
      clearTimeout(timer);
    })
    .then(({ code, signal }) => ({ code, signal, ...output, json: parse(output.stdout) }));
  const said = async (text: string): Promise<void> => {
    const deadline = performance.now() + patience(60_000);
    const ended = result.then(
      () => true,
      () => true,
    );
    for (let over = false; !output.stderr.includes(text);) {
      if (over) throw new Error(`did not say ${text}, but: ${output.stderr}`);
      over = (await Promise.race([ended, sleep(50, false)])) || performance.now() > deadline;
    }
  };
  return {
    pid: child.pid,
    kill: (signal) => {
      child.kill(signal);
    },
    said,
    result,
  };
}

function startHere(
  program: string,
  args: readonly string[],
  { env, input }: { env: Record<string, string>; input: string },
): GuestProcess {
  const child = spawn(program, args, { env, stdio: 'pipe' });
  // It may end without having read anything.
  child.stdin.on('error', () => undefined).end(input);
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve({ code, signal });
    });
  });
  return {
    pid: child.pid ?? 0,
    kill: (signal) => child.kill(signal),
    onOutput: (stream, listener) => child[stream].setEncoding('utf8').on('data', listener),
    ended,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
