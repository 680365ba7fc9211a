import { execa } from 'execa';
import { CephbackupError } from '../../errors/error.js';
import { redactCephKeys } from '../../log/redactor.js';
import { within } from '../../waiting/within.js';
import type { NamespaceRef } from './exec.js';
import { resolveProgram, wrapper } from './launch.js';
import { lastLine } from './outcome.js';
import type { Environment } from './environment.js';

export interface Daemon {
  pid: number;
  /** Settles when the process has ended, with the last line it wrote to stderr. */
  ended: Promise<string>;
  /** What it wrote to stderr so far: the last 16 KiB, without keys of Ceph. */
  stderr(): string;
  alive(): boolean;
  /** Whether it has ended otherwise than with exit code 0. */
  broke(): boolean;
  /** Writes a line to its stdin; one that has ended does not get it. */
  send(line: string): void;
  /** Ends its stdin, for programs that end cleanly by that; then as `stop`. */
  finish(): Promise<void>;
  /** TERM, then KILL after 5 s. @throws CephbackupError COMMAND_TIMEOUT where not even KILL ends it. */
  stop(): Promise<void>;
}

export interface DaemonOptions {
  env: Environment;
  namespace?: NamespaceRef;
  /** Each line of stdout. */
  onLine?: (line: string) => void;
}

export type StartDaemon = (program: string, args: readonly string[], options: DaemonOptions) => Daemon;

const killAfterMs = 5_000;
/** What SIGKILL ends may still have to wait for a device, or for a machine that is busy. */
const giveUpAfterMs = 40_000;
const finishWithinMs = 10_000;

const stderrLimit = 16_384;

/** Whole lines: of a key that is cut in two nobody would know that it is one. */
function lastPart(text: string): string {
  if (text.length <= stderrLimit) return text;
  const part = text.slice(-stderrLimit);
  return part.slice(part.indexOf('\n') + 1);
}

/**
 * Starts a program that serves until it is stopped (in the foreground, so that it dies with this program). Its stdin
 * is a pipe that stays open as long as this program lives.
 */
export const startDaemon: StartDaemon = (program, args, { env, namespace, onLine }) => {
  const file = resolveProgram(program, env.PATH);
  const child = execa('setpriv', [...wrapper(namespace === undefined ? {} : { namespace }), file, ...args], {
    env,
    extendEnv: false,
    detached: true,
    cleanup: false,
    buffer: false,
    reject: false,
    stdin: 'pipe',
  });
  if (child.pid === undefined)
    throw new CephbackupError('COMMAND_FAILED', `${program}: could not be started`);
  const pid = child.pid;
  let stderr = '';
  let pending = '';
  let running = true;
  let broke = false;
  child.stderr.on('data', (chunk: Buffer) => (stderr = lastPart(stderr + chunk.toString())));
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (pending + chunk.toString()).split('\n');
    pending = (lines.pop() ?? '').slice(-65_536);
    for (const line of lines) onLine?.(line);
  });
  child.stdin.on('error', () => undefined);
  const ended = (async () => {
    const { exitCode } = await child;
    broke = exitCode !== 0;
    running = false;
    return lastLine(redactCephKeys(stderr));
  })();
  const signal = (name: NodeJS.Signals) => {
    try {
      process.kill(-pid, name);
    } catch {
      // It has ended already.
    }
  };
  const daemon: Daemon = {
    pid,
    ended,
    stderr: () => redactCephKeys(stderr),
    alive: () => running,
    broke: () => broke,
    send: (line) => {
      child.stdin.write(`${line}\n`);
    },
    finish: async () => {
      child.stdin.end();
      await within(ended, finishWithinMs, () => null);
      if (running) await daemon.stop();
    },
    stop: async () => {
      signal('SIGTERM');
      const kill = setTimeout(signal, killAfterMs, 'SIGKILL');
      try {
        await within(ended, giveUpAfterMs, () => {
          throw new CephbackupError('COMMAND_TIMEOUT', `${program} does not end, not even after SIGKILL`);
        });
      } finally {
        clearTimeout(kill);
      }
    },
  };
  return daemon;
};

/** A daemon that says on stdout when it is ready. */
export interface AnnouncingDaemon {
  daemon: Daemon;
  /**
   * The line by which it said so.
   * @param failed makes the error, for a daemon that ended before, or is late
   */
  announced: (limitMs: number, failed: (why: string) => CephbackupError) => Promise<string>;
}

/** Starts a daemon whose first line that is `wanted` says that it is ready. */
export function startAnnouncing(
  start: StartDaemon,
  program: string,
  args: readonly string[],
  { wanted = () => true, ...options }: Omit<DaemonOptions, 'onLine'> & { wanted?: (line: string) => boolean },
): AnnouncingDaemon {
  let announce: (line: string) => void = () => undefined;
  const line = new Promise<string>((resolve) => (announce = resolve));
  const daemon = start(program, args, {
    ...options,
    onLine: (text) => {
      if (wanted(text)) announce(text);
    },
  });
  return {
    daemon,
    announced: (limitMs, failed) =>
      within(Promise.race([line, failure(daemon, failed)]), limitMs, () => {
        throw failed(`not ready after ${limitMs / 1000} s`);
      }),
  };
}

async function failure(daemon: Daemon, failed: (why: string) => CephbackupError): Promise<never> {
  throw failed(await daemon.ended);
}
