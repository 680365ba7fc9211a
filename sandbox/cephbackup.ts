import { spawn } from 'node:child_process';
import { cephbackupProgram, searchPath } from './tools.js';

export interface CephbackupOptions {
  /** In addition to PATH, HOME and TMPDIR; nothing else of this process's environment is passed on. */
  env?: Record<string, string>;
  input?: string;
  /** Where relative paths begin. */
  cwd?: string;
  /** Milliseconds until it is killed, which counts as a failure. Default two minutes. */
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
  pid: number;
  kill(signal: NodeJS.Signals): void;
  /** What it has printed to stderr up to now. */
  stderr(): string;
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
  { env = {}, input = '', timeout = 120_000, cwd }: CephbackupOptions = {},
): RunningCephbackup {
  const child = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', '--', process.execPath, cephbackupProgram, ...args],
    {
      env: {
        PATH: searchPath(),
        HOME: process.env.HOME ?? '/root',
        ...(process.env.TMPDIR === undefined ? {} : { TMPDIR: process.env.TMPDIR }),
        ...env,
      },
      stdio: 'pipe',
      ...(cwd === undefined ? {} : { cwd }),
    },
  );
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      output[stream] += text;
    });
  }
  // It may end without having read anything.
  child.stdin.on('error', () => undefined).end(input);
  const timer = setTimeout(() => child.kill('SIGKILL'), timeout);
  const result = new Promise<CephbackupResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, ...output, json: parse(output.stdout) });
    });
  });
  return {
    pid: child.pid ?? 0,
    kill: (signal) => child.kill(signal),
    stderr: () => output.stderr,
    result,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
