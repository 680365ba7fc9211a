import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { execa } from 'execa';

/** Whatever is started here dies with this process, however that dies. */
const dieWithOwner = ['--pdeathsig', 'KILL', '--'];

export interface RunOptions {
  env?: Record<string, string | undefined>;
  cwd?: string;
  input?: string | Buffer;
  /** How bytes become text; `latin1` keeps every one of them. Default UTF-8. */
  encoding?: 'utf8' | 'latin1';
  /** Milliseconds, default four minutes: it ends what hangs, and not what a busy machine does slowly. */
  timeout?: number;
}

export interface RunResult {
  code: number;
  stdout: string;
  stderr: string;
}

/**
 * Runs a program to its end, in this process's environment plus `env`.
 * @throws Error with what the program said, unless it exits 0.
 */
export async function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await attempt(program, args, options);
  if (code !== 0) {
    throw new Error(`${[program, ...args].join(' ')}: exit code ${code}\n${lastPart(stderr || stdout)}`);
  }
  return stdout;
}

/** Like `run`, but every exit code is a result. A program that is killed, or ends too late, gets -1. */
export async function attempt(
  program: string,
  args: readonly string[],
  { env, cwd, input, encoding = 'utf8', timeout = 240_000 }: RunOptions = {},
): Promise<RunResult> {
  const child = execa('setpriv', [...dieWithOwner, program, ...args], {
    ...(env === undefined ? {} : { env }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(input === undefined ? { stdin: 'ignore' } : { input }),
    encoding,
    timeout,
    killSignal: 'SIGKILL',
    // A session of its own: Ctrl-C reaches this program alone, which then decides what ends when.
    detached: true,
    reject: false,
    stripFinalNewline: false,
    maxBuffer: 256 * 1024 * 1024,
  });
  commands.add(child);
  const result = await child;
  commands.delete(child);
  const why = result.timedOut ? `\nnot finished after ${timeout / 1000} s` : '';
  return { code: result.exitCode ?? -1, stdout: result.stdout, stderr: result.stderr + why };
}

const daemons = new Set<Daemon>();
const commands = new Set<{ kill: (signal: 'SIGKILL') => unknown }>();

/** The last resort of a process that ends: kills every daemon and every command, without waiting. */
export function killEverything(): void {
  for (const daemon of daemons) daemon.kill();
  // They would die a little later by themselves, and until then write into what is being removed.
  for (const command of commands) command.kill('SIGKILL');
}

/** A process that runs until it is told to end. */
export class Daemon {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #hasEnded = false;

  /** @param logFile gets everything that the process prints. */
  constructor(
    readonly name: string,
    program: string,
    args: readonly string[],
    readonly logFile: string,
    env: Record<string, string | undefined> = {},
  ) {
    const log = openSync(logFile, 'a');
    this.#child = spawn('setpriv', [...dieWithOwner, program, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    this.#ended = new Promise((resolve) => {
      const end = () => {
        this.#hasEnded = true;
        daemons.delete(this);
        resolve();
      };
      this.#child.once('exit', end).once('error', end);
    });
    daemons.add(this);
    // The owner waits for what it needs, not for its daemons.
    this.#child.unref();
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error(`${this.name} could not be started`);
    return pid;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  get running(): boolean {
    return !this.#hasEnded;
  }

  /** Resolves when `condition` holds. @throws Error if the daemon ends before, or after `timeout` milliseconds. */
  async until(condition: () => Promise<boolean> | boolean, timeout = 60_000): Promise<void> {
    await waitFor(`${this.name} to be ready`, timeout, async () => {
      if (!this.running) throw new Error(`${this.name} ended at once: ${await tail(this.logFile)}`);
      return condition();
    });
  }

  /** Resolves when the process has ended, for whatever reason. */
  async ended(): Promise<void> {
    this.#child.ref();
    await this.#ended;
  }

  /** Ends the process and waits for that; `grace` milliseconds later by force. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', grace = 10_000): Promise<void> {
    if (!this.running) return;
    this.#child.kill(signal);
    const force = setTimeout(() => this.#child.kill('SIGKILL'), grace);
    await this.ended();
    clearTimeout(force);
  }
}

/** Asks again and again. @throws Error when `timeout` milliseconds are over. */
export async function waitFor(
  what: string,
  timeout: number,
  condition: () => Promise<boolean> | boolean,
  interval = 25,
): Promise<void> {
  const end = performance.now() + timeout;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${timeout / 1000} s in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
}

async function tail(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return lastPart(text);
}

function lastPart(text: string): string {
  return text.slice(-2000).trim();
}
